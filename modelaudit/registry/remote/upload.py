"""A directory of this machine that stands for one at a URL: what is written into it is uploaded."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from modelaudit.errors import LockHeld, ReadError, UsageError
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.files import RemoteFile, RemoteFiles

_UPLOADS = 8  # at a time


class Upload:
    """The files below a URL, and those of a directory that are to be there.

    Args:
        url: a directory.
        folder: the directory that stands for it, empty.

    Attributes:
        folder: the directory.
        remote: the files at the URL.
        stand_ins: files at the URL for which empty ones are in the directory, by path below both.
        kept: an upload failed, and the directory is to be kept.

    Raises:
        UsageError: nothing that is installed writes there.
    """

    def __init__(self, url: Url, folder: Path) -> None:
        if url.is_tracked or url.scheme in ("http", "https"):
            raise UsageError(f"{url}: nothing can be written there")
        self._url = url
        self.folder = folder
        self.remote = RemoteFiles(url)
        self.stand_ins: set[str] = set()
        self.kept = False
        self._there: dict[str, tuple[int, ...]] = {}  # what is at the URL, by its state here

    def listed(self) -> list[RemoteFile]:
        """The files at the URL.

        Raises:
            ReadError: they cannot be listed.
            UsageError: the URL is that of a file.
        """
        try:
            listing = self.remote.files(sys.maxsize)
        except UsageError:  # nothing is there yet
            return []
        if listing.beside:
            raise UsageError(f"{self._url} is not a directory")
        return listing.files

    def stand_in(self, name: str) -> None:
        """Make an empty file for one at the URL, all with the same time."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
        self.stand_ins.add(name)

    def settle(self) -> None:
        """Take all files of the directory for those at the URL."""
        self._there = self._here()

    def new(self) -> list[str]:
        """The files of the directory that are not at the URL, or differ."""
        return [name for name, state in self._here().items() if self._there.get(name) != state]

    def put(self, names: Collection[str], last: Sequence[str] = ()) -> None:
        """Write some files to the URL: first all but `last`, then these in order.

        Raises:
            UsageError: one cannot be written.
        """
        here = self._here()
        first = [name for name in names if name not in last]
        with ThreadPoolExecutor(_UPLOADS if self.remote.is_bucket else 1) as pool:
            try:
                deque(pool.map(self.put_one, first), maxlen=0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for name in last:
            if name in names:
                self.put_one(name)
        self._there |= {name: here[name] for name in names}

    def put_one(self, name: str) -> None:
        """Write one file to the URL; raises `UsageError`."""
        try:
            self.remote.put(name, self.folder / name)
        except ReadError as error:
            raise UsageError(str(error)) from error

    def remove_gone(self) -> None:
        """Remove what is no longer in the directory; raises `ReadError`."""
        for name in self._there.keys() - self._here().keys():
            self.remote.remove(name)
            del self._there[name]

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """If an upload fails, keep what was written, and say where it is.

        Raises:
            UsageError, LockHeld: as raised, with the directory.
        """
        try:
            yield
        except (UsageError, LockHeld, ReadError) as error:
            self.kept = True
            for path in (self.folder / name for name in self.stand_ins):
                if path.is_file() and not path.stat().st_size:
                    path.unlink()
            said = f"{error}; what was written is kept in {self.folder}"
            raise (LockHeld if isinstance(error, LockHeld) else UsageError)(said) from error

    def _here(self) -> dict[str, tuple[int, ...]]:
        """Inode, time and size of the files of the directory but hidden ones, by path below it."""
        found: dict[str, tuple[int, ...]] = {}
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for path in (Path(folder, name) for name in names if not name.startswith(".")):
                with suppress(FileNotFoundError):  # a worker writes beside
                    status = path.stat()
                    state = (status.st_ino, status.st_mtime_ns, status.st_size)
                    found[path.relative_to(self.folder).as_posix()] = state
        return found
