"""The channel to a child that a test plays."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelaudit.probe.host.channel import Channel, ChildLimits
from tests.probe.host.fake_child import LIMITS, Child, Play


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
