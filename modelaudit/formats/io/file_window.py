"""A span of bytes on disk: a whole file, or a member that lies uncompressed in an archive."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.bounded import open_regular

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes `start` to `start + size` of the file at `path`, read without copying it.

    Attributes:
        path: the file that holds the bytes.
        start: offset of the first byte.
        size: number of bytes.
        file: name for messages, relative to the artefact's root.
        held: an unlinked temporary file that holds the bytes instead of `path` (inflated
            members); it lives as long as a window refers to it.
    """

    path: Path
    start: int
    size: int
    file: str
    held: BinaryIO | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of_file(cls, path: Path, file: str = "") -> Window:
        """The whole of a regular file.

        Raises:
            ReadError: `unreadable`.
        """
        with open_regular(path, file) as handle:
            return cls(path, 0, os.fstat(handle.fileno()).st_size, file or path.name)

    @property
    def plain(self) -> bool:
        """Whether it is a file by itself, from its first byte on."""
        return self.held is None and self.start == 0

    @contextmanager
    def opened(self) -> Iterator[WindowFile]:
        """The window as a read-only, seekable file of its own.

        Raises:
            ReadError: `unreadable`.
        """
        if self.held is not None:
            yield WindowFile(self.held.fileno(), self.start, self.size)
            return
        with open_regular(self.path, self.file) as handle:
            yield WindowFile(handle.fileno(), self.start, self.size)

    def pieces(self, offset: int, nbytes: int, max_bytes: int) -> Iterator[bytes]:
        """Bytes `offset` to `offset + nbytes` of the window, in pieces of `max_bytes`.

        Raises:
            ReadError: `tensor-unreadable` where the file ends before.
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
                    reason = "became shorter while it was read"
                    raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
                offset += wanted
                yield piece

    def head(self, nbytes: int, offset: int = 0) -> bytes:
        """Up to `nbytes` from `offset` on.

        Raises:
            ReadError: `unreadable`.
        """
        with self.opened() as handle:
            return handle.pread(nbytes, offset)


class WindowFile(io.RawIOBase):
    """Read-only file object over part of a descriptor, which it does not own.

    Reads by absolute position, so any number of them can share one descriptor.
    """

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._position = 0

    def pread(self, nbytes: int, offset: int) -> bytes:
        """Up to `nbytes` at `offset`; fewer at the end.

        Raises:
            ReadError: `unreadable`.
        """
        wanted = min(nbytes, self._size - offset)
        if wanted <= 0 or offset < 0:
            return b""
        try:
            return os.pread(self._descriptor, wanted, self._start + offset)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ReadError(ProblemKind.UNREADABLE, "", reason) from error

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Current position in the window."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; positions past the end are allowed and read as nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` from the current position; the number of bytes read."""
        view = memoryview(buffer).cast("B")
        piece = self.pread(len(view), self._position)
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)
