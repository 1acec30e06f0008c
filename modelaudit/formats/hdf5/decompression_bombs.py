"""Compressed data that decode to more than a file should, in one chunk or in many datasets."""

from __future__ import annotations

import math
import zlib

import h5py

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.hdf5.link_walk import Contents, Found
from modelaudit.settings import Limits

_TOGETHER = 1 << 30  # decoded bytes of all datasets that are worth a look at their ratio
_SLACK = 64  # checksums of other filters
_STORED_SLACK = 1.01  # deflate never makes data larger than by this factor and a little


def bomb_in_chunk(found: Found, file: str) -> Problem | None:
    """What is wrong where a chunk inflates to more than a chunk: libhdf5 lets its buffer grow.

    Raises:
        One of `hdf5_file.HDF5_ERRORS`: the index of chunks is damaged.
    """
    chunk = _overfull_chunk(found.dataset, found.kind.itemsize)
    if chunk is None:
        return None
    evidence: dict[str, Json] = {"hdf5": "ratio", "chunk": list(chunk)}
    detail = f"the chunk at {list(chunk)} inflates to more than a chunk; not read"
    return Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, found.route, evidence)


def bomb_of_many(contents: Contents, file: str, limits: Limits) -> Problem | None:
    """What is wrong where chunked datasets, each small enough, decode to something huge."""
    declared = stored = 0
    for found in contents.datasets:
        if found.unreadable is None and found.dataset.chunks is not None:
            size = math.prod(found.shape) * found.kind.itemsize
            kept = int(found.dataset.id.get_storage_size())
            declared, stored = declared + max(size, kept), stored + kept
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
    detail = f"all compressed datasets together would decode from {stored:,} bytes to {declared:,}"
    detail += "; not read (setting hdf5_ratio)"
    return Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, evidence=evidence)


def _overfull_chunk(dataset: h5py.Dataset, itemsize: int) -> tuple[int, ...] | None:
    """Offset of the first deflated chunk that holds more than its share of elements.

    Every chunk is inflated up to that size; None where all keep to it or nothing is deflated.
    """
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
    if h5py.h5z.FILTER_DEFLATE not in filters or dataset.chunks is None:
        return None
    most = math.prod(dataset.chunks) * itemsize + _SLACK
    passed_over = 1 << filters.index(h5py.h5z.FILTER_DEFLATE)
    chunks: list[tuple[tuple[int, ...], int, int]] = []
    dataset.id.chunk_iter(
        lambda info: chunks.append((info.chunk_offset, info.filter_mask, info.size))
    )
    for offset, mask, stored in chunks:
        if stored > most * _STORED_SLACK + _SLACK:
            return offset
        if mask & passed_over:
            continue
        inflater = zlib.decompressobj()
        try:
            if len(inflater.decompress(dataset.id.read_direct_chunk(offset)[1], most + 1)) > most:
                return offset
        except zlib.error:
            continue  # libhdf5 says so when the data are read
    return None
