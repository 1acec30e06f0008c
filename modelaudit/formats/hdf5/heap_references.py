"""What attributes of variable length claim to have, read before libhdf5 reads them.

Such an attribute has references to a global heap, each with the length of its value. libhdf5
reserves that length, and fills it, before it compares it with the heap; it copies a value once for
each reference; and it reports no lengths. So the references are read from the object's header.
Layouts: HDF5 File Format Specification 3.0, sections IV.A.1 and IV.A.2.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.hdf5.open_file import Hdf5Object, object_address
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.settings import Limits
from modelaudit.work_budget import spend

Rows = NDArray[np.uint8]

_ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0x0C, 0x10, 0x15
_SHARED = 2  # flag of a message that is stored elsewhere
_TIMES, _PHASES, _ORDERED = 0x20, 0x10, 0x04  # flags of an object header of version 2
_LENGTH_BYTES, _INDEX_BYTES = 4, 4  # of a reference, before and after the heap's address
_MOST_BLOCKS = 1_000  # of one object header
_PIECE_BYTES = 1 << 20
_HEAD_BYTES = 9  # of an attribute message at most, before its name


class _Message(Struct, frozen=True):
    kind: int
    flags: int
    data: bytes


class HeapReferences:
    """References of attributes to the heaps of one file.

    Args:
        window: the file.
        base: offset of its signature, from which addresses count.
    """

    def __init__(self, window: FileWindow, base: int = 0) -> None:
        self._window, self._base = window, base
        head = window.head(16, base)
        at = 9 if head[8:9] >= b"\2" else 13
        self._address, self._length = head[at : at + 1], head[at + 1 : at + 2]
        self._last: tuple[int, list[_Message]] | None = None

    def check(
        self,
        thing: Hdf5Object,
        name: bytes,
        stored: h5py.h5a.AttrID,
        kind: h5py.h5t.TypeID,
        limits: Limits,
    ) -> None:
        """Check the lengths of an attribute's values.

        Args:
            thing: the object.
            name: of its attribute.
            stored: the attribute, whose type has variable length.
            kind: that type.
            limits: `config_bytes` applies to all values together.

        Raises:
            ReadError: `corrupt` if a value is longer than the file; `unsupported` if the references
                are not found, because the attribute or its type is stored in an unusual way.
            LimitExceeded: all values together have more than `config_bytes`.
        """
        size, count = int(stored.get_storage_size()), stored.get_space().get_simple_extent_npoints()
        each = _stored_bytes(kind, self._reference_bytes)
        if not count or each * count != size:
            raise _unusual()
        most_together = 0
        for data in self._values(thing, name, size):
            rows = np.frombuffer(data, np.uint8).reshape(count, each)
            total = 0
            for lengths, unit in _lengths(kind, rows, self._reference_bytes):
                most = int(lengths.max(initial=0)) * unit
                if most > self._window.size:
                    reason = f"a reference claims a value of {most:,} bytes, more than the file has"
                    raise ReadError(ProblemKind.CORRUPT, self._window.file, reason)
                total += int(lengths.sum(dtype=np.uint64)) * unit
            most_together = max(most_together, total)
        if most_together > limits.config_bytes:
            what = "bytes of values that an attribute refers to"
            raise LimitExceeded("", what, most_together, limits.config_bytes, "config_bytes")

    @property
    def _reference_bytes(self) -> int:
        return _LENGTH_BYTES + int.from_bytes(self._address) + _INDEX_BYTES

    def _values(self, thing: Hdf5Object, name: bytes, size: int) -> list[bytes]:
        """What the object has as the value of an attribute; more than one in damaged files."""
        address = object_address(thing.id)
        if self._last is None or self._last[0] != address:
            self._last = address, list(self._messages(address))
        messages = self._last[1]
        attributes = [each for each in messages if each.kind == _ATTRIBUTE]
        if any(each.flags & _SHARED for each in attributes):
            raise _unusual()
        if any(self._is_dense(each) for each in messages):
            values = self._anywhere(name, size)
        else:
            values = [
                value for each in attributes for value in _values_in(each.data, 0, name, size)
            ]
        if not values:
            raise _unusual()
        return values

    def _is_dense(self, message: _Message) -> bool:
        """Whether a message says that a packed heap has the attributes, and not the header."""
        if message.kind != _ATTRIBUTE_INFO:
            return False
        start = 4 if message.data[1:2] and message.data[1] & 1 else 2
        address = message.data[start : start + int.from_bytes(self._address)]
        return address.strip(b"\xff") != b""

    def _anywhere(self, name: bytes, size: int) -> list[bytes]:
        """Values of attributes of a name, wherever in the file; a packed heap may be filtered."""
        found: list[bytes] = []
        start, wanted = 0, name + b"\0"
        with self._window.opened() as handle:
            while piece := handle.pread(_PIECE_BYTES, start):
                spend()
                at = piece.find(b"FRHP")
                if at >= 0 and handle.pread(9, start + at)[7:9] != b"\0\0":
                    raise _unusual()
                at = -1
                while (at := piece.find(wanted, at + 1)) >= 0:
                    spend(1)
                    before = max(start + at - _HEAD_BYTES, 0)
                    head = handle.pread(_HEAD_BYTES, before)
                    if 3 not in {head[0], head[1]} and head[1] not in {1, 2}:
                        continue
                    spend()
                    near = handle.pread(_HEAD_BYTES + 4 * (1 << 16) + size, before)
                    for skipped in range(2):
                        # A byte off, the sizes are others, and lead somewhere else.
                        given = int.from_bytes(near[skipped + 2 : skipped + 4], "little")
                        if given == len(name) + 1:
                            found += _values_in(near, skipped, name, size)
                start += max(len(piece) - len(wanted) + 1, 1)
        return found

    def _messages(self, address: int) -> Iterator[_Message]:
        """The messages of an object's header, in all of its blocks."""
        with self._window.opened() as handle:
            start = self._base + address
            head = handle.pread(16, start)
            second = head[:4] == b"OHDR"
            ordered = bool(second and head[5] & _ORDERED)
            if second:
                start += 6 + 16 * bool(head[5] & _TIMES) + 4 * bool(head[5] & _PHASES)
                width = 1 << (head[5] & 3)
                blocks = [(start + width, int.from_bytes(handle.pread(width, start), "little"))]
            else:
                blocks = [(start + 16, int.from_bytes(head[8:12], "little"))]
            left = self._window.size
            for start, size in blocks:
                block = handle.pread(size, start)
                left -= len(block)
                if left < 0 or len(blocks) > _MOST_BLOCKS:
                    raise _unusual()  # blocks that overlap
                for message in _messages_in(block, second, ordered):
                    yield message
                    if message.kind == _CONTINUATION:
                        blocks.append(self._continued(message.data, second))

    def _continued(self, data: bytes, second: bool) -> tuple[int, int]:
        """Start and size of the messages of another block."""
        split = int.from_bytes(self._address)
        start = self._base + int.from_bytes(data[:split], "little")
        size = int.from_bytes(data[split : split + int.from_bytes(self._length)], "little")
        return (start + 4, max(size - 8, 0)) if second else (start, size)


