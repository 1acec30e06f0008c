"""The supervisor's channel to a child, with children that send invalid data, stall and die."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.probe.host.channel import LOG_BYTES, Channel, ChildEnded, ChildLimits
from tests.probe.host.fake_child import LIMITS, Child, Play
from tests.probe.restricted import needs_linux


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
# The kernel attributes the memory of a process to its first thread, which may end before others.
WITHOUT_FIRST_THREAD = f"""
import ctypes, os, threading
threading.Thread(target=exec, args=({GROWING!r},)).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""


@pytest.mark.parametrize("code", [GROWING, pytest.param(WITHOUT_FIRST_THREAD, marks=needs_linux)])
def test_memory_growth_is_detected(playing: Callable[..., Channel], code: str) -> None:
    """In a separate process: other changes to this process's memory must not hide it."""

    def play(child: Child) -> None:
        control = child.control.fileno()
        command = [sys.executable, "-S", "-c", code, str(control)]
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
