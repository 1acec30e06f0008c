"""The Ray actor: one place on a node in which one model after another is audited.

It imports nothing else of this package: what audits is in processes of their own.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from io import BufferedRWPair
from pathlib import Path

# Ray sets this for its own processes; it changes the last bits of what models answer.
THREADS = "OMP_NUM_THREADS"
ATTEMPTS = 100  # to meet a process that another place of the node is just starting
CREDENTIALS = struct.Struct("3i")  # process, user, group


class NodeAuditor:
    """Passes messages between the driver and a process on its node.

    All places of a run on a node have one `node_worker`, which imports and starts what audits need,
    and forks a process for each place. The first place starts it, as does one that finds it gone.

    Args:
        order: a `NodeOrder` as a line.
        run: a name of the run that no other run has.
        directory: the driver's current directory, for relative paths.
        threads: `OMP_NUM_THREADS` of the driver, "" if it is not set.
    """

    def __init__(self, order: bytes, run: str, directory: str, threads: str) -> None:
        self._order, self._run = order, run
        self._directory, self._threads = directory, threads
        self._process: BufferedRWPair | None = None

    def begin(self) -> bytes:
        """Answer once this place exists: a `NodeResult` as a line."""
        return _answer()

    def audit(self, task: bytes) -> bytes:
        """The `NodeResult` of a `NodeTask`, both as lines."""
        answer, why = b"", "its process on the node ended"
        try:
            process = self._process = self._process or self._met()
            process.write(task)
            process.flush()
            answer = process.readline()
        except ConnectionError as error:
            why = f"{why}: {error}"
        if answer.endswith(b"\n"):
            return answer
        self._process = None
        return _answer(lost=why)

    def _met(self) -> BufferedRWPair:
        """A connection to a process for this place.

        Raises:
            ConnectionError: there is none.
        """
        # A name that is no file, and that is free again when the last process with it ends.
        name = f"\0modelaudit-{self._run}-{_node()}"
        for _ in range(ATTEMPTS):
            with socket.socket(socket.AF_UNIX) as connection, suppress(ConnectionRefusedError):
                connection.connect(name)
                if not same_user(connection):
                    raise ConnectionError("another user has the name of this run")
                return connection.makefile("rwb")  # it keeps the connection
            status = 0
            with socket.socket(socket.AF_UNIX) as listener, suppress(OSError):  # another was first
                listener.bind(name)
                listener.listen()
                status = self._start(listener)
            if status:
                raise ConnectionError(f"it cannot start (exit status {status})")
            time.sleep(0.05)
        raise ConnectionError("no process answers")

    def _start(self, listener: socket.socket) -> int:
        """The exit status of a process that leaves another one behind, which listens."""
        number = listener.fileno()
        command = [sys.executable, "-P", "-m", "modelaudit.runs.cluster.node_worker", str(number)]
        worker = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            pass_fds=(number,),
            cwd=self._directory if Path(self._directory).is_dir() else None,
            env=environment(os.environ, self._threads),
        )
        worker.communicate(self._order)
        return worker.returncode


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to the user of this one."""
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return bool(CREDENTIALS.unpack(peer)[1] == os.geteuid())


def _node() -> str:
    """The node of the cluster; "" outside one."""
    ray = sys.modules.get("ray")
    return str(ray.get_runtime_context().get_node_id()) if ray and ray.is_initialized() else ""


def _answer(**fields: str) -> bytes:
    """A `NodeResult` with these fields, as a line."""
    return json.dumps(fields).encode() + b"\n"


def environment(current: Mapping[str, str], threads: str) -> dict[str, str]:
    """Environment variables of a `node_worker`: those of a process of the driver."""
    kept = {name: value for name, value in current.items() if not name.startswith("RAY_")}
    kept.pop(THREADS, None)
    return {**kept, THREADS: threads} if threads else kept
