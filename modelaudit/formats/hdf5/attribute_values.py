"""HDF5 values taken apart: whatever a reader of an attribute gets as one piece of bytes."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.hdf5.open_file import text_of

SHORTEST = 8
"""Bytes that can be a program or a config."""

_IN_SEQUENCES = frozenset((h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.REFERENCE))
# Of an encoded datatype: two bytes, then its message (HDF5 File Format Specification 3.0, section
# IV.A.2.d), in which class and version stand before the bits that say sequence (0) or text (1).
_FORM_BYTE = 3
_PIECES = frozenset((h5py.h5t.STRING, h5py.h5t.OPAQUE))  # whose elements stand for themselves

Rows = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def in_heap(kind: h5py.h5t.TypeID) -> bool:
    """Whether values of a type vary in length and lie in a heap.

    Raises:
        ReadError: `unsupported` for sequences of anything but numbers, texts of fixed size and
            references; `corrupt` for one that is neither a sequence nor a text, in which libhdf5
            runs into nothing and dies.
    """
    family = kind.get_class()
    if family == h5py.h5t.STRING:
        return bool(kind.is_variable_str())
    if family == h5py.h5t.VLEN:
        if kind.encode()[_FORM_BYTE] & 0x0F:
            raise ReadError(ProblemKind.CORRUPT, "", "its type is damaged")
        inner = kind.get_super()
        if inner.get_class() not in _IN_SEQUENCES or in_heap(inner):
            reason = "sequences of variable length that hold more than numbers"
            raise ReadError(ProblemKind.UNSUPPORTED, "", reason)
        return True
    if family == h5py.h5t.ARRAY:
        return in_heap(kind.get_super())
    if family == h5py.h5t.COMPOUND:
        members = [kind.get_member_type(each) for each in range(kind.get_nmembers())]
        return sum(map(in_heap, members)) > 0  # not `any`: each is to be checked
    return False


def parts_of_rows(kind: h5py.h5t.TypeID, rows: Rows) -> Iterator[tuple[str, bytes]]:
    """Pieces of elements of fixed size, each with what to call it: `[1]`, `.member`, or nothing.

    Numbers are one piece together; a text, opaque bytes and an array are one each; of a compound
    type it is all of it, and each member.

    Args:
        kind: the element's type.
        rows: one element a row.
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
    """The same of values that h5py has read, with texts and arrays where they vary in length."""
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
    # What remains are references to objects of the file, which the walk reaches, and nothing.
