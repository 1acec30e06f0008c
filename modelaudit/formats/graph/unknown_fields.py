"""Programs in parts of a graph's messages that no schema describes, and so nothing shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.executables import HEAD_BYTES, executable_in_base64, executable_in_numbers
from modelaudit.formats.graph.message_bytes import byte_size
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.wire import BYTES
from modelaudit.settings import MIB

_SHORTEST = 24
_COPIED = 16 * MIB


def unknown_programs(message: pb.SavedModel, file: str) -> Iterator[Problem]:
    """One problem for each field or value that is a program; evidence: `program`, `head`."""
    for where, part in _parts(message) if _has_unknown(message) else ():
        found = UnknownFieldSet(part)
        for field in (found[index] for index in range(len(found))):
            if field.wire_type == BYTES and isinstance(field.data, bytes):
                route = f"{where}field {field.field_number}"
                yield from _program(
                    field.data, "a field that TensorFlow does not know", file, route
                )
    for where, data in _untyped(message):
        yield from _program(data, "a value whose meaning no schema says", file, where)


def _has_unknown(message: pb.SavedModel) -> bool:
    """Whether there may be unknown fields: of a small message, by its size without them."""
    size = byte_size(message)
    if size > _COPIED:
        return True
    known = pb.SavedModel()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return byte_size(known) != size


def _program(data: bytes, holder: str, file: str, route: str) -> Iterator[Problem]:
    if len(data) < _SHORTEST:
        return
    head = data[:HEAD_BYTES]
    if what := executable_in_numbers(head, len(data), data[-1:]) or executable_in_base64(data):
        evidence: dict[str, Json] = {"program": what, "head": head.hex()}
        yield Problem(ProblemKind.OTHER, file, f"{holder} contains {what}", route, evidence)


def _untyped(message: pb.SavedModel) -> Iterator[tuple[str, bytes]]:
    """Bytes of collections and of `Any` messages, with where each is."""
    for meta in message.meta_graphs:
        yield "meta_graphs/any_info", meta.meta_info_def.any_info.value
        for name, collection in meta.collection_def.items():
            route = f"collections/{name}"
            yield from ((route, data) for data in collection.bytes_list.value)
            yield from ((route, packed.value) for packed in collection.any_list.value)


def _parts(message: pb.SavedModel) -> Iterator[tuple[str, Message]]:
    """The messages of a file that hold others, down to attributes, with where each is."""
    yield "", message
    for meta in message.meta_graphs:
        graph = meta.graph_def
        yield from (("meta_graphs/", meta), ("meta_graphs/meta_info/", meta.meta_info_def))
        yield from (("graph/", graph), ("graph/library/", graph.library))
        yield from (("saver/", meta.saver_def), ("objects/", meta.object_graph_def))
        for name, signature in meta.signature_def.items():
            yield f"signatures/{name}/", signature
        for each in graph.library.function:
            yield f"function/{each.signature.name}/", each
            yield from _of_nodes(f"function/{each.signature.name}/", each.node_def)
        yield from _of_nodes("graph/", graph.node)


def _of_nodes(prefix: str, nodes: Iterable[pb.NodeDef]) -> Iterator[tuple[str, Message]]:
    for node in nodes:
        where = f"{prefix}{node.name}/"
        yield where, node
        for attribute in node.attr.values():
            yield where, attribute
            if attribute.HasField("tensor"):
                yield where, attribute.tensor
