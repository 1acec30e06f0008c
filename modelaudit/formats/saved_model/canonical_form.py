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
_TEXT = bytes([1 << 3 | BYTES])  # the header of a key that is a text
_RECURRING = 64  # bytes of messages that are remembered
_MOST_KNOWN = 50_000  # of them; exports have some thousands, and each takes about 400 bytes
_WIDTHS = {FIXED64: 8}  # all other fixed fields have 4 bytes


class _Nested(Struct, frozen=True):
    """A field of messages that contain maps. `is_map`: its values are entries of a map."""

    name: str
    is_map: bool
    text_keys: bool = False


def canonical_bytes(message: pb.SavedModel) -> bytes:
    """The message as TensorFlow's C++ code serializes it deterministically."""
    data = canonical(message)
    return _sorted(data, pb.SavedModel.DESCRIPTOR.full_name, {})


def _sorted(data: bytes, name: str, known: dict[tuple[str, bytes], bytes]) -> bytes:
    """A serialized message with the entries of all its maps sorted by key.

    `known` are the short messages that were sorted before: most attributes of operations recur.
    """
    nested = _schema().get(name)
    if not nested:
        return data
    found: list[bytes] = []
    copied = 0  # bytes of `data` that are in `found`
    run: list[bytes] = []  # entries of one map, which are neighbours
    run_of: _Nested | None = None
    for number, start, payload, end in message_fields(data):
        inner = nested.get(number)
        if run_of is not None and inner is not run_of:
            found += _by_key(run, run_of)
            run, run_of = [], None
        if inner is None:
            continue
        found.append(data[copied:start])
        copied = end
        message = data[payload:end]
        short, key = len(message) <= _RECURRING, (inner.name, message)
        ordered = known.get(key) if short else None
        if ordered is None:
            ordered = _sorted(message, inner.name, known)
            if short and len(known) < _MOST_KNOWN:
                known[key] = ordered
        field = data[start:payload] + ordered
        if inner.is_map:
            run.append(field)
            run_of = inner
        else:
            found.append(field)
    if run_of is not None:
        found += _by_key(run, run_of)
    return b"".join(found) + data[copied:]


def _by_key(entries: list[bytes], field: _Nested) -> list[bytes]:
    if len(entries) == 1:
        return entries
    return sorted(entries, key=lambda entry: _key(entry, text=field.text_keys))


def message_fields(data: bytes, position: int = 0) -> Iterator[tuple[int, int, int, int]]:
    """Number, start, start of the payload and end of each field. Sizes keep their encoding."""
    while position < len(data):
        start = position
        key, payload = data[position], position + 1
        if key > _LAST_SHORT:
            key, payload = varint(data, position)
        kind = key & 7
        if kind == BYTES:
            size, payload = data[payload], payload + 1
            if size > _LAST_SHORT:
                size, payload = varint(data, payload - 1)
            position = payload + size
        elif kind == VARINT:
            _, position = varint(data, payload)
        else:
            position = payload + _WIDTHS.get(kind, 4)
        yield key >> 3, start, payload, position


def _key(entry: bytes, *, text: bool) -> bytes | int:
    """The key of a map entry, which includes its field header: text, or an unsigned number."""
    if text and entry[2:3] == _TEXT and max(entry[:4]) <= _LAST_SHORT and len(entry) > 3:
        return entry[4 : 4 + entry[3]]
    _, position = varint(entry, 0)
    _, position = varint(entry, position)
    for number, start, payload, end in message_fields(entry, position):
        if number == 1 and text:
            return entry[payload:end]
        if number == 1 and entry[start] & 7 == VARINT:
            return varint(entry, payload)[0]
        if number == 1:
            return int.from_bytes(entry[payload:end], "little")
    return b"" if text else 0


@lru_cache(maxsize=1)
def _schema() -> Mapping[str, Mapping[int, _Nested]]:
    """Message type -> its fields that are maps, or messages that contain maps at any depth."""
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
    return {
        name: {
            field.number: _Nested(_type(field), _is_map(field), _text_keys(field))
            for field in types[name].fields
            if _is_map(field) or _type(field) in with_maps
        }
        for name in with_maps
    }


def _type(field: FieldDescriptor) -> str:
    return field.message_type.full_name if field.message_type else ""


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _text_keys(field: FieldDescriptor) -> bool:
    if field.message_type is None or not _is_map(field):
        return False
    return field.message_type.fields_by_name["key"].type == FieldDescriptor.TYPE_STRING
