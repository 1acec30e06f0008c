"""Programs and pickles in an HDF5 file: in attributes, and where numbers belong.

Keras writes neither, and libhdf5 hands both out without a question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import h5py
import numpy as np

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.hdf5_file import HDF5_ERRORS, attribute_names
from modelaudit.formats.hdf5_guard import Contents, Found
from modelaudit.formats.programs import HEAD_BYTES, program_among_numbers, program_in_base64
from modelaudit.formats.tensors import StoredArray
from modelaudit.formats.window import Window

_ATTRIBUTE_BYTES = 1 << 20
_SHORTEST = 8


def programs_in_attributes(
    contents: Contents, window: Window, own: frozenset[str], *, texts: bool
) -> Iterator[Problem]:
    """A remark on each program; evidence has `hdf5` = program, `program` and `head`.

    Args:
        contents: what the walk over the file found.
        window: the file.
        own: names of attributes that hold Keras's texts and are read elsewhere.
        texts: whether texts of variable length may be read, see `hdf5_heaps`.
    """
    things = [*contents.groups.items(), *((f.route, f.dataset) for f in contents.datasets)]
    for route, thing in things:
        for name in attribute_names(thing):
            if name not in own:
                data = _attribute(thing, name, texts)
                what = program_among_numbers(data[:HEAD_BYTES], len(data), data[-1:])
                what = what or program_in_base64(data)
                if what:
                    where = f"{route}@{name}"
                    yield _problem(window, where, f"attribute {where}", what, data)


def program_in_dataset(found: Found, source: StoredArray, window: Window) -> Problem | None:
    """A remark as above where a dataset's numbers are a program.

    Of those that are not in one piece the first chunks are decoded, if they are of bytes or small.
    """
    size = math.prod(found.shape) * found.kind.itemsize
    if not found.kind.numeric or size < _SHORTEST:
        return None
    try:
        offset = found.dataset.id.get_offset()
        last = b""
        if offset is not None:
            head = window.head(min(size, HEAD_BYTES), int(offset))
            last = window.head(1, int(offset) + size - 1)
        elif found.kind.itemsize == 1 or size <= _ATTRIBUTE_BYTES:
            head = b"".join(bytes(piece) for piece in islice(source.raw(HEAD_BYTES), 1))
        else:
            return None
    except (ReadError, *HDF5_ERRORS):
        return None  # reading the values says what is wrong
    what = program_among_numbers(head[:HEAD_BYTES], size, last)
    return _problem(window, found.route, f"dataset {found.route}", what, head) if what else None


def _problem(window: Window, route: str, name: str, what: str, data: bytes) -> Problem:
    head = data[:HEAD_BYTES].hex()
    evidence: dict[str, Json] = {"hdf5": "program", "program": what, "head": head}
    return Problem(ProblemKind.OTHER, window.file, f"{name} holds {what}", route, evidence)


def _attribute(thing: h5py.Group | h5py.Dataset, name: str, texts: bool) -> bytes:
    """The bytes of an attribute that can be a program; none where it is too large or no bytes."""
    try:
        stored = h5py.h5a.open(thing.id, name.encode("utf-8", "surrogateescape"))
        kind = stored.get_type()
        family = kind.get_class()
        if not _SHORTEST <= stored.get_storage_size() <= _ATTRIBUTE_BYTES:
            return b""
        if family == h5py.h5t.STRING and kind.is_variable_str():
            return _text(thing.attrs[name]) if texts else b""
        if family in {h5py.h5t.STRING, h5py.h5t.OPAQUE, h5py.h5t.INTEGER}:
            values = np.empty(stored.shape, stored.dtype)
            stored.read(values)
            data = values.tobytes()
            return data.rstrip(b"\0") if family == h5py.h5t.STRING else data
    except HDF5_ERRORS:
        return b""
    return b""


def _text(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return value if isinstance(value, bytes) else b""
