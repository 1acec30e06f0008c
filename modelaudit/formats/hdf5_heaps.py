"""A look at an HDF5 file's global heaps before libhdf5 walks them.

Texts of variable length (Keras's configs and names) lie in these heaps. libhdf5 never comes back
from a heap whose free space claims to be 0 bytes long, which is what a zeroed block looks like.
Layout: HDF5 File Format Specification 3.0, section III.E.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.formats.window import Window

_SIGNATURE = b"GCOL"
_HEADER_BYTES = 16  # of a heap, and of each object in it
_PIECE_BYTES = 1 << 20
_HEAP_BYTES = 1 << 26


def damaged_heap(window: Window) -> int | None:
    """Offset of the first global heap that libhdf5 must not see; None if all are well.

    All of the file is looked at: a heap can lie in what a dataset claims as its data.
    """
    for offset in _signatures(window):
        if not _well_formed(window, offset):
            return offset
    return None


def _signatures(window: Window) -> Iterator[int]:
    start = 0
    while start < window.size:
        # Pieces overlap, so that no signature is cut in two.
        piece = window.head(_PIECE_BYTES, start)
        at = piece.find(_SIGNATURE)
        while at >= 0:
            yield start + at
            at = piece.find(_SIGNATURE, at + 1)
        start += max(len(piece) - len(_SIGNATURE) + 1, 1)


def _well_formed(window: Window, offset: int) -> bool:
    head = window.head(_HEADER_BYTES, offset)
    size = int.from_bytes(head[8:16], "little")
    if len(head) < _HEADER_BYTES or head[4] != 1 or size > window.size - offset:
        return True  # no heap, or one that libhdf5 refuses by itself
    if size > _HEAP_BYTES:
        return False  # larger than any config that would be read from it
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
