"""Reader of sorted string tables, the container format of a checkpoint's `.index` file.

The layout is LevelDB's: data blocks of prefix-compressed entries, an index block with their
offsets, and a footer with a magic number. Every block has a masked CRC-32C and may be compressed
with Snappy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cramjam
import google_crc32c

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.graph import wire
from modelaudit.formats.io.density import ENTRIES, LONGEST_NAME, NAME_BYTES
from modelaudit.settings import Limits

MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # compression type, checksum
_MASK_DELTA = 0xA282EAD8
_RAW, _SNAPPY = 0, 1


def masked(crc: int) -> int:
    """A CRC-32C in its stored form: rotated right by 15 bits, plus a constant."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def varint(data: bytes | memoryview, position: int, file: str) -> tuple[int, int]:
    """Read a little-endian base-128 number of at most 64 bits; return it and the next position.

    Raises:
        ReadError: `corrupt` if the number is truncated or too long.
    """
    try:
        return wire.varint(data, position)
    except wire.WireError:
        raise ReadError(ProblemKind.CORRUPT, file, f"malformed number at byte {position}") from None


def read_table(data: bytes, file: str, limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of all entries, in stored order.

    Args:
        data: the whole table.
        file: file name for errors.
        limits: `config_bytes` limits the decompressed size of all blocks, `tensors` the number of
            entries.

    Raises:
        ReadError: `empty`, `truncated`, `crc-mismatch` or `corrupt`.
        LimitExceeded: more bytes or entries than allowed.
    """
    if not data:
        raise ReadError(ProblemKind.EMPTY, file, "0 bytes")
    footer = data[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        reason = "does not end with a table footer: truncated, or not a checkpoint index"
        raise ReadError(ProblemKind.TRUNCATED, file, reason)
    _, position = _handle(footer, 0, file)  # the meta-index is not needed
    index_handle, _ = _handle(footer, position, file)
    budget = limits.config_bytes
    count = named = 0
    most, setting = ENTRIES.most(len(data), limits)
    most_named, by = NAME_BYTES.most(len(data), limits)
    for _, value in _entries(_block(data, index_handle, file, budget), file):
        block = _block(data, _handle(value, 0, file)[0], file, budget)
        budget -= len(block)
        for entry in _entries(block, file):
            count += 1
            if count > most:
                raise LimitExceeded(file, "table entries", count, most, setting)
            named += len(entry[0])  # keys share prefixes, which are stored once
            if named > most_named:
                raise LimitExceeded(file, NAME_BYTES.what, named, most_named, by)
            yield entry


def _handle(data: bytes, position: int, file: str) -> tuple[tuple[int, int], int]:
    offset, position = varint(data, position, file)
    size, position = varint(data, position, file)
    return (offset, size), position


def _block(data: bytes, handle: tuple[int, int], file: str, max_bytes: int) -> bytes:
    offset, size = handle
    end = offset + size
    if end + _TRAILER_BYTES > len(data):
        reason = f"a block ends at byte {end}, the file at {len(data)}"
        raise ReadError(ProblemKind.TRUNCATED, file, reason)
    kind, stored = data[end], struct.unpack_from("<I", data, end + 1)[0]
    if masked(google_crc32c.value(data[offset : end + 1])) != stored:
        raise ReadError(ProblemKind.CRC_MISMATCH, file, f"CRC-32C of the block at byte {offset}")
    body = data[offset:end]
    if kind == _SNAPPY:
        return _unsnapped(body, file, max_bytes)
    if kind != _RAW:
        reason = f"the block at byte {offset} has unknown compression type {kind}"
        raise ReadError(ProblemKind.UNSUPPORTED, file, reason)
    if size > max_bytes:
        raise LimitExceeded(file, "table bytes", size, max_bytes, "config_bytes")
    return body


def _unsnapped(body: bytes, file: str, max_bytes: int) -> bytes:
    size, _ = varint(body, 0, file)  # Snappy data start with the decompressed size
    if size > max_bytes:
        raise LimitExceeded(file, "table bytes", size, max_bytes, "config_bytes")
    try:
        return bytes(cramjam.snappy.decompress_raw(body, output_len=size))
    except cramjam.DecompressionError as error:
        raise ReadError(ProblemKind.CORRUPT, file, f"Snappy block: {error}") from error


def _entries(block: bytes, file: str) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block; each key shares a prefix with the previous one.

    The restart points at the end of the block are for binary search and are ignored.
    """
    if len(block) < 4:
        raise ReadError(ProblemKind.CORRUPT, file, "a block is too short for its restart count")
    restarts = struct.unpack("<I", block[-4:])[0]
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise ReadError(ProblemKind.CORRUPT, file, f"a block declares {restarts} restart points")
    position, key = 0, b""
    while position < end:
        shared, position = varint(block, position, file)
        own, position = varint(block, position, file)
        size, position = varint(block, position, file)
        if shared > len(key) or position + own + size > end:
            raise ReadError(ProblemKind.CORRUPT, file, "an entry extends past its block")
        if shared + own > LONGEST_NAME:
            raise LimitExceeded(file, "key bytes", shared + own, LONGEST_NAME)
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + size]
        position += size
