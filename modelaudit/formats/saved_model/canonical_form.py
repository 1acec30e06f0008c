"""The bytes of a SavedModel message that TensorFlow hashes for `saved_model_checksum`.

TensorFlow serializes the message deterministically in C++: fields by number, the entries of a map
by key. Python's protobuf is deterministic as well, but its order of map entries differs by
implementation and type of the key, so the entries are sorted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from msgspec import Struct

from modelaudit.formats.graph.message_bytes import canonical
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.wire import BYTES, FIXED64, VARINT, varint
from modelaudit.graphs import reachable

_LAST_SHORT = 0x7F  # numbers up to this are one byte, as nearly all keys and sizes are
_RECURRING = 64  # bytes of messages that are remembered, as most attributes of operations recur
_DECLARATION = 1_024  # the same, of declarations of operations, which each export has
_MOST_KNOWN = 2_000  # of them, of each of some thirty types; each takes about 400 bytes
_WIDTHS = {FIXED64: 8}  # all other fixed fields have 4 bytes

# The key of a map's entry (b"" for other fields), and the field with its maps sorted.
_Ordered = tuple[bytes | int, bytes]


class _Nested(Struct, frozen=True):
    """A field of messages that contain maps.

    Attributes:
        is_map: whether its values are entries of a map.
        text_keys: whether the keys of that map are texts.
        fields: such fields of its own messages, by the headers of fields.
        recurring: bytes of messages that are remembered.
        known: the fields that were sorted before, of all models.
    """

    is_map: bool
    text_keys: bool
    fields: Mapping[int, _Nested]
    recurring: int
    known: dict[bytes, _Ordered]


def canonical_bytes(message: pb.SavedModel) -> bytes:
    """The message as TensorFlow's C++ code serializes it deterministically."""
    return _sorted(canonical(message), _schema())


def _sorted(data: bytes, nested: Mapping[int, _Nested]) -> bytes:
    """A serialized message with the entries of all its maps sorted by key."""
    found: list[bytes] = []
    copied = 0  # bytes of `data` that are in `found`
    run: list[_Ordered] = []  # entries of one map, which are neighbours
    run_of: _Nested | None = None
    position, end = 0, len(data)
    while position < end:
        start = position
        key, payload = data[start], start + 1
        if key > _LAST_SHORT:
            key, payload = varint(data, start)
        if key & 7 == BYTES:
            size, payload = data[payload], payload + 1
            if size > _LAST_SHORT:
                size, payload = varint(data, payload - 1)
            position = payload + size
        else:
            size, position = 0, _after(data, key & 7, payload)
        inner = nested.get(key)
        if run and inner is not run_of:
            found += _by_key(run)
            run = []
        if inner is None:
            continue
        if copied < start:
            found.append(data[copied:start])
        copied = position
        field = data[start:position]
        ordered = inner.known.get(field) if size <= inner.recurring else None
        if ordered is None:
            ordered = _ordered(field, payload - start, inner)
        if inner.is_map:
            run.append(ordered)
            run_of = inner
        else:
            found.append(ordered[1])
    if run:
        found += _by_key(run)
    return b"".join(found) + data[copied:]


def _ordered(field: bytes, header: int, of: _Nested) -> _Ordered:
    """A field whose payload is behind `header` bytes, sorted; remembered if it is short."""
    whole = field[:header] + _sorted(field[header:], of.fields) if of.fields else field
    found = (_key(field, header, text=of.text_keys) if of.is_map else b""), whole
    if len(field) - header <= of.recurring:
        if len(of.known) >= _MOST_KNOWN:
            of.known.clear()
        of.known[field] = found
    return found


def _by_key(entries: list[_Ordered]) -> Iterator[bytes]:
    entries.sort()
    return (field for _, field in entries)


def _after(data: bytes, kind: int, payload: int) -> int:
    """The end of a field of another kind than `BYTES`. Sizes keep their encoding."""
    return varint(data, payload)[1] if kind == VARINT else payload + _WIDTHS.get(kind, 4)


def _key(entry: bytes, position: int, *, text: bool) -> bytes | int:
    """The key of a map entry behind its field's header: text, or an unsigned number."""
    while position < len(entry):
        key, payload = varint(entry, position)
        size = 0
        if key & 7 == BYTES:
            size, payload = varint(entry, payload)
            position = payload + size
        else:
            position = _after(entry, key & 7, payload)
        if key >> 3 != 1:
            continue
        if text:
            return entry[payload:position]
        if key & 7 == VARINT:
            return varint(entry, payload)[0]
        return int.from_bytes(entry[payload:position], "little")
    return b"" if text else 0


@lru_cache(maxsize=1)
def _schema() -> Mapping[int, _Nested]:
    """The fields of a SavedModel that are maps, or messages that contain maps at any depth."""
    whole: Descriptor = pb.SavedModel.DESCRIPTOR
    reached = reachable([whole], lambda at: [f.message_type for f in at.fields if f.message_type])
    types = {descriptor.full_name: descriptor for descriptor in reached}
    with_maps: set[str] = set()
    before = -1
    while len(with_maps) > before:
        before = len(with_maps)
        with_maps |= {
            name
            for name, descriptor in types.items()
            if any(_is_map(f) or _type(f) in with_maps for f in descriptor.fields)
        }
    found: dict[str, dict[int, _Nested]] = {name: {} for name in types}
    for name in with_maps:  # some contain themselves
        for field in types[name].fields:
            if (inner := _type(field)) in with_maps or _is_map(field):
                recurring = _DECLARATION if inner == pb.OpDef.DESCRIPTOR.full_name else _RECURRING
                found[name][field.number << 3 | BYTES] = _Nested(
                    _is_map(field), _text_keys(field), found[inner], recurring, {}
                )
    return found[whole.full_name]


def _type(field: FieldDescriptor) -> str:
    return field.message_type.full_name if field.message_type else ""


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _text_keys(field: FieldDescriptor) -> bool:
    if field.message_type is None or not _is_map(field):
        return False
    return field.message_type.fields_by_name["key"].type == FieldDescriptor.TYPE_STRING
