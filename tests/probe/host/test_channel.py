"""The supervisor's channel to a child, with children that send invalid data, stall and die."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.probe.child import frames
from modelaudit.probe.host.channel import LOG_BYTES, Channel, ChildEnded, ChildLimits
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation

LIMITS = ChildLimits(seconds=5.0, memory=1 << 30)


class Child:
    """A child and its runtime, simulated by a thread."""

    def __init__(self, control: socket.socket) -> None:
        message, fds, _, _ = socket.recv_fds(control, 1 << 16, 2)
        self.policy = json.loads(message)
        self.control = control
        self.data, self.log = socket.socket(fileno=fds[0]), fds[1]

    def say(self, header: dict[str, object], arrays: dict[str, np.ndarray] | None = None) -> None:
        whole = {"token": self.policy["token"], "ok": True} | header
        for piece in frames.encode(whole, arrays or {}):
            self.data.sendall(piece)

    def hear(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        return frames.decode(self.read)

    def read(self, count: int) -> bytearray:
        buffer = bytearray()
        while len(buffer) < count:
            piece = self.data.recv(count - len(buffer))
            if not piece:
                raise EOFError
            buffer += piece
        return buffer

    def begin(self) -> None:
        self.tell({"pid": os.getpid()})  # which names this process as the child
        self.greet()

    def greet(self) -> None:
        self.say({"sandbox": {"seccomp": True}, "versions": {"tensorflow": "2.21.0"}})

    def tell(self, message: dict[str, object]) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def die(self, status: int) -> None:
        os.close(self.log)
        self.data.close()
        self.tell({"status": status, "peak_kib": 1})
        self.control.close()


Play = Callable[[Child], None]


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[Callable[[Play], Channel]]:
    """Start a channel whose other end runs the given function once."""
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    channels: list[Channel] = []
    threads: list[threading.Thread] = []

    def start(play: Play, limits: ChildLimits = LIMITS) -> Channel:
        def run() -> None:
            control, _ = listener.accept()
            child = Child(control)
            try:
                play(child)
                control.recv(1)  # until the supervisor hangs up
            except (OSError, EOFError):
                pass
            finally:
                child.data.close()
                control.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        threads.append(thread)
        channels.append(Channel(path, {"readable": []}, limits))
        return channels[-1]

    yield start
    for channel in channels:
        channel.close()
    for thread in threads:
        thread.join(5)
    listener.close()


def ended(channel: Channel) -> ChildEnded:
    with pytest.raises(ChildEnded) as caught:
        channel.hello()
        channel.ask("describe", {}, {})
    return caught.value


def test_an_answer_is_received(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.begin()
        request, arrays = child.hear()
        child.say({"heard": request["verb"]}, {"twice": arrays["x"] * 2})

    channel = playing(play)
    assert channel.hello()["sandbox"] == {"seccomp": True}
    header, arrays = channel.ask("put", {}, {"x": np.arange(3.0)})
    assert header == {"ok": True, "heard": "put"}
    np.testing.assert_array_equal(arrays["twice"], [0, 2, 4])


def test_large_frames_do_not_block_each_other(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.begin()
        os.write(child.log, b"." * 60_000)
        _, arrays = child.hear()
        child.say({}, arrays)

    channel = playing(play)
    channel.hello()
    x = np.random.default_rng(0).random(3_000_000)
    _, arrays = channel.ask("put", {}, {"x": x})
    np.testing.assert_array_equal(arrays["x"], x)
    assert channel.log.startswith("...")
    assert f"{60_000 - LOG_BYTES:,} more bytes" in channel.log


def forged(child: Child) -> None:
    child.begin()
    child.say({"token": "0" * 32})


def without_verdict(child: Child) -> None:
    child.begin()
    child.say({"ok": "yes"})


def garbage(child: Child) -> None:
    child.begin()
    child.data.sendall(b"\x10\x00\x00\x00this is not JSON")


def oversized(child: Child) -> None:
    child.begin()
    child.data.sendall(struct.pack("<I", 0xFFFFFFF0))


@pytest.mark.parametrize("play", [forged, without_verdict, garbage, oversized])
def test_invalid_answers_end_the_child(playing: Callable[[Play], Channel], play: Play) -> None:
    end = ended(playing(play))
    assert end.status is Status.CRASHED
    assert end.error_type == "ProtocolError"


def test_silence_is_a_timeout(playing: Callable[..., Channel]) -> None:
    end = ended(playing(Child.begin, ChildLimits(seconds=0.3, memory=1 << 30)))
    assert end.status is Status.TIMEOUT


def test_endless_output_is_a_timeout(playing: Callable[..., Channel]) -> None:
    def flood(log: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                os.write(log, b"x" * (1 << 16))

    def play(child: Child) -> None:
        child.begin()
        threading.Thread(target=flood, args=(child.log,), daemon=True).start()

    end = ended(playing(play, ChildLimits(seconds=1.0, memory=1 << 30)))
    assert end.status is Status.TIMEOUT


GROWING = """
import socket, sys
socket.socket(fileno=int(sys.argv[1])).sendall(b"{}\\n")
sys.stdin.read(1)
hoard = b"x" * (40 << 20)
sys.stdin.read()
"""


def test_memory_growth_is_detected(playing: Callable[..., Channel]) -> None:
    """In a separate process: other changes to this process's memory must not hide it."""

    def play(child: Child) -> None:
        control = child.control.fileno()
        command = [sys.executable, "-S", "-c", GROWING, str(control)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=[control], bufsize=0
        ) as grown:
            child.greet()
            child.hear()
            assert grown.stdin
            grown.stdin.write(b".")
            child.control.recv(1)  # until the supervisor hangs up

    channel = playing(play, ChildLimits(seconds=60.0, memory=20 << 20))
    assert ended(channel).status is Status.MEMORY
    assert channel.peak > 20 << 20


