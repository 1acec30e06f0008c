"""How many messages a protobuf message has inside, counted in its bytes, before it is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np
from google.protobuf.message import Message

from modelaudit.formats.graph.wire import BYTES, FIXED32, FIXED64, VARINT, WireError, varint
from modelaudit.work_budget import spend

_START_GROUP, _END_GROUP = 3, 4
_KIND = 7  # the bits of a key that have the wire type
_MORE = 0x80  # the bit of a byte that says that the number goes on
_SIZES = {FIXED64: 8, FIXED32: 4}
_DEEPEST = 100  # protobuf parses no message that is nested deeper
_BLOCK = 1 << 20
_LOOK = 2_000  # messages between two looks at the work
_SHORT = 256  # bytes of messages that are compared with those before
_KEPT = 10_000  # of them, for their memory


def message_count(kind: type[Message], data: bytes, most: int) -> int:
    """At least the number of messages inside of one, at any depth.

    It is at most `most` only if that number is. Of bytes that are no such message, those before the
    fault count, where parsers stop.

    Args:
        kind: the type of the message.
        data: its bytes.
        most: a number above which counting ends.

    Raises:
        WorkSpent: the audit has taken its work.
    """
    if len(data) // 2 <= most:  # each has a key and a length
        return len(data) // 2
    keys = _possible_keys(kind, data)
    return keys if keys <= most else counted(kind, data, most)


def _possible_keys(kind: type[Message], data: bytes) -> int:
    """How many bytes may begin the key of a message, as a field of any type inside has it."""
    types: dict[str, _InnerMessages] = {}
    _fields(kind.DESCRIPTOR, types)
    begins = np.zeros(256, bool)
    for key in {key for fields in types.values() for key in fields}:
        begins[key if key < _MORE else key & (_MORE - 1) | _MORE] = True
    codes = np.frombuffer(data, np.uint8)
    return sum(
        int(np.count_nonzero(begins[codes[start : start + _BLOCK]]))
        for start in range(0, len(codes), _BLOCK)
    )


class _MessageField(Protocol):
    @property
    def number(self) -> int: ...

    @property
    def message_type(self) -> _MessageType | None: ...


class _MessageType(Protocol):
    @property
    def full_name(self) -> str: ...

    @property
    def fields(self) -> Sequence[_MessageField]: ...


class _InnerMessages(dict[int, "_InnerMessages"]):
    """By the key of each field of a type that has messages, the fields of these.

    `known` are numbers of messages inside by the bytes of messages of this type: most nodes of a
    graph have the same attributes as others, and those that are alike are counted once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[bytes, int] = {}


def _fields(described: _MessageType, known: dict[str, _InnerMessages]) -> _InnerMessages:
    fields = known.get(described.full_name)
    if fields is None:
        fields = known[described.full_name] = _InnerMessages()
        for field in described.fields:
            if field.message_type is not None:
                fields[field.number << 3 | BYTES] = _fields(field.message_type, known)
    return fields


def counted(kind: type[Message], data: bytes, most: int) -> int:
    """The number of messages inside of one, until there are more than `most`.

    Raises:
        WorkSpent: the audit has taken its work.
    """
    fields = _fields(kind.DESCRIPTOR, {})
    # Of each message around the current one: its fields, its end, where it began, and what had been
    # found by then.
    above: list[tuple[_InnerMessages, int, int, int]] = []
    position, end, groups, found = 0, len(data), 0, 0
    start, before, kept, looked = 0, 0, 0, 0
    with suppress(IndexError, WireError):  # the bytes end within a number, or are no message
        while len(above) <= _DEEPEST and found <= most:
            while position >= end:
                if position > end or groups or not above:
                    return found
                if end - start <= _SHORT and kept < _KEPT:
                    fields.known[data[start:end]] = found - before
                    kept += 1
                fields, end, start, before = above.pop()
            # Most numbers have one byte; calls for them would double the time.
            key, position = data[position], position + 1
            if key >= _MORE:
                key, position = varint(data, position - 1)
            if key & _KIND != BYTES:
                position, groups = _behind(data, position, key & _KIND, groups)
                continue
            size, position = data[position], position + 1
            if size >= _MORE:
                size, position = varint(data, position - 1)
            if groups or key not in fields:
                position += size
                continue
            found += 1
            looked += 1
            if looked == _LOOK:
                looked = 0
                spend()
            if position + size > end:
                break
            if not size:
                continue
            inner = fields[key]
            alike = inner.known.get(data[position : position + size]) if size <= _SHORT else None
            if alike is not None:
                found += alike
                position += size
                continue
            above.append((fields, end, start, before))
            fields, end, start, before = inner, position + size, position, found
    return found


def _behind(data: bytes, position: int, wire_type: int, groups: int) -> tuple[int, int]:
    """The offset behind a value that is no message, and how many groups are open there."""
    if wire_type == VARINT:
        position = varint(data, position)[1]
    elif wire_type in _SIZES:
        position += _SIZES[wire_type]
    elif wire_type in {_START_GROUP, _END_GROUP}:
        groups += 1 if wire_type == _START_GROUP else -1
    else:
        raise WireError(f"wire type {wire_type}")
    return position, groups
