"""The fields of an encoded protobuf message, without its schema."""

from __future__ import annotations

from modelaudit.formats.graph.wire import BYTES, FIXED32, FIXED64, VARINT
from tests.formats.bundle_writer import varint

Fields = list[tuple[int, int, int | bytes]]


def fields_of(data: bytes) -> Fields:
    """The top-level fields of a message; [] where the bytes are not a message."""
    found: Fields = []
    position = 0
    try:
        while position < len(data):
            key, position = _number(data, position)
            number, kind = key >> 3, key & 7
            if not number or kind not in {VARINT, FIXED32, FIXED64, BYTES}:
                return []
            if kind == VARINT:
                value, position = _number(data, position)
                found.append((number, kind, value))
                continue
            size = {FIXED32: 4, FIXED64: 8}.get(kind)
            if size is None:
                size, position = _number(data, position)
            if position + size > len(data):
                return []
            found.append((number, kind, data[position : position + size]))
            position += size
    except IndexError:
        return []
    return found


def _number(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 or shift > 63:
            return value, position
        shift += 7


def joined(fields: Fields) -> bytes:
    """The message with these fields."""
    out = bytearray()
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if isinstance(value, int):
            out += varint(value) if kind == VARINT else value.to_bytes(8, "little")
        elif kind == BYTES:
            out += varint(len(value)) + value
        else:
            out += value.ljust(8, b"\0")[: 4 if kind == FIXED32 else 8]
    return bytes(out)
