"""A child at the other end of a channel that does as a test says."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable

import numpy as np

from modelaudit.probe.child import frames
from modelaudit.probe.host.channel import ChildLimits

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
