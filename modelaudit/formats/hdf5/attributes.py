"""Attributes of all objects in an HDF5 file, each read once and split into byte strings."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import h5py
import numpy as np
from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Problem, ProblemKind
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.link_walk import LinkedObjects
from modelaudit.formats.hdf5.open_file import (
    HDF5_ERRORS,
    Hdf5Object,
    attribute_names,
    hdf5_reason,
    object_address,
    text_of,
)
from modelaudit.formats.io.bounded import BEFORE_JSON
from modelaudit.formats.io.density import ATTRIBUTES, TEXTS
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.settings import Limits
from modelaudit.work_budget import is_spent

SHORTEST = 8  # minimum size of a program or a config, in bytes
_IN_SEQUENCES = frozenset((h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.REFERENCE))
# An encoded datatype is two bytes, then the datatype message (HDF5 File Format Specification 3.0,
# section IV.A.2.d): class and version, then the bits for sequence (0) or string (1).
_FORM_BYTE = 3
_PIECES = frozenset((h5py.h5t.STRING, h5py.h5t.OPAQUE))  # types whose elements are split
_Check = Callable[[h5py.h5a.AttrID, h5py.h5t.TypeID, Limits], None]
Rows = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


class Attribute(Struct, frozen=True):
    """An attribute as `route@name` and its parts as (suffix of that, bytes).

    `where` is not always unique: names may contain `@` or bytes that are not valid UTF-8.
    """

    where: str
    parts: tuple[tuple[str, bytes], ...]


class Attributes(Struct):
    """Attributes that were read, and the names of all attributes of groups, as (route, name)."""

    read: list[Attribute] = field(default_factory=list)
    of_groups: list[tuple[str, bytes]] = field(default_factory=list)


def read_attributes(
    contents: LinkedObjects,
    own: frozenset[bytes],
    window: FileWindow,
    limits: Limits,
    problems: list[Problem],
    heap: HeapReferences | None,
) -> Attributes:
    """Read all attributes of any type that are long enough for a program or a config.

    Args:
        contents: result of the walk.
        own: names of root attributes that are read elsewhere; skipped if they are a single string.
        window: the file.
        limits: `density` and `hdf5_objects` apply to their number, `config_bytes` and
            `read_seconds` to all attributes together.
        problems: receives a problem for each attribute that is skipped or cannot be read.
        heap: the references to heaps; None if a heap is damaged, so that no string is read.
    """
    found = Attributes()
    file = window.file
    most, setting = ATTRIBUTES.most(window.size, limits)
    count = 0
    left = limits.config_bytes
    texts, by = TEXTS.most(window.size, limits)
    types: list[tuple[str, Hdf5Object]] = []  # of attributes; they can have attributes themselves
    seen: set[int] = set()
    # A damaged string length makes libhdf5 allocate gigabytes and spend seconds before it fails.
    deadline = time.monotonic() + limits.read_seconds
    for route, thing in itertools.chain(_things(contents), types):
        names = _names(thing, route, seen, file, problems)
        count += len(names)
        if count > most:
            detail = f"more than {most:,} attributes; the rest is skipped"
            problems.append(limit_problem(file, detail, setting, route))
            return found
        if isinstance(thing, h5py.Group):
            found.of_groups.extend((route, name) for name in names)
        for name in names:
            where = f"{route}@{text_of(name)}"
            slow = time.monotonic() > deadline
            if slow or is_spent():
                detail = "reading attributes took too long; the rest is skipped"
                by = "read_seconds" if slow else "work"
                problems.append(limit_problem(file, detail, by, where))
                return found
            try:
                stored = h5py.h5a.open(thing.id, name)
                kind = stored.get_type()
                if kind.committed():
                    types.append((where, h5py.Datatype(kind)))
                if not route and name in own and _is_one_text(stored):
                    continue
                check = partial(heap.check, thing, name) if heap else None
                parts, cut = _bounded(_parts(stored, kind, limits, check), left, texts, by)
            except ReadError as error:
                detail = f"attribute is skipped: {error.reason}"
                problems.append(problem_of(error, file, where, detail))
                continue
            except HDF5_ERRORS as error:
                detail = f"attribute cannot be read: {hdf5_reason(error)}"
                problems.append(_broken(file, where, detail))
                continue
            left -= sum(len(data) for _, data in parts)
            texts -= len(parts)
            found.read.append(Attribute(where, parts))
            if cut:
                detail = f"attributes have more {cut}; the rest is skipped"
                problems.append(Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, where))
                return found
    return found


def _things(contents: LinkedObjects) -> Iterator[tuple[str, Hdf5Object]]:
    """All objects that can have attributes, and datatypes that are referenced by datasets alone."""
    yield from contents.groups
    yield from contents.types
    (_, file) = contents.groups[0]
    for each in contents.datasets:
        if each.described:
            with suppress(*HDF5_ERRORS):  # it was open before
                dataset = h5py.Dataset(h5py.h5d.open(file.id, each.path))
                yield each.route, dataset
                kind = dataset.id.get_type()
                if kind.committed():
                    yield each.route, h5py.Datatype(kind)


def _names(
    thing: Hdf5Object, route: str, seen: set[int], file: str, problems: list[Problem]
) -> list[bytes]:
    """Names of an object's attributes; empty if it was visited through another hard link."""
    try:
        address = object_address(thing.id)
        if address in seen:
            return []
        seen.add(address)
        names, whole = attribute_names(thing.id)
    except HDF5_ERRORS as error:
        reason = hdf5_reason(error)
        problems.append(_broken(file, route, f"attributes cannot be listed: {reason}"))
        return []
    if not whole:
        detail = f"attributes after the first {len(names):,} are skipped"
        problems.append(Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, route))
    return names


