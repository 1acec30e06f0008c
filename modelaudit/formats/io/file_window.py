"""A range of bytes on disk: a whole file, or an uncompressed member of an archive."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.bounded import open_regular
from modelaudit.structs import PartlyCompared, replace

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class FileWindow(PartlyCompared, frozen=True, eq=False):
    """Bytes `start` to `start + size` of the file at `path`, read in place.

    Attributes:
        path: the file that holds the bytes.
        start: offset of the first byte.
        size: number of bytes.
        file: file name for messages, relative to the artefact's root.
        held: an unlinked temporary file that holds the bytes instead of `path` (decompressed
            members). It is closed and deleted with the last window that refers to it.
    """

    aside = ("held",)
    path: Path
    start: int
    size: int
    file: str
    held: BinaryIO | None = None

    @classmethod
    def of_file(cls, path: Path, file: str = "") -> FileWindow:
        """Window over a whole regular file.

        Raises:
            ReadError: `unreadable`.
        """
        with open_regular(path, file) as handle:
            return cls(path, 0, os.fstat(handle.fileno()).st_size, file or path.name)

    @property
    def plain(self) -> bool:
        """Whether the window starts at the first byte of the file at `path`."""
        return self.held is None and self.start == 0

    @contextmanager
    def opened(self) -> Iterator[WindowFile]:
        """Open the window as a read-only, seekable file object.

        Raises:
            ReadError: `unreadable`.
        """
        if self.held is not None:
            yield WindowFile(self.held.fileno(), self.start, self.size)
            return
        with open_regular(self.path, self.file) as handle:
            yield WindowFile(handle.fileno(), self.start, self.size)

    @contextmanager
    def kept_open(self) -> Iterator[FileWindow]:
        """The window for many small reads, for which the file is opened once.

        Raises:
            ReadError: `unreadable`.
        """
        if self.held is not None:
            yield self
            return
        with open_regular(self.path, self.file) as handle:
            yield replace(self, held=handle)

    def pieces(self, offset: int, nbytes: int, max_bytes: int) -> Iterator[bytes]:
        """Yield bytes `offset` to `offset + nbytes` of the window, at most `max_bytes` at a time.

        Raises:
            ReadError: `tensor-unreadable` if the file ends before `offset + nbytes`.
        """
        end = offset + nbytes
        if end > self.size:
            reason = f"ends at byte {self.size}, needed up to {end}"
            raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
        with self.opened() as handle:
            while offset < end:
                wanted = min(max_bytes, end - offset)
                piece = handle.pread(wanted, offset)
                if len(piece) != wanted:
                    reason = "was truncated while being read"
                    raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
                offset += wanted
                yield piece

    def head(self, nbytes: int, offset: int = 0) -> bytes:
        """Read at most `nbytes` bytes at `offset`.

        Raises:
            ReadError: `unreadable`.
        """
        if self.held is not None:
            return _read_at(self.held.fileno(), self.start, self.size, nbytes, offset)
        with open_regular(self.path, self.file) as handle:
            return _read_at(handle.fileno(), self.start, self.size, nbytes, offset)


def _read_at(descriptor: int, start: int, size: int, nbytes: int, offset: int) -> bytes:
    """Read at `offset` of the `size` bytes at `start`; fewer than `nbytes` at their end."""
    wanted = min(nbytes, size - offset)
    if wanted <= 0 or offset < 0:
        return b""
    try:
        return os.pread(descriptor, wanted, start + offset)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReadError(ProblemKind.UNREADABLE, "", reason) from error


class WindowFile(io.RawIOBase):
    """Read-only file object over part of a file descriptor, which it does not close.

    It reads at absolute positions, so several objects can share one descriptor.
    """

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._position = 0

    def pread(self, nbytes: int, offset: int) -> bytes:
        """Read at most `nbytes` bytes at `offset`; fewer at the end of the window.

        Raises:
            ReadError: `unreadable`.
        """
        return _read_at(self._descriptor, self._start, self._size, nbytes, offset)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Current position, from the start of the window."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position; reads past the end return no bytes."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into `buffer` at the current position; return the number of bytes read."""
        view = memoryview(buffer).cast("B")
        piece = self.pread(len(view), self._position)
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)
