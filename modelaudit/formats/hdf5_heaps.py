"""A look at an HDF5 file's global heaps before libhdf5 walks them.

Texts of variable length (Keras's configs and names) lie in these heaps. libhdf5 never comes back
from a heap whose free space claims to be 0 bytes long, which is what a zeroed block looks like.
Layout: HDF5 File Format Specification 3.0, section III.E.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelaudit.formats.window import Window

_SIGNATURE = b"GCOL"
_HEADER_BYTES = 16  # of a heap, and of each object in it
_PIECE_BYTES = 1 << 20
_HEAP_BYTES = 1 << 26


def damaged_heap(window: Window, data: Iterable[tuple[int, int]]) -> int | None:
    """Offset of the first global heap that libhdf5 must not see; None if all are well.

    Args:
        window: the HDF5 file.
        data: (offset, bytes) of contiguous datasets, which hold no heaps and are skipped.
    """
    for start, end in _gaps(data, window.size):
        for offset in _signatures(window, start, end):
            if not _well_formed(window, offset):
                return offset
    return None


def _gaps(data: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    position = 0
    for offset, nbytes in sorted(data):
        if offset > position:
            yield position, min(offset, size)
        position = max(position, offset + nbytes)
    if position < size:
        yield position, size


def _signatures(window: Window, start: int, end: int) -> Iterator[int]:
    while start < end:
        # Pieces overlap, so that no signature is cut in two.
        piece = window.head(min(_PIECE_BYTES, end - start), start)
        at = piece.find(_SIGNATURE)
        while at >= 0:
            yield start + at
            at = piece.find(_SIGNATURE, at + 1)
        start += max(len(piece) - len(_SIGNATURE) + 1, 1)


def _well_formed(window: Window, offset: int) -> bool:
    head = window.head(_HEADER_BYTES, offset)
    size = int.from_bytes(head[8:16], "little")
    if len(head) < _HEADER_BYTES or head[4] != 1 or size > _HEAP_BYTES:
        return True  # no heap, or one that libhdf5 refuses by itself
    heap = window.head(size, offset)
    position = _HEADER_BYTES
    while position + _HEADER_BYTES <= len(heap):
        index = int.from_bytes(heap[position : position + 2], "little")
        length = int.from_bytes(heap[position + 8 : position + 16], "little")
        step = _HEADER_BYTES + (length + 7) // 8 * 8 if index else length
        if step < _HEADER_BYTES or step >= 1 << 63:
            return False
        position += step
    return True
