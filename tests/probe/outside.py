"""Targets of attacks, and whether they were reached: files, listening sockets, a secret."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

SECRET = "swordfish"
OLD = "old"  # content of the file in the canary directory


class Outside:
    """Targets that are accessible to every user, so only a sandbox protects them."""

    def __init__(self, folder: Path, listening: dict[str, socket.socket]) -> None:
        self.folder, self._listening = folder, listening
        self.place = {
            "canary": str(folder / "canary"),
            "secret": str(folder / "secret.txt"),
            "unix": str(folder / "listening"),
            "tcp": listening["tcp"].getsockname()[1],
            "udp": listening["udp"].getsockname()[1],
        }

    def files(self) -> dict[str, str]:
        """Mode and content digest of every path."""
        return {
            str(path.relative_to(self.folder)): f"{path.stat().st_mode:o} {_digest(path)}"
            for path in sorted(self.folder.rglob("*"))
        }

    def reached(self) -> list[str]:
        """The sockets contacted since the last call."""
        spoken_to = []
        for name, listening in self._listening.items():
            try:
                if name == "udp":
                    listening.recv(100)
                else:
                    listening.accept()[0].close()
            except BlockingIOError:
                continue
            spoken_to.append(name)
        return sorted(spoken_to)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Create all targets in a new directory, and listen."""
    folder.mkdir()
    (folder / "canary" / OLD).mkdir(parents=True)
    (folder / "secret.txt").write_text(SECRET)
    with ExitStack() as stack:
        listening = {
            "tcp": socket.create_server(("127.0.0.1", 0)),
            "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "unix": socket.socket(socket.AF_UNIX),
        }
        for each in listening.values():
            stack.enter_context(each)
            each.setblocking(False)
        listening["udp"].bind(("127.0.0.1", 0))
        listening["unix"].bind(str(folder / "listening"))
        listening["unix"].listen()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        yield Outside(folder, listening)


def open_to_all(folder: Path) -> None:
    """Make everything in `folder` readable for every user."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
