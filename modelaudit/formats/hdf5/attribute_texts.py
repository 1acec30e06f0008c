"""Attributes of an HDF5 file that hold texts: configs, and lists of names."""

from __future__ import annotations

import math

import h5py
import numpy as np

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.open_file import HDF5_ERRORS, hdf5_reason, text_of
from modelaudit.settings import Limits


def attribute_bytes(
    thing: h5py.Group | h5py.Dataset, name: str, limits: Limits, heap: HeapReferences
) -> bytes | None:
    """A scalar string attribute of any string type; None if there is no such attribute.

    Raises:
        ReadError: `corrupt` if the attribute cannot be read or is not a string;
            `limit-exceeded` for more than `limits.config_bytes`.
    """
    values = attribute_strings(thing, name, limits, heap)
    return values[0] if values else None


def attribute_strings(
    thing: h5py.Group | h5py.Dataset, name: str, limits: Limits, heap: HeapReferences
) -> list[bytes] | None:
    """An attribute of one or more strings; None if there is no such attribute.

    Raises:
        ReadError: `corrupt` if the attribute cannot be read or is not a string;
            `limit-exceeded` for more than `limits.config_bytes`.
    """
    try:
        if not h5py.h5a.exists(thing.id, name.encode()):
            return None
        stored = h5py.h5a.open(thing.id, name.encode())
        shape = stored.shape
        if shape is None:  # a null dataspace
            raise _unusable(thing, name, " has no value")
        if 0 in shape:
            return []  # Keras writes an empty list of names as an empty float array
        if math.prod(shape) > limits.tensors:
            reason = " lists too many names (setting tensors)"
            raise _unusable(thing, name, reason, ProblemKind.LIMIT_EXCEEDED)
        size = stored.get_storage_size()
        if size > limits.config_bytes:
            reason = f" has {size:,} bytes (setting config_bytes)"
            raise _unusable(thing, name, reason, ProblemKind.LIMIT_EXCEEDED)
        kind = stored.get_type()
        if kind.get_class() != h5py.h5t.STRING:
            raise _unusable(thing, name, " is not a string")
        if kind.is_variable_str():
            heap.check(thing, name.encode(), stored, kind, limits)
        values = np.empty(shape, stored.dtype)
        stored.read(values)
    except HDF5_ERRORS as error:
        raise _unusable(thing, name, f": {hdf5_reason(error)}") from error
    return [bytes(item) for item in values.flat]


def _unusable(
    thing: h5py.Group | h5py.Dataset,
    name: str,
    reason: str,
    kind: ProblemKind = ProblemKind.CORRUPT,
) -> ReadError:
    return ReadError(kind, "", f"attribute {name} of {text_of(thing.name or '/')}{reason}")


def chunked_attribute(
    thing: h5py.Group | h5py.Dataset, name: str, limits: Limits, heap: HeapReferences
) -> list[str] | None:
    """A list of names, which Keras splits into `name0`, `name1` … above 64 KiB.

    None if there is neither.

    Raises:
        ReadError: see `attribute_strings`.
    """
    whole = attribute_strings(thing, name, limits, heap)
    if whole is not None:
        return [text_of(item) for item in whole]
    parts: list[str] = []
    number = 0
    while (part := attribute_strings(thing, f"{name}{number}", limits, heap)) is not None:
        parts.extend(text_of(item) for item in part)
        number += 1
        if len(parts) > limits.tensors:
            raise ReadError(
                ProblemKind.LIMIT_EXCEEDED, "", f"{name} lists too many names (setting tensors)"
            )
    return parts if number else None
