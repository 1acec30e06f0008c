"""Detection of programs and pickles in attributes and numeric datasets of an HDF5 file.

Keras writes neither, and libhdf5 returns both without a check.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.executables import HEAD_BYTES, executable_in_base64, executable_in_numbers
from modelaudit.formats.hdf5.attributes import Attribute
from modelaudit.formats.hdf5.link_walk import DatasetEntry
from modelaudit.formats.hdf5.open_file import HDF5_ERRORS
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import StoredArray

_SMALL_BYTES = 1 << 20  # maximum size of a chunked dataset that is decoded for this check
_SHORTEST = 8


def executables_in_attributes(
    attributes: Sequence[Attribute], window: FileWindow
) -> Iterator[Problem]:
    """One problem per attribute with a program; evidence: `hdf5` = program, `program`, `head`."""
    for each in attributes:
        for name, data in each.parts:
            where = each.where + name
            what = executable_in_numbers(data[:HEAD_BYTES], len(data), data[-1:])
            if what := what or executable_in_base64(data):
                yield _problem(window, where, f"attribute {where}", what, data)
                break


def executable_in_dataset(
    found: DatasetEntry, source: StoredArray, window: FileWindow
) -> Problem | None:
    """The problem of a dataset whose elements start with a program, evidence as above.

    For datasets that are not contiguous, the first chunks are decoded if small or of bytes.
    """
    size = math.prod(found.shape) * found.kind.itemsize
    if not found.kind.numeric or size < _SHORTEST:
        return None
    try:
        last = b""
        if found.offset is not None:
            head = window.head(min(size, HEAD_BYTES), found.offset)
            last = window.head(1, found.offset + size - 1)
        elif found.kind.itemsize == 1 or size <= _SMALL_BYTES:
            head = b"".join(bytes(piece) for piece in islice(source.raw(HEAD_BYTES), 1))
        else:
            return None
    except (ReadError, *HDF5_ERRORS):
        return None  # reported when the values are read
    what = executable_in_numbers(head[:HEAD_BYTES], size, last)
    return _problem(window, found.route, f"dataset {found.route}", what, head) if what else None


def _problem(window: FileWindow, route: str, name: str, what: str, data: bytes) -> Problem:
    head = data[:HEAD_BYTES].hex()
    evidence: dict[str, Json] = {"hdf5": "program", "program": what, "head": head}
    return Problem(ProblemKind.OTHER, window.file, f"{name} contains {what}", route, evidence)
