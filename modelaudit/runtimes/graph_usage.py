"""The operations and attributes that a model's graphs use, collected once for all targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from modelaudit.facts import Artifact, Graph, GraphFunction, GraphNode, Json
from modelaudit.formats.graph.dataflow import node_name
from modelaudit.graphs import reachable
from modelaudit.structs import PerObject
from modelaudit.work_budget import spend

GRAPH = "graph"


class GraphUsage(Struct, frozen=True):
    """The first occurrence of each operation, and of each attribute of one, as (where, node).

    Keys say whether the occurrence is in the main graph. Calls of the graph's own functions are
    skipped.
    """

    operations: dict[tuple[bool, str], tuple[str, GraphNode]] = field(default_factory=dict)
    attributes: dict[tuple[bool, str, str], tuple[str, GraphNode]] = field(default_factory=dict)


def _parts(graph: Graph) -> Iterator[tuple[str, Sequence[GraphNode]]]:
    """The graph and its functions, each with where it is."""
    yield GRAPH, graph.nodes
    for name, function in graph.functions.items():
        yield f"{GRAPH}/functions/{name}", function.nodes


def graph_nodes(graph: Graph) -> Iterator[tuple[str, GraphNode]]:
    """(where, node) of the graph and of its functions."""
    for where, nodes in _parts(graph):
        for node in nodes:
            yield where, node


def steps_of_batch(function: GraphFunction) -> GraphNode | None:
    """A node that counts the rows of a batch, and whose numbers take steps of its sequences.

    Sequences with their steps first are the transposed batch.
    """
    nodes = {node.name: node for node in function.nodes}
    taken: dict[str, list[str]] = {}  # tensor -> what numbers the slices of it, transposed
    for node in function.nodes:
        turned = _source(node, 0, nodes) if node.op == "StridedSlice" else None
        if turned is None or turned.op != "Transpose" or len(node.inputs) < 2:
            continue
        if _constant(_source(turned, 1, nodes))[:2] == [1, 0]:
            begin = _source(node, 1, nodes)
            packed = begin.inputs if begin is not None and begin.op == "Pack" else ()
            first = next(iter(packed), node.inputs[1])
            taken.setdefault(turned.inputs[0], []).append(node_name(first))
    numbering: dict[str, frozenset[str]] = {}
    for node in function.nodes if taken else ():
        batch = _first_axis_of(node, nodes) if node.op == "Range" else ""
        if batch not in taken:
            continue
        if batch not in numbering:
            numbering[batch] = frozenset(reachable(taken[batch], lambda name: _before(name, nodes)))
            spend(len(numbering[batch]))
        if node.name in numbering[batch]:
            return node
    return None


def shape_left_open(function: GraphFunction) -> GraphNode | None:
    """A `Reshape` to a constant shape with more than one axis of unknown size."""
    nodes = {node.name: node for node in function.nodes}
    for node in function.nodes:
        if node.op == "Reshape" and _constant(_source(node, 1, nodes)).count(-1) > 1:
            return node
    return None


def joined_behind(start: GraphNode, function: GraphFunction) -> GraphNode | None:
    """A node that joins sequences with others that do not depend on `start`, by their features."""
    nodes = {node.name: node for node in function.nodes}
    after: dict[str, list[str]] = {}
    for node in function.nodes:
        for source in node.inputs:
            after.setdefault(node_name(source), []).append(node.name)
    behind = set(reachable([start.name], lambda name: after.get(name, ())))
    spend(len(behind))
    for node in function.nodes:
        if node.op != "ConcatV2" or node.name not in behind:
            continue
        noted = node.attrs.get("_output_shapes")
        rank = len(noted[0]) if isinstance(noted, list) and isinstance(noted[0], list) else 0
        by_features = _constant(_source(node, len(node.inputs) - 1, nodes)) in ([-1], [rank - 1])
        others = [source for source in node.inputs[:-1] if node_name(source) not in behind]
        if rank > 2 and by_features and others:
            return node
    return None


def _before(name: str, nodes: Mapping[str, GraphNode]) -> list[str]:
    return [node_name(each) for each in nodes[name].inputs] if name in nodes else []


def _source(node: GraphNode, place: int, nodes: Mapping[str, GraphNode]) -> GraphNode | None:
    """The node that gives an input of another one."""
    return nodes.get(node_name(node.inputs[place])) if len(node.inputs) > place else None


def _constant(node: GraphNode | None) -> list[Json]:
    """The values of a constant; none of anything else."""
    value = node.attrs.get("value") if node is not None and node.op == "Const" else None
    values = value.get("value") if isinstance(value, dict) else None
    return values if isinstance(values, list) else []


def _first_axis_of(counted: GraphNode, nodes: Mapping[str, GraphNode]) -> str:
    """The tensor whose first axis a `Range` counts, else ""."""
    limit = _source(counted, 1, nodes)
    if limit is None or limit.op != "StridedSlice" or _constant(_source(limit, 1, nodes)) != [0]:
        return ""
    shape = _source(limit, 0, nodes)
    return shape.inputs[0] if shape is not None and shape.op == "Shape" and shape.inputs else ""


def _usage_of(artifact: Artifact) -> GraphUsage:
    """What the graphs of `artifact` use."""
    usage = GraphUsage()
    for graph in artifact.graphs:
        seen: dict[tuple[bool, str], set[str]] = {}  # attributes of operations
        for where, nodes in _parts(graph):
            in_main = where == GRAPH
            for node in nodes:
                if node.op in graph.functions:
                    continue
                known = seen.get((in_main, node.op))
                if known is None:
                    known = seen[in_main, node.op] = set()
                    usage.operations.setdefault((in_main, node.op), (where, node))
                elif known.issuperset(node.attrs):
                    continue
                for name in node.attrs:
                    known.add(name)
                    if not name.startswith("_"):
                        usage.attributes.setdefault((in_main, node.op, name), (where, node))
    return usage


usage_of = PerObject(_usage_of)
"""What the graphs of an artifact use."""