@pytest.mark.parametrize(
    ("status", "expected", "number"),
    [
        (signal.SIGSEGV, Status.CRASHED, signal.SIGSEGV),
        (signal.SIGKILL, Status.CRASHED, signal.SIGKILL),
        (signal.SIGXCPU, Status.TIMEOUT, signal.SIGXCPU),
        (3 << 8, Status.CRASHED, None),
        (0, Status.CRASHED, None),
    ],
)
def test_every_kind_of_death_is_distinguished(
    playing: Callable[[Play], Channel], status: int, expected: Status, number: int | None
) -> None:
    def play(child: Child) -> None:
        child.begin()
        child.data.sendall(struct.pack("<I", 100) + b"half an ans")
        child.die(int(status))

    end = ended(playing(play))
    assert end.status is expected
    assert end.signal == number


def test_death_by_failed_allocation_is_out_of_memory(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.begin()
        os.write(child.log, b"terminate called after throwing 'std::bad_alloc'")
        child.die(signal.SIGABRT)

    assert ended(playing(play)).status is Status.MEMORY


def test_a_missing_child_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ChildEnded) as caught:
        Channel(str(tmp_path / "absent"), {}, LIMITS)
    assert caught.value.status is Status.UNAVAILABLE


def session_with(channel: Channel) -> Session:
    session = Session(Observation("r", "", Status.FAILED), {"path": "/m"}, channel)
    session.greet()
    return session


def test_a_refusal_without_a_sandbox(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.tell({"pid": os.getpid()})
        child.say({"ok": False, "refused": "landlock", "sandbox": {"landlock": "not available"}})

    session = session_with(playing(play))
    assert not session.alive
    assert session.observation.status is Status.REFUSED
    assert session.observation.sandbox == {"landlock": "not available"}
    assert session.load(["load_model"]).status is Status.REFUSED


def test_a_runtime_without_tensorflow(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.tell({"pid": os.getpid()})
        child.say({"ok": False, "error_type": "ModuleNotFoundError", "error": "no tensorflow"})

    session = session_with(playing(play))
    assert session.observation.status is Status.UNAVAILABLE
    assert session.observation.error == "no tensorflow"


DESCRIBED = {
    "inputs": [{"name": "x", "dtype": "float32", "shape": [None, 2]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": None}],
    "layers": [],
    "notes": [],
}


@pytest.mark.parametrize(
    "described",
    [
        {},
        DESCRIBED | {"inputs": [{"name": "x", "dtype": "float32", "shape": ["two"]}]},
        DESCRIBED | {"inputs": [{"name": "x", "dtype": "float32", "shape": [-3]}]},
        DESCRIBED | {"outputs": [{"name": 5, "dtype": "float32", "shape": None}]},
        DESCRIBED | {"layers": ["conv"]},
        DESCRIBED | {"notes": [{}]},
    ],
)
def test_malformed_descriptions_are_rejected(
    playing: Callable[[Play], Channel], described: dict[str, object]
) -> None:
    def play(child: Child) -> None:
        child.begin()
        child.hear()
        child.say({})
        child.hear()
        child.say(described)

    session = session_with(playing(play))
    seen = session.load(["load_model"])
    assert seen.status is Status.CRASHED
    assert seen.error_type == "ProtocolError"
    assert not session.alive


@pytest.mark.parametrize(
    "answer",
    [{"y": np.zeros((4, 2))}, {"y": np.zeros(())}],
)
def test_outputs_of_another_length_are_refused(
    playing: Callable[[Play], Channel], answer: dict[str, np.ndarray]
) -> None:
    def play(child: Child) -> None:
        child.begin()
        for reply in ({}, DESCRIBED, {}):
            child.hear()
            child.say(reply)
        child.hear()
        child.say({}, answer)

    session = session_with(playing(play))
    seen = session.load(["load_model"])
    assert seen.status is Status.LOADED
    assert seen.inputs == (Port("x", "float32", (None, 2)),)
    session.put({"x": np.zeros((3, 2))})
    outcome = session.predict([Feed("x")])
    assert isinstance(outcome, Observation)
    assert outcome.error_type == "ProtocolError"


def test_digests_must_look_like_digests(playing: Callable[[Play], Channel]) -> None:
    entry = {"path": "a", "shape": [2], "dtype": "float32", "sha256": "../../etc/passwd"}

    def play(child: Child) -> None:
        child.begin()
        child.hear()
        child.say({"digests": [entry]})

    answer = session_with(playing(play)).digests()
    assert isinstance(answer, Observation)
    assert answer.error_type == "ProtocolError"
