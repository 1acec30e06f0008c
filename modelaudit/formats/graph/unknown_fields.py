"""Programs in fields of a graph's messages that no schema describes, and so nothing shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.executables import HEAD_BYTES, executable_in_base64, executable_in_numbers
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.wire import BYTES

_SHORTEST = 24


def unknown_programs(message: pb.SavedModel, file: str) -> Iterator[Problem]:
    """One problem for each unknown field that is a program; evidence: `program`, `head`."""
    for where, part in _parts(message):
        found = UnknownFieldSet(part)
        for field in (found[index] for index in range(len(found))):
            data = field.data
            if field.wire_type != BYTES or not isinstance(data, bytes) or len(data) < _SHORTEST:
                continue
            what = executable_in_numbers(data[:HEAD_BYTES], len(data), data[-1:])
            if what := what or executable_in_base64(data):
                route = f"{where}field {field.field_number}"
                detail = f"a field that TensorFlow does not know contains {what}"
                head = data[:HEAD_BYTES].hex()
                evidence: dict[str, Json] = {"program": what, "head": head}
                yield Problem(ProblemKind.OTHER, file, detail, route, evidence)


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
