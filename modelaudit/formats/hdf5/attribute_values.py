"""Splitting the value of an HDF5 attribute into the byte strings that a program could read."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.hdf5.open_file import text_of

SHORTEST = 8
"""Minimum size of a program or a config, in bytes."""

_IN_SEQUENCES = frozenset((h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.REFERENCE))
# An encoded datatype is two bytes, then the datatype message (HDF5 File Format Specification 3.0,
# section IV.A.2.d): class and version, then the bits for sequence (0) or string (1).
_FORM_BYTE = 3
_PIECES = frozenset((h5py.h5t.STRING, h5py.h5t.OPAQUE))  # types whose elements are split

Rows = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def in_heap(kind: h5py.h5t.TypeID) -> bool:
    """Whether values of a type have variable length, and are therefore stored in a heap.

    Raises:
        ReadError: `unsupported` for sequences of anything but numbers, fixed-size strings and
            references; `corrupt` for a variable-length type that is neither a sequence nor a
            string, which crashes libhdf5.
    """
    family = kind.get_class()
    if family == h5py.h5t.STRING:
        return bool(kind.is_variable_str())
    if family == h5py.h5t.VLEN:
        if kind.encode()[_FORM_BYTE] & 0x0F:
            raise ReadError(ProblemKind.CORRUPT, "", "its type is damaged")
        inner = kind.get_super()
        if inner.get_class() not in _IN_SEQUENCES or in_heap(inner):
            reason = "variable-length sequences of a non-numeric type"
            raise ReadError(ProblemKind.UNSUPPORTED, "", reason)
        return True
    if family == h5py.h5t.ARRAY:
        return in_heap(kind.get_super())
    if family == h5py.h5t.COMPOUND:
        members = [kind.get_member_type(each) for each in range(kind.get_nmembers())]
        return sum(map(in_heap, members)) > 0  # not `any`: every member must be checked
    return False


def parts_of_rows(kind: h5py.h5t.TypeID, rows: Rows) -> Iterator[tuple[str, bytes]]:
    """Split elements of fixed size; each part has a label: `[1]`, `.member`, or "".

    Numbers form one part together; each string, opaque value and array is a part of its own. A
    compound value yields all its bytes, and then each member.

    Args:
        kind: element type.
        rows: uint8, (elements, bytes per element).
    """
    family = kind.get_class()
    size = rows.shape[1]
    if family == h5py.h5t.COMPOUND:
        yield "", rows.tobytes()
        for member in range(kind.get_nmembers()):
            inner = kind.get_member_type(member)
            start = kind.get_member_offset(member)
            name = text_of(kind.get_member_name(member))
            for part, data in parts_of_rows(inner, rows[:, start : start + inner.get_size()]):
                yield f".{name}{part}", data
        return
    if family == h5py.h5t.ARRAY:
        inner = kind.get_super()
        if inner.get_class() in _PIECES or inner.get_class() in {h5py.h5t.COMPOUND, family}:
            yield from parts_of_rows(inner, rows.reshape(-1, inner.get_size()))
            return
    alone = family in _PIECES or family == h5py.h5t.ARRAY
    if len(rows) == 1 or size < SHORTEST or not alone:
        yield "", _trimmed(family, rows.tobytes())
        return
    for number, row in enumerate(rows):
        yield f"[{number}]", _trimmed(family, row.tobytes())


def _trimmed(family: int, data: bytes) -> bytes:
    return data.rstrip(b"\0") if family == h5py.h5t.STRING else data


def parts_of_heap(values: object) -> Iterator[tuple[str, bytes]]:
    """Like `parts_of_rows`, for values that h5py has read: variable-length strings and arrays."""
    if isinstance(values, bytes):
        yield "", values
    elif isinstance(values, np.void) and values.dtype.names:
        for name in values.dtype.names:
            yield from ((f".{name}{part}", data) for part, data in parts_of_heap(values[name]))
    elif isinstance(values, np.ndarray) and (values.dtype.hasobject or values.dtype.names):
        for number, value in enumerate(values.flat):
            label = f"[{number}]" if values.size > 1 else ""
            yield from ((label + part, data) for part, data in parts_of_heap(value))
    elif isinstance(values, np.ndarray | np.generic):
        yield "", values.tobytes()
    # Anything else is empty, or a reference to an object that the walk visits anyway.
