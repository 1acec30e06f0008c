"""Bounded, piecewise decompression of archive members, for all methods that Python's zipfile reads.

Keras writes only stored and deflated members, but it loads all of these methods.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.zip.directory import DEFLATED, STORED

PIECE_BYTES = 1 << 20
BZIP2, LZMA = 12, 14
READABLE = frozenset({STORED, DEFLATED, BZIP2, LZMA})

_LZMA_HEADER = 9  # two bytes of version, two of length, five of properties
_DICTIONARY = 64 << 20  # maximum size of an LZMA dictionary, which the decompressor allocates


class _Decompressor(Protocol):
    """The common interface of the `bz2` and `lzma` decompressors."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def unpacked(method: int, pieces: Iterator[bytes], file: str) -> Iterator[bytes]:
    """Yield the decompressed data, at most `PIECE_BYTES` at a time unless it is stored.

    Args:
        method: one of `READABLE`.
        pieces: the stored data.
        file: file name for errors.

    Raises:
        ReadError: `corrupt`.
        LimitExceeded: decompression would need too much memory.
    """
    try:
        if method == STORED:
            yield from pieces
        elif method == DEFLATED:
            yield from _inflated(pieces)
        elif method == BZIP2:
            yield from _decompressed(bz2.BZ2Decompressor(), pieces)
        else:
            yield from _unpacked_lzma(pieces, file)
    except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        raise ReadError(ProblemKind.CORRUPT, file, f"cannot be decompressed: {error}") from error


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in pieces:
        rest = piece
        while rest:
            yield inflater.decompress(rest, PIECE_BYTES)
            rest = inflater.unconsumed_tail
    yield inflater.flush()


def _unpacked_lzma(pieces: Iterator[bytes], file: str) -> Iterator[bytes]:
    head = b""
    while len(head) < _LZMA_HEADER and (piece := next(pieces, b"")):
        head += piece
    settings, dictionary = head[4:5], int.from_bytes(head[5:_LZMA_HEADER], "little")
    if len(head) < _LZMA_HEADER or head[2:4] != b"\x05\x00" or settings[0] >= 9 * 5 * 5:
        raise ReadError(ProblemKind.CORRUPT, file, "cannot be decompressed: no LZMA properties")
    if dictionary > _DICTIONARY:
        raise LimitExceeded(file, "LZMA dictionary bytes", dictionary, _DICTIONARY)
    rest, literal = divmod(settings[0], 9)
    position, low = divmod(rest, 5)
    chain = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(dictionary, 1 << 12),
        "lc": literal,
        "lp": low,
        "pb": position,
    }
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain])
    yield from _decompressed(decompressor, _behind(head[_LZMA_HEADER:], pieces))


def _behind(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _decompressed(decompressor: _Decompressor, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        rest = piece
        while not decompressor.eof and (rest or not decompressor.needs_input):
            yield decompressor.decompress(rest, PIECE_BYTES)
            rest = b""
