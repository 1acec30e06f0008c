"""A reader of FlatBuffers that trusts no offset and no length.

FlatBuffers encoding (https://flatbuffers.dev/internals): the root and every reference is the
distance, in 32 bits, from where it is stored to what it refers to. A table begins with the distance
back to its vtable, which has its own size, the table's size, and the position of each field in the
table, in 16 bits each; 0 if the field is not stored. A vector is its length and its elements.
"""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, ProblemKind
from modelaudit.formats.io.density import REFERENCES
from modelaudit.formats.io.file_window import WindowFile
from modelaudit.formats.tflite.schema import Field, schema
from modelaudit.settings import Limits
from modelaudit.work_budget import spend

_KINDS = ("bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64")
_SCALARS = dict(zip(_KINDS, "?bBhHiIqQfd", strict=True))
_FORMATS = {kind: struct.Struct("<" + code) for kind, code in _SCALARS.items()}
_U32 = _FORMATS["u32"]
_PAGE = 1 << 16
_PAGES = 64
MAX_DEPTH = 64  # as TensorFlow Lite's own verifier
# Bytes that may be visited, for each byte of the file: several references may lead to one table.
_SHARED = 4
_FREE = 1 << 16
_SMALL = 16  # bytes of a table, or of its description, that a converter writes and leaves
_ATTR_VALUES = 64  # longer vectors are not shown


class FlatBuffer:
    """A FlatBuffer in an open file.

    Args:
        handle: the bytes.
        size: how many.
        file: file name for errors.
        limits: `graph_nodes` and `density` apply.
    """

    def __init__(self, handle: WindowFile, size: int, file: str, limits: Limits) -> None:
        self.size = size
        self.file = file
        self.limits = limits
        self.spans: list[tuple[int, int]] = []  # (start, end) of all that was verified
        self._handle = handle
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._work = 0

    def root(self, table: str) -> FlatTable:
        """The root table, of this type, after everything that it leads to was verified.

        Raises:
            ReadError: `corrupt`.
            LimitExceeded: too deep, or too many references to the same bytes.
        """
        self._charge(0, 8)
        root = FlatTable(self, table, self.follow(0))
        self._verify(root)
        return root

    def read(self, offset: int, count: int) -> bytes:
        """Bytes at an offset.

        Raises:
            ReadError: `corrupt` if they are not in the file.
        """
        self.check(offset, count)
        number = offset // _PAGE
        if not count or (offset + count - 1) // _PAGE != number:
            data = self._handle.pread(count, offset)
        else:
            page = self._pages.get(number)
            if page is None:
                page = self._handle.pread(_PAGE, number * _PAGE)
                self._pages[number] = page
                if len(self._pages) > _PAGES:
                    self._pages.popitem(last=False)
            start = offset - number * _PAGE
            data = page[start : start + count]
        if len(data) != count:
            raise ReadError(ProblemKind.UNREADABLE, self.file, "changed while it was read")
        return data

    def check(self, offset: int, count: int) -> None:
        """Raise an error if bytes are not in the file."""
        if offset < 0 or offset + count > self.size:
            reason = (
                f"refers to bytes {offset:,} to {offset + count:,}, but has {self.size:,}: it is "
                "damaged or truncated"
            )
            raise ReadError(ProblemKind.CORRUPT, self.file, reason)

    def unsigned(self, offset: int) -> int:
        """The 32-bit number at an offset."""
        value: int = _U32.unpack(self.read(offset, 4))[0]
        return value

    def follow(self, offset: int) -> int:
        """Where the reference at an offset leads."""
        return offset + self.unsigned(offset)

    def vector(self, offset: int, itemsize: int) -> tuple[int, int]:
        """Offset of the first element, and number of elements, of the vector at an offset."""
        count = self.unsigned(offset)
        self.check(offset + 4, count * itemsize)
        return offset + 4, count

    def unused(self, used: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """(start, end) of the bytes that are neither verified nor in `used`, in order."""
        spans = np.array([*self.spans, *used], dtype=np.int64).reshape(-1, 2)
        spans = spans[np.argsort(spans[:, 0], kind="stable")]
        ends = np.maximum.accumulate(spans[:, 1])
        starts = np.append(spans[1:, 0], self.size)
        for i in np.flatnonzero(starts > ends):
            yield int(ends[i]), int(starts[i])

    def small_tables(self, start: int, end: int) -> int:
        """Bytes between two offsets in tables of two numbers at most, as a converter leaves.

        A table starts with the way back to the description of its fields.
        """
        found, at = 0, -(-start // 4) * 4
        while at + 4 <= end:
            vtable = at - int(_FORMATS["i32"].unpack(self.read(at, 4))[0])
            size, nbytes = 0, 0
            if 0 <= vtable <= self.size - 4:
                size, nbytes = struct.unpack("<HH", self.read(vtable, 4))
            small = 4 <= size <= _SMALL and 4 <= nbytes <= _SMALL and at + nbytes <= end
            # A code and a version are two bytes; a table with more may hide something.
            if small and nbytes - 4 - self.read(at + 4, nbytes - 4).count(0) <= 2:
                found += nbytes
                at += -(-nbytes // 4) * 4
            else:
                at += 4
        return found

    def _charge(self, start: int, count: int) -> None:
        spend(1)
        self.check(start, count)
        self._work += count
        most = _SHARED * self.size + _FREE
        if self._work > most:
            raise LimitExceeded(self.file, "bytes reached through references", self._work, most)
        self.spans.append((start, start + count))
        REFERENCES.check(len(self.spans), self.size, self.limits, self.file)

    def _verify(self, root: FlatTable) -> None:
        waiting = [iter((root,))]
        while waiting:
            table = next(waiting[-1], None)
            if table is None:
                waiting.pop()
                continue
            if len(waiting) > MAX_DEPTH:
                raise LimitExceeded(self.file, "depth of tables", len(waiting), MAX_DEPTH)
            self._charge(table.vtable, table.vtable_size)
            self._charge(table.start, table.nbytes)
            waiting.append(self._below(table))

    def _below(self, table: FlatTable) -> Iterator[FlatTable]:
        """Verify the fields of a table but for the tables in them, which are yielded."""
        for field in table.fields.values():
            at = table.place(field)
            scalar = _FORMATS.get(field.kind)
            if at is None or (scalar is not None and not field.vector):
                continue
            target = self.follow(at)
            if field.vector:
                yield from self._elements(field, scalar, target)
            elif field.kind == "string":
                self._string(target)
            else:
                union = field.kind == "union"
                below = table.union(field.name) if union else table.table(field.name)
                if below is not None:
                    yield below

    def _elements(
        self, field: Field, scalar: struct.Struct | None, start: int
    ) -> Iterator[FlatTable]:
        first, count = self.vector(start, 4 if scalar is None else scalar.size)
        if field.kind == "u8":  # not visited, whatever they are
            self._charge(start, 4)
            self.spans.append((first, first + count))
        elif scalar is not None:
            self._charge(start, 4 + count * scalar.size)
        else:
            self._charge(start, 4 + 4 * count)
            for at in range(first, first + 4 * count, 4):
                if field.kind == "string":
                    self._string(self.follow(at))
                else:
                    yield FlatTable(self, field.kind, self.follow(at))

    def _string(self, start: int) -> None:
        self._charge(start, 4 + self.vector(start, 1)[1] + 1)


class FlatTable:
    """A table of a FlatBuffer.

    Args:
        buffer: what holds it.
        kind: its type in the schema.
        start: its offset.

    Raises:
        ReadError: `corrupt` if it or a field of it is outside the file or the table.
    """

    __slots__ = ("buffer", "fields", "kind", "nbytes", "places", "start", "vtable", "vtable_size")

    def __init__(self, buffer: FlatBuffer, kind: str, start: int) -> None:
        self.buffer, self.kind, self.start = buffer, kind, start
        self.fields = schema().tables[kind]
        back: int = _FORMATS["i32"].unpack(buffer.read(start, 4))[0]
        self.vtable = start - back
        size, self.nbytes = struct.unpack("<HH", buffer.read(self.vtable, 4))
        self.vtable_size = size
        if size < 4 or size % 2 or self.nbytes < 4:
            reason = f"has no valid {kind} table at byte {start:,}"
            raise ReadError(ProblemKind.CORRUPT, buffer.file, reason)
        buffer.check(start, self.nbytes)
        buffer.check(self.vtable, size)
        known = 1 + max((field.number for field in self.fields.values()), default=-1)
        count = min(size // 2 - 2, known)
        self.places: tuple[int, ...] = struct.unpack(
            f"<{count}H", buffer.read(self.vtable + 4, 2 * count)
        )

    def place(self, field: Field) -> int | None:
        """Offset of a field's value in the file; None if it is not stored."""
        if field.number >= len(self.places) or not self.places[field.number]:
            return None
        at = self.places[field.number]
        scalar = _FORMATS.get(field.kind) if not field.vector else None
        if at + (scalar.size if scalar else 4) > self.nbytes:
            reason = f"has {self.kind}.{field.name} outside its table at byte {self.start:,}"
            raise ReadError(ProblemKind.CORRUPT, self.buffer.file, reason)
        return self.start + at

    def number(self, name: str) -> int:
        """An integer, or a boolean as 0 or 1."""
        field = self.fields[name]
        at = self.place(field)
        if at is None:
            return field.default
        scalar = _FORMATS[field.kind]
        return int(scalar.unpack(self.buffer.read(at, scalar.size))[0])

    def text(self, name: str) -> str:
        """A string; "" if it is not stored. Bytes that are not UTF-8 become escapes."""
        at = self.place(self.fields[name])
        return "" if at is None else self._text(self.buffer.follow(at))

    def _text(self, offset: int) -> str:
        first, count = self.buffer.vector(offset, 1)
        return self.buffer.read(first, count).decode("utf-8", "backslashreplace")

    def table(self, name: str) -> FlatTable | None:
        """A table; None if it is not stored."""
        field = self.fields[name]
        at = self.place(field)
        return None if at is None else FlatTable(self.buffer, field.kind, self.buffer.follow(at))

    def union(self, name: str) -> FlatTable | None:
        """The table of a union; None if there is none, or if the schema has no such type."""
        field = self.fields[name]
        at, kind = self.place(field), self.number(name + "_type")
        if at is None or not 0 < kind < len(field.tables):
            return None
        return FlatTable(self.buffer, field.tables[kind], self.buffer.follow(at))

    def tables(self, name: str) -> list[FlatTable]:
        """The tables of a vector."""
        field = self.fields[name]
        return [
            FlatTable(self.buffer, field.kind, self.buffer.follow(at)) for at in self._places(field)
        ]

    def texts(self, name: str) -> list[str]:
        """The strings of a vector."""
        return [self._text(self.buffer.follow(at)) for at in self._places(self.fields[name])]

    def _places(self, field: Field) -> range:
        at = self.place(field)
        if at is None:
            return range(0)
        first, count = self.buffer.vector(self.buffer.follow(at), 4)
        return range(first, first + 4 * count, 4)

    def numbers(self, name: str) -> NDArray[np.generic] | None:
        """A vector of numbers; None if it is not stored."""
        field = self.fields[name]
        at = self.place(field)
        if at is None:
            return None
        dtype = np.dtype("<" + _SCALARS[field.kind])
        first, count = self.buffer.vector(self.buffer.follow(at), dtype.itemsize)
        values: NDArray[np.generic] = np.frombuffer(
            self.buffer.read(first, count * dtype.itemsize), dtype
        )
        return values

    def integers(self, name: str) -> tuple[int, ...]:
        """A vector of integers; () if it is not stored."""
        values = self.numbers(name)
        return () if values is None else tuple(int(value) for value in values.tolist())

    def reals(self, name: str) -> tuple[float, ...]:
        """A vector of numbers with a fraction; () if it is not stored."""
        values = self.numbers(name)
        return () if values is None else tuple(float(value) for value in values.tolist())

    def span(self, name: str) -> tuple[int, int] | None:
        """Offset and length of a vector of bytes; None if it is not stored."""
        at = self.place(self.fields[name])
        return None if at is None else self.buffer.vector(self.buffer.follow(at), 1)

    def attrs(self) -> dict[str, Json]:
        """Scalars, strings and short vectors of numbers, also those with their default value."""
        found: dict[str, Json] = {}
        for name, field in self.fields.items():
            if field.kind == "string" and not field.vector:
                found[name] = self.text(name)
            elif field.kind in _SCALARS and field.vector:
                values = self.numbers(name)
                if values is not None and values.size <= _ATTR_VALUES:
                    found[name] = values.tolist()
            elif field.kind in ("f32", "f64"):
                at = self.place(field)
                scalar = _FORMATS[field.kind]
                value = 0.0 if at is None else scalar.unpack(self.buffer.read(at, scalar.size))[0]
                found[name] = value if math.isfinite(value) else str(value)
            elif field.kind in _SCALARS:
                found[name] = self.number(name)
        return found
