"""The supervisor's connection to a child: starts it, talks to it, monitors it, ends it.

Everything that the child sends is untrusted: `frames` checks sizes and types of frames, answers
must contain the session's token, and a child that does not answer, exceeds a limit or dies raises
`ChildEnded` with the reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import select
import signal
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Json
from modelaudit.probe.child import frames
from modelaudit.probe.host import disk_limit
from modelaudit.probe.host.processor_time import shares

POLL_SECONDS = 0.05  # interval between checks of memory and disk
LOG_BYTES = 16 << 10
DRAINED_BYTES = 1 << 20  # maximum log bytes read between checks of the clock; a pipe holds 64 KiB
GRACE_SECONDS = 10.0  # time for the runtime to report the end of a killed child
TIME_SIGNALS = (signal.SIGXCPU, signal.SIGALRM)
CREDENTIALS = struct.Struct("iII")  # process, user, group
CREDENTIALS_SPACE = socket.CMSG_SPACE(CREDENTIALS.size)
# Only on Linux, where it is needed to read the child's memory use from /proc.
PASS_CREDENTIALS: int | None = getattr(socket, "SO_PASSCRED", None)


class ChildEnded(Exception):
    """The child died or was killed by the supervisor."""

    def __init__(
        self, status: Status, error_type: str = "", error: str = "", signal: int | None = None
    ) -> None:
        super().__init__(status, error_type, error, signal)
        self.status, self.error_type, self.error, self.signal = status, error_type, error, signal


class ChildLimits(Struct, frozen=True):
    """Limits of a child: total seconds of waiting, bytes of memory beyond the bare runtime.

    `file_size` limits each file that it writes, and their total size in `scratch`, in bytes.
    """

    seconds: float
    memory: int
    file_size: int = 64 << 20
    threads: int = 1
    scratch: Path | None = None


class Channel:
    """A running child.

    Raises:
        ChildEnded: UNAVAILABLE if the runtime does not answer.
    """

    def __init__(self, connect_path: str, policy: Mapping[str, Json], limits: ChildLimits) -> None:
        self.limits = limits
        self.waited = 0.0
        self.peak = 0
        self._token = secrets.token_hex(16)
        self._pid: int | None = None
        self._base_memory: int | None = None
        self._log = bytearray()
        self._lost = 0
        self._messages = b""
        message = dict(policy) | {
            "token": self._token,
            "threads": limits.threads,
            # The supervisor limits resident memory; this limit only stops a single huge request.
            "address_space": 2 * limits.memory + (4 << 30),
            "cpu": int(limits.seconds) + 10,
            "file_size": limits.file_size,
        }
        ours, theirs = socket.socketpair()
        log, log_end = os.pipe()
        self._data, self._log_fd = ours, log
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if PASS_CREDENTIALS is not None:
                self._control.setsockopt(socket.SOL_SOCKET, PASS_CREDENTIALS, 1)
            self._control.settimeout(GRACE_SECONDS)
            self._control.connect(connect_path)
            text = json.dumps(message).encode() + b"\n"
            socket.send_fds(self._control, [text], [theirs.fileno(), log_end])
            ours.setblocking(False)
            os.set_blocking(log, False)
        except OSError as error:
            self.close()
            raise ChildEnded(
                Status.UNAVAILABLE, type(error).__name__, f"the runtime does not answer: {error}"
            ) from error
        finally:
            theirs.close()
            os.close(log_end)

    def hello(self) -> dict[str, Any]:
        """Receive the child's first message: its sandbox and the runtime's versions.

        Raises:
            ChildEnded: REFUSED if a required sandbox layer is missing.
        """
        greeting, _ = self._receive()
        self._control_message()  # from the child itself: it has started
        self._base_memory = self._resident()
        return greeting

    def ask(
        self, verb: str, request: Mapping[str, Any], arrays: frames.Arrays
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Send a request and wait for its answer, `ok` or not.

        Raises:
            ChildEnded: the child did not answer.
            FrameError: the request exceeds a limit; nothing was sent.
        """
        for piece in list(frames.encode(dict(request, verb=verb), arrays)):
            self._write(memoryview(piece))
        return self._receive()

    @property
    def log(self) -> str:
        """Output of the child, truncated."""
        text = self._log.decode(errors="backslashreplace")
        return f"{text}\n… {self._lost:,} more bytes" if self._lost else text

    def close(self) -> None:
        """End the child and release all resources. Can be called repeatedly."""
        self._kill()
        self._data.close()
        self._control.close()
        if self._log_fd >= 0:
            os.close(self._log_fd)
            self._log_fd = -1

    def _receive(self) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            answer, arrays = frames.decode(self._read)
        except frames.FrameError as error:
            raise self._violation(str(error)) from error
        if answer.pop("token", None) != self._token or not isinstance(answer.get("ok"), bool):
            raise self._violation("an answer without the session's token")
        return answer, arrays

    def _violation(self, reason: str) -> ChildEnded:
        self._kill()
        return ChildEnded(Status.CRASHED, "ProtocolError", f"the child answered with {reason}")

    def _read(self, count: int) -> bytearray:
        buffer = bytearray(count)
        view, filled = memoryview(buffer), 0
        while filled < count:
            self._wait(select.POLLIN)
            try:
                got = self._data.recv_into(view[filled:])
            except BlockingIOError:
                continue
            except OSError:
                got = 0
            if got == 0:
                raise self._post_mortem()
            filled += got
        return buffer

    def _write(self, view: memoryview) -> None:
        while len(view):
            self._wait(select.POLLOUT)
            try:
                view = view[self._data.send(view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._post_mortem() from error

    def _wait(self, event: int) -> None:
        """Wait until the channel is ready; read the log, monitor time, memory and disk."""
        poll = select.poll()
        poll.register(self._data, event)
        poll.register(self._log_fd, select.POLLIN)
        while True:
            start = time.monotonic()
            left = self.limits.seconds - self.waited
            if left <= 0:
                ran = shares(Path(f"/proc/{self._pid}")) if self._pid else ""
                self._kill()
                said = f"no answer in {self.limits.seconds:g} s{ran}"
                raise ChildEnded(Status.TIMEOUT, "TimeoutError", said)
            ready = dict(poll.poll(1000 * min(left, POLL_SECONDS)))
            if self._log_fd in ready and not self._drain(DRAINED_BYTES):
                poll.unregister(self._log_fd)  # closed, so it would always be ready
            self.waited += time.monotonic() - start
            if self._data.fileno() in ready:
                return
            used = (self._resident() or 0) - (self._base_memory or 0)
            self.peak = max(self.peak, used)
            if self._base_memory is not None and used > self.limits.memory:
                self._kill()
                most = f"{self.limits.memory // 2**20:,} MiB"
                raise ChildEnded(Status.MEMORY, "MemoryError", f"used more than {most}")
            scratch = self.limits.scratch
            if scratch and (reason := disk_limit.excess(scratch, self.limits.file_size)):
                self._kill()
                raise ChildEnded(Status.DISK, "OSError", reason)

    def _drain(self, most: int) -> bool:
        """Read up to `most` bytes of the log; False once it is closed.

        A child that prints endlessly fills the pipe as fast as it is emptied.
        """
        taken = 0
        try:
            while taken < most:
                piece = os.read(self._log_fd, 1 << 16)
                if not piece:
                    return False
                taken += len(piece)
                room = LOG_BYTES - len(self._log)
                self._log += piece[:room]
                self._lost += len(piece) - len(piece[:room])
        except BlockingIOError:
            pass
        return True

    def _resident(self) -> int | None:
        """Resident memory of the child in bytes, from /proc; None if unknown."""
        if self._pid is None:
            return None
        process = Path(f"/proc/{self._pid}")
        try:
            pages = _pages(process)
            if not pages:  # its first thread has ended, to which /proc attributes all memory
                pages = max(map(_pages, process.glob("task/*")), default=0)
        except OSError:
            return None
        return pages * resource.getpagesize()

    def _control_message(self) -> dict[str, Any] | None:
        """The runtime's next message about the child; None after the last one."""
        while b"\n" not in self._messages:
            try:
                piece, ancillary, _, _ = self._control.recvmsg(4096, CREDENTIALS_SPACE)
            except OSError:
                return None
            if not piece:
                return None
            if self._pid is None:  # the first message is from the child
                self._pid = _sender(ancillary)
            self._messages += piece
        line, _, self._messages = self._messages.partition(b"\n")
        message = json.loads(line)
        return message if isinstance(message, dict) else None

    def _kill(self) -> None:
        """Kill the child and wait until the runtime reports its end."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)  # the runtime then kills the child
        while self._control_message():
            pass

    def _post_mortem(self) -> ChildEnded:
        """Why a child closed its channel."""
        self._drain(DRAINED_BYTES)
        status = None
        with contextlib.suppress(OSError):
            # It may have closed the channel and still be running; it is killed below.
            self._control.settimeout(2.0)
        while (message := self._control_message()) is not None:
            status = message.get("status", status)
        self._kill()
        if not isinstance(status, int):
            return ChildEnded(Status.CRASHED, "", "the child closed its channel")
        if not os.WIFSIGNALED(status):
            code = os.waitstatus_to_exitcode(status)
            return ChildEnded(Status.CRASHED, "", f"the child exited with code {code}")
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        if number in TIME_SIGNALS:
            return ChildEnded(Status.TIMEOUT, "TimeoutError", f"out of CPU time ({name})", number)
        if b"bad_alloc" in self._log:
            return ChildEnded(Status.MEMORY, "MemoryError", f"out of memory ({name})", number)
        hint = ", possibly by the kernel (out of memory)" if number == signal.SIGKILL else ""
        return ChildEnded(Status.CRASHED, "", f"killed by {name}{hint}", number)


def _pages(process: Path) -> int:
    """Resident memory pages of a process or thread."""
    return int((process / "statm").read_text().split()[1])


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """Process ID of a message's sender, in our PID namespace."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == getattr(socket, "SCM_CREDENTIALS", None):
            return int(CREDENTIALS.unpack(data[: CREDENTIALS.size])[0])
    return None
