"""Detection of decompression bombs: in a single chunk, or over many datasets."""

from __future__ import annotations

import math
import zlib

import h5py

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.hdf5.link_walk import DatasetEntry, LinkedObjects
from modelaudit.settings import Limits

_TOGETHER = 1 << 30  # decoded bytes of all datasets below which the ratio does not matter
_PIECE_BYTES = 1 << 18
_SLACK = 64  # checksums of other filters
_STORED_SLACK = 1.01  # deflate enlarges incompressible data by less than this factor


def bomb_in_chunk(opened: h5py.File, found: DatasetEntry, file: str) -> Problem | None:
    """The problem of a chunk that inflates to more than its size; libhdf5 has no bound for this.

    Args:
        opened: the file that contains the dataset.
        found: the dataset.
        file: file name for the problem.

    Raises:
        One of `open_file.HDF5_ERRORS`: the chunk index is damaged.
    """
    if found.chunks is None:
        return None
    chunk = _overfull_chunk(h5py.h5d.open(opened.id, found.path), found.chunks, found.kind.itemsize)
    if chunk is None:
        return None
    evidence: dict[str, Json] = {"hdf5": "ratio", "chunk": list(chunk)}
    detail = f"the chunk at {list(chunk)} inflates to more than the chunk size; not read"
    return Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, found.route, evidence)


def bomb_in_total(contents: LinkedObjects, file: str, limits: Limits) -> Problem | None:
    """The problem of chunked datasets that decode to a huge size in total."""
    declared = stored = 0
    for found in contents.datasets:
        if found.unreadable is None and found.chunks is not None:
            size = math.prod(found.shape) * found.kind.itemsize
            declared, stored = declared + max(size, found.stored), stored + found.stored
    if declared <= _TOGETHER or declared <= limits.hdf5_ratio * stored:
        return None
    ratio = round(declared / max(stored, 1), 1)
    evidence: dict[str, Json] = {
        "hdf5": "ratio",
        "declared": declared,
        "stored": stored,
        "measured": ratio,
        "threshold": limits.hdf5_ratio,
    }
    detail = f"all compressed datasets would decode from {stored:,} bytes to {declared:,} in total"
    detail += "; not read (setting hdf5_ratio)"
    return Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, evidence=evidence)


def _overfull_chunk(
    dataset: h5py.h5d.DatasetID, shape: tuple[int, ...], itemsize: int
) -> tuple[int, ...] | None:
    """Offset of the first deflated chunk that holds more bytes than a chunk has elements for.

    Each chunk is inflated up to that size. None if no chunk exceeds it or deflate is not used.
    """
    plist = dataset.get_create_plist()
    filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
    if h5py.h5z.FILTER_DEFLATE not in filters:
        return None
    most = math.prod(shape) * itemsize + _SLACK
    passed_over = 1 << filters.index(h5py.h5z.FILTER_DEFLATE)
    chunks: list[tuple[tuple[int, ...], int, int]] = []
    dataset.chunk_iter(lambda info: chunks.append((info.chunk_offset, info.filter_mask, info.size)))
    for offset, mask, stored in chunks:
        if stored > most * _STORED_SLACK + _SLACK:
            return offset
        if mask & passed_over:
            continue
        try:
            if _inflates_beyond(dataset.read_direct_chunk(offset)[1], most):
                return offset
        except zlib.error:
            continue  # libhdf5 reports this when the data are read
    return None


def _inflates_beyond(data: bytes, most: int) -> bool:
    """Whether the deflated `data` hold more than `most` bytes; keeps one piece in memory.

    Raises:
        zlib.error: they are damaged.
    """
    inflater = zlib.decompressobj()
    size = 0
    for start in range(0, len(data), _PIECE_BYTES):
        rest = data[start : start + _PIECE_BYTES]
        while piece := inflater.decompress(rest, _PIECE_BYTES):
            size += len(piece)
            if size > most:
                return True
            rest = inflater.unconsumed_tail
        if inflater.eof:  # it would keep all that follows
            break
    return False
