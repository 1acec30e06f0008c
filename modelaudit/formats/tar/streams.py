"""Compressed files as bounded streams: gzip, bzip2, xz and Zstandard, told by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.bounded import open_regular
from modelaudit.settings import Limits

if TYPE_CHECKING:
    from modelaudit.formats.tar.members import ByteStream

GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
COMPRESSED = (GZIP, BZIP2, XZ, ZSTD)

_DICTIONARY = 128 << 20  # the most memory that a decompressor may take for its window
_PIECE = 1 << 16
_ZSTANDARD_PIECE = 1 << 10  # becomes at most 32 MiB: four bytes may stand for a block of 128 KiB
# Ratios of smaller contents are ignored: an archive of one small file is mostly padding.
_RATIO_FLOOR = 16 << 20


class BoundedStream:
    """Decompressed bytes, up to the limits on their number and on the ratio of compression.

    Args:
        inner: gives the decompressed bytes.
        path: the file.
        limits: `archive_bytes` and `archive_ratio`.
    """

    def __init__(self, inner: ByteStream, path: Path, limits: Limits) -> None:
        self._inner = inner
        self._file = path.name
        self._stored = max(path.stat().st_size, 1)
        self._limits = limits
        self._total = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end.

        Raises:
            ReadError: the data cannot be decompressed.
            LimitExceeded: there are more bytes than allowed.
        """
        try:
            piece = self._inner.read(size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            reason = f"cannot be decompressed: {error}"
            raise ReadError(ProblemKind.CORRUPT, self._file, reason) from error
        self._total += len(piece)
        limits, ratio = self._limits, self._total / self._stored
        if self._total > limits.archive_bytes:
            raise LimitExceeded(
                *(self._file, "archive bytes", self._total, limits.archive_bytes, "archive_bytes")
            )
        if self._total > _RATIO_FLOOR and ratio > limits.archive_ratio:
            raise LimitExceeded(
                *(self._file, "compression ratio", ratio, limits.archive_ratio, "archive_ratio")
            )
        return piece


class _XzStream(io.RawIOBase):
    """One xz file, decompressed within a bound on memory, which `lzma.open` lacks."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY)

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        while not self._decompressor.eof:
            data = self._raw.read(_PIECE) if self._decompressor.needs_input else b""
            if not data and self._decompressor.needs_input:
                raise EOFError("the compressed data end too early")
            piece = self._decompressor.decompress(data, size)
            if piece:
                return piece
        return b""


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[BoundedStream]:
    """The file's bytes, decompressed if it is compressed.

    Raises:
        ReadError: it cannot be opened, or nothing installed decompresses it.
    """
    with ExitStack() as stack:
        raw = stack.enter_context(open_regular(path))
        head = raw.read(len(XZ)) or b""
        raw.seek(0)
        inner: ByteStream = raw
        if head.startswith(GZIP):
            inner = stack.enter_context(gzip.GzipFile(fileobj=raw))
        elif head.startswith(BZIP2):
            inner = stack.enter_context(bz2.BZ2File(raw))
        elif head.startswith(XZ):
            inner = _XzStream(raw)
        elif head.startswith(ZSTD):
            inner = _ZstandardStream(raw, path)
        yield BoundedStream(inner, path, limits)


class _ZstandardStream:
    """The frames of a Zstandard file; the library's own reader takes half a frame for its end."""

    def __init__(self, raw: BinaryIO, path: Path) -> None:
        try:
            import zstandard
        except ImportError as error:
            reason = "is compressed by Zstandard: install tf-modelaudit[zstd] to look into it"
            raise ReadError(ProblemKind.UNSUPPORTED, path.name, reason) from error
        self._raw = raw
        self._context = zstandard.ZstdDecompressor(max_window_size=_DICTIONARY)
        self._frame = self._context.decompressobj()
        self._error: type[Exception] = zstandard.ZstdError
        self._inside = False
        self._data = b""
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        while not self._ready:
            if self._frame.eof:
                self._data, self._inside = self._frame.unused_data, False
                self._frame = self._context.decompressobj()
            self._data = self._data or self._raw.read(_ZSTANDARD_PIECE)
            if not self._data:
                if self._inside:
                    raise EOFError("the compressed data end too early")
                return b""
            try:
                self._ready, self._inside = self._frame.decompress(self._data), True
            except self._error as error:
                raise ValueError(str(error)) from error
            self._data = b""
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece
