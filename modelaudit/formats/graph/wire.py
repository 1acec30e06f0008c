"""Iteration over the top-level fields of a protobuf message in a file, reading only headers."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelaudit.formats.io.file_window import FileWindow

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_HEADER_BYTES = 20  # two varints of ten bytes at most


class WireError(Exception):
    """The bytes are not a protobuf message. Not raised outside this package."""


class WireField(Struct, frozen=True):
    """A field: number, wire type, offset and size of its payload, and `value` for varints."""

    number: int
    wire_type: int
    start: int
    size: int
    value: int = 0


def fields(window: FileWindow, start: int, end: int, most: int = 100_000) -> Iterator[WireField]:
    """At most `most` fields between two offsets.

    Raises:
        WireError: a header is malformed, or a field extends past `end`.
        ReadError: the window cannot be read.
    """
    position = start
    with window.opened() as handle:
        for _ in range(most):
            if position >= end:
                return
            header = handle.pread(min(_HEADER_BYTES, end - position), position)
            key, used = varint(header, 0)
            number, wire_type = key >> 3, key & 7
            payload = position + used
            if wire_type == VARINT:
                value, after = varint(header, used)
                field = WireField(number, wire_type, payload, after - used, value)
            elif wire_type == BYTES:
                size, after = varint(header, used)
                field = WireField(number, wire_type, position + after, size)
            elif wire_type in {FIXED64, FIXED32}:
                field = WireField(number, wire_type, payload, 8 if wire_type == FIXED64 else 4)
            else:
                raise WireError(f"wire type {wire_type} at byte {position}")
            position = field.start + field.size
            if not number or position > end:
                raise WireError(f"field {number} at byte {field.start} extends past its message")
            yield field


def varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """The base-128 number of at most 70 bits at `position`, and the offset after it.

    Raises:
        WireError: the number is truncated or too long.
    """
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise WireError("malformed varint")
