"""Layers that turn words or numbers into indices, read from the operations of a graph."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json
from modelaudit.formats.graph.dataflow import CALLS, Frame, GraphWalker, NodeOutput
from modelaudit.graphs import GraphNode
from modelaudit.rules.plain_graphs.reader import GraphReader, OperationGroup
from modelaudit.structs import PerObject
from modelaudit.work_budget import spend

_FINDS = frozenset(("LookupTableFind", "LookupTableFindV2"))
_IMPORTS = frozenset(("LookupTableImport", "LookupTableImportV2"))
_HASHES = frozenset(("StringToHashBucketFast", "StringToHashBucketStrong"))
_NODES = 20  # to look at their operations is a part of work
_CODES = _HASHES | {"OneHot", "Bucketize"}


def indices(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A lookup in a table of the graph, a hash, the bin of a number, or a vector for an index."""
    op, attrs = place.node.op, place.node.attrs
    if op in _FINDS:
        handle, words = reader.source(place), reader.source(place, 1)
        size = _tables(reader.walker).get(handle.node.name) if handle is not None else None
        if words is None or size is None:
            return None
        name = "StringLookup" if attrs.get("Tin") == "string" else "IntegerLookup"
        config: dict[str, Json] = {"vocabulary_size": size, "output_mode": "int"}
        return OperationGroup(name, (words,), config)
    data = reader.source(place) if op in _CODES else None
    if data is None:
        return None
    if op in _HASHES:
        if _is_fallback(reader.walker, place):
            return None
        return OperationGroup("Hashing", (data,), {"num_bins": attrs.get("num_buckets")})
    if op == "OneHot" and attrs.get("axis", -1) == -1 and (depth := reader.axes(place, 1)):
        config = {"num_tokens": depth[0], "output_mode": "one_hot"}
        return OperationGroup("CategoryEncoding", (data,), config)
    if op == "Bucketize":
        return OperationGroup(
            "Discretization", (data,), {"bin_boundaries": attrs.get("boundaries")}
        )
    return None


def _is_fallback(walker: GraphWalker, place: NodeOutput) -> bool:
    """Whether a hash is the index of words that a table lacks: the same words are looked up."""
    frame = place.frame
    spend(1 + len(frame.nodes) // _NODES)
    words = walker.value(frame, place.node.inputs[0])
    looked_up = (
        walker.value(frame, node.inputs[1])
        for node in frame.nodes.values()
        if node.op in _FINDS and len(node.inputs) > 1
    )
    return words is not None and any(
        each is not None and each.node is words.node and each.frame is words.frame
        for each in looked_up
    )


def _read_tables(walker: GraphWalker) -> dict[str, int]:
    """Table in the main graph -> the largest index that it is filled with, and one."""
    found: dict[str, int] = {}
    for frame, node in _imports(walker):
        handle, _, values = (walker.value(frame, each) for each in node.inputs[:3])
        held = values.node.attrs.get("value") if values is not None else None
        largest = _largest(held)
        if handle is not None and handle.frame is walker.main and largest is not None:
            found[handle.node.name] = max(largest + 1, found.get(handle.node.name, 0))
    return found


_tables = PerObject(_read_tables)


def _imports(walker: GraphWalker) -> Iterator[tuple[Frame, GraphNode]]:
    """The operations that fill a table from constants, in the graph or in a function that it calls."""
    filling = {
        name
        for name, function in walker.graph.functions.items()
        if any(node.op in _IMPORTS for node in function.nodes)
    }
    for outer in walker.main.nodes.values():
        target = outer.attrs.get("f") if outer.op in CALLS else None
        called = target.get("function") in filling if isinstance(target, dict) else False
        frame = walker.call(walker.main, outer) if called else None
        nodes = frame.nodes.values() if frame is not None else (outer,)
        for node in nodes:
            if node.op in _IMPORTS and len(node.inputs) > 2:
                yield frame or walker.main, node


def _largest(held: Json) -> int | None:
    """The largest of the integers of a constant."""
    if not isinstance(held, dict):
        return None
    listed = held.get("value", [held.get("largest")])
    known = [each for each in listed if type(each) is int] if isinstance(listed, list) else []
    return max(known, default=None)
