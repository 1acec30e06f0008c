"""Check of an HDF5 file's heaps before libhdf5 reads them.

Global heaps hold variable-length strings (Keras's configs and names), local heaps the names of
links. libhdf5 loops forever on a global heap whose free space has size 0, as in a zeroed block, and
on a local heap whose free list is circular. Layouts: HDF5 File Format Specification 3.0, sections
III.D and III.E.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from modelaudit.formats.io.file_window import FileWindow

_GLOBAL, _LOCAL = b"GCOL", b"HEAP"
_PAIRS = tuple(
    (kind, shift, int.from_bytes(kind[shift : shift + 2], "little"))
    for kind in (_GLOBAL, _LOCAL)
    for shift in (0, 1)
)
# Bits that all pairs share, and their values: one in 512 random pairs matches.
_ONES = functools.reduce(int.__and__, (pair for *_, pair in _PAIRS))
_COMMON = _ONES | (0xFFFF & ~functools.reduce(int.__or__, (pair for *_, pair in _PAIRS)))
_HEADER_BYTES = 16  # of a global heap, and of each object in it
_LOCAL_HEADER = struct.Struct("<4sB3sQQQ")  # …, size, offset of the free list, data address
_END = 1  # of a free list
_PIECE_BYTES = 1 << 20
_MOST_SUSPECTS = 16  # damaged heaps whose addresses are searched; more belong to no honest file
_SIZES = (9, 13)  # where a superblock has the size of addresses: from version 2 on, and before
_HEAP_BYTES = 1 << 26  # larger than any config or list of names within the limits


class Heaps(Struct, frozen=True):
    """Offsets of the first heaps that libhdf5 must not read; None if there is no such heap.

    Attributes:
        texts: offset of a damaged global heap (variable-length strings).
        names: offset of a damaged local heap (link names).
    """

    texts: int | None
    names: int | None


def damaged_heaps(window: FileWindow, base: int = 0) -> Heaps:
    """Check every heap.

    The whole file is searched: a heap can overlap with what a dataset declares as its data. In data
    there can also be another HDF5 file, whose local heaps look damaged because their addresses
    count from its start; this file does not refer to them.

    Args:
        window: the HDF5 file.
        base: base address of the file, the offset of its signature.
    """
    texts = names = None
    suspects = 0
    left = window.size  # heaps that are larger than the file in total overlap
    for kind, offset in _signatures(window):
        if kind == _GLOBAL and texts is None:
            size = _global_bytes(window, offset)
            left -= size or 0
            texts = offset if size is None or left < 0 else None
        if kind == _LOCAL and names is None:
            size = _local_bytes(window, offset, base)
            if size is None and suspects < _MOST_SUSPECTS:
                suspects += 1
                size = None if _is_referred(window, offset, base) else 0
            left -= size or 0
            names = offset if size is None or left < 0 else None
    return Heaps(texts, names)


def _is_referred(window: FileWindow, offset: int, base: int) -> bool:
    """Whether the file has the address of a local heap anywhere; its metadata are never packed."""
    if offset < base:
        return False
    width = _address_bytes(window, base)
    wanted = (offset - base).to_bytes(8, "little")[: width if 2 < width < 8 else 8]
    start = 0
    with window.opened() as handle:
        while piece := handle.pread(_PIECE_BYTES, start):
            if wanted in piece:
                return True
            start += max(len(piece) - len(wanted) + 1, 1)
    return False


def _address_bytes(window: FileWindow, base: int) -> int:
    """How many bytes an address in the file has; 0 if that cannot be read."""
    head = window.head(_SIZES[-1] + 1, base)
    return head[_SIZES[head[8] < 2]] if len(head) == _SIZES[-1] + 1 else 0


def _signatures(window: FileWindow) -> Iterator[tuple[bytes, int]]:
    """Both signatures, at any offset.

    Searching four bytes is slower than searching aligned pairs of bytes: the first two or the
    middle two bytes of a signature are always aligned. All four such pairs are searched at once,
    by the bits that they share.
    """
    start = 0
    shared = np.empty(_PIECE_BYTES // 2, "<u2")
    likely = np.empty(_PIECE_BYTES // 2, np.bool_)
    with window.opened() as handle:
        while piece := handle.pread(_PIECE_BYTES, start):
            pairs = np.frombuffer(piece, "<u2", len(piece) // 2)
            n = len(pairs)
            np.bitwise_and(pairs, _COMMON, out=shared[:n])
            candidates = np.flatnonzero(np.equal(shared[:n], _ONES, out=likely[:n]))
            for kind, shift, pair in _PAIRS:
                for index in candidates[pairs[candidates] == pair]:
                    at = 2 * int(index) - shift
                    if at >= 0 and piece.startswith(kind, at):
                        yield kind, start + at
            # Pieces overlap so that every signature is complete in exactly one of them.
            start += max(len(piece) - len(_GLOBAL) + 1, 1)


def _global_bytes(window: FileWindow, offset: int) -> int | None:
    """Size of the heap: 0 for no heap or one that libhdf5 rejects, None if it loops forever."""
    head = window.head(_HEADER_BYTES, offset)
    size = int.from_bytes(head[8:16], "little")
    if len(head) < _HEADER_BYTES or head[4] != 1 or size > window.size - offset:
        return 0
    if size > _HEAP_BYTES:
        return None
    heap = window.head(size, offset)
    position = _HEADER_BYTES
    while position + _HEADER_BYTES <= len(heap):
        index = int.from_bytes(heap[position : position + 2], "little")
        length = int.from_bytes(heap[position + 8 : position + 16], "little")
        step = _HEADER_BYTES + (length + 7) // 8 * 8 if index else length
        if step < _HEADER_BYTES or step >= 1 << 63:
            return None
        position += step
    return size


def _local_bytes(window: FileWindow, offset: int, base: int) -> int | None:
    """Like `_global_bytes`, for a local heap."""
    head = window.head(_LOCAL_HEADER.size, offset)
    if len(head) < _LOCAL_HEADER.size or head[4:8] != bytes(4):
        return 0
    *_, size, free, address = _LOCAL_HEADER.unpack(head)
    if size > window.size - base - address:
        return 0
    if size > _HEAP_BYTES:
        return None
    data = window.head(size, base + address)
    seen: set[int] = set()
    while free != _END and free + 16 <= len(data):
        if free in seen:
            return None
        seen.add(free)
        free = int.from_bytes(data[free : free + 8], "little")
    return len(data)