def _broken(file: str, route: str, detail: str) -> Problem:
    return Problem(ProblemKind.TENSOR_UNREADABLE, file, detail, route, {"hdf5": "attribute"})


def _is_one_text(stored: h5py.h5a.AttrID) -> bool:
    return stored.get_type().get_class() == h5py.h5t.STRING and stored.shape in {(), (1,)}


def _parts(
    stored: h5py.h5a.AttrID, kind: h5py.h5t.TypeID, limits: Limits, check: _Check | None
) -> Iterator[tuple[str, bytes]]:
    """Parts of an attribute; empty if it is short, or in a damaged heap.

    Raises:
        LimitExceeded: the value could be larger than `config_bytes`.
        ReadError: the type is not supported, see `in_heap`.
    """
    if not stored.get_space().get_simple_extent_npoints():
        return  # libhdf5 fails on empty values
    size = int(stored.get_storage_size())
    if size < SHORTEST:
        return
    if size > limits.config_bytes:
        raise LimitExceeded("", "attribute bytes", size, limits.config_bytes, "config_bytes")
    if not in_heap(kind):
        # Read with the file's own type, without conversion: h5py has no dtype for some types.
        raw = np.empty(stored.shape, f"V{kind.get_size()}")
        stored.read(raw, kind)
        rows = np.frombuffer(raw.tobytes(), np.uint8).reshape(-1, kind.get_size())
        yield from parts_of_rows(kind, rows)
    elif check is not None:
        check(stored, kind, limits)
        values = np.empty(stored.shape, stored.dtype)
        stored.read(values)
        yield from parts_of_heap(values)


def _bounded(
    parts: Iterator[tuple[str, bytes]], most: int, most_parts: int, setting: str
) -> tuple[tuple[tuple[str, bytes], ...], str]:
    """Parts of at least `SHORTEST` bytes, and what exceeded a limit, if any did."""
    kept: list[tuple[str, bytes]] = []
    for name, data in parts:
        if len(data) < SHORTEST:
            continue
        if len(kept) == most_parts:
            return tuple(kept), f"texts than a file of this size may (setting {setting})"
        most -= len(data)
        if most < 0:
            return tuple(kept), "bytes in total than config_bytes (a setting)"
        kept.append((name, data))
    return tuple(kept), ""


def stray_texts(attributes: Sequence[Attribute]) -> tuple[tuple[str, bytes], ...]:
    """Parts of attributes that start like JSON, as (`route@name`, text).

    Keras reads its config from the root only. But Keras 2.2 and 2.3 can load a model from any
    group (`load_model(file["a"])`), and any code can pass a string to `model_from_json`.
    """
    return tuple(
        (each.where + name, data)
        for each in attributes
        for name, data in each.parts
        if data.lstrip(BEFORE_JSON)[:1] in (b"{", b"[")
    )


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