def _unusual() -> ReadError:
    reason = "its values are stored in an unusual way, and their lengths are not known"
    return ReadError(ProblemKind.UNSUPPORTED, "", reason)


def _messages_in(block: bytes, second: bool, ordered: bool) -> Iterator[_Message]:
    """Messages of one block of an object header of version 1 or 2."""
    start, head = 0, (4 + 2 * ordered if second else 8)
    while start + head <= len(block):
        spend(1)
        if second:
            kind, at = block[start], start + 1
            flags = block[start + 3]
        else:
            kind, at = int.from_bytes(block[start : start + 2], "little"), start + 2
            flags = block[start + 4]
        size = int.from_bytes(block[at : at + 2], "little")
        if kind in {_ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO}:
            yield _Message(kind, flags, block[start + head : start + head + size])
        start += head + size


def _values_in(data: bytes, start: int, name: bytes, size: int) -> list[bytes]:
    """The value in an attribute message at `start`, if it is that of the attribute `name`."""
    head = data[start : start + 8]
    if len(head) < 8:
        return []
    at = start + (9 if head[0] == 3 else 8)
    lengths = [int.from_bytes(head[each : each + 2], "little") for each in (2, 4, 6)]
    if data[at : at + lengths[0]].split(b"\0", 1)[0] != name:
        return []
    if head[0] == 1:
        lengths = [(each + 7) // 8 * 8 for each in lengths]
    at += sum(lengths)
    value = data[at : at + size]
    return [value] if len(value) == size else []


def _stored_bytes(kind: h5py.h5t.TypeID, reference: int) -> int:
    """The bytes of an element in the file; in memory, a text of variable length is a pointer."""
    family = kind.get_class()
    if family == h5py.h5t.VLEN or (family == h5py.h5t.STRING and kind.is_variable_str()):
        return reference
    size = int(kind.get_size())
    if family == h5py.h5t.ARRAY:
        inner = kind.get_super()
        return size // max(int(inner.get_size()), 1) * _stored_bytes(inner, reference)
    if family == h5py.h5t.COMPOUND:
        members = map(kind.get_member_type, range(kind.get_nmembers()))
        return size + sum(_stored_bytes(each, reference) - int(each.get_size()) for each in members)
    return size


def _lengths(
    kind: h5py.h5t.TypeID, rows: Rows, reference: int
) -> Iterator[tuple[NDArray[np.uint32], int]]:
    """Lengths of all values in elements as stored, and the bytes of a unit of these lengths."""
    family = kind.get_class()
    if family == h5py.h5t.VLEN or (family == h5py.h5t.STRING and kind.is_variable_str()):
        unit = int(kind.get_super().get_size()) if family == h5py.h5t.VLEN else 1
        yield np.ascontiguousarray(rows[:, :_LENGTH_BYTES]).view("<u4"), unit
    elif family == h5py.h5t.ARRAY:
        inner = kind.get_super()
        if rows.shape[1]:
            each = _stored_bytes(inner, reference)
            yield from _lengths(inner, rows.reshape(-1, each), reference)
    elif family == h5py.h5t.COMPOUND:
        numbers = range(kind.get_nmembers())
        moved = 0
        for number in sorted(numbers, key=kind.get_member_offset):
            inner = kind.get_member_type(number)
            start = kind.get_member_offset(number) + moved
            size = _stored_bytes(inner, reference)
            yield from _lengths(inner, rows[:, start : start + size], reference)
            moved += size - int(inner.get_size())
