"""The operations and attributes that a model's graphs use, collected once for all targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from modelaudit.facts import Artifact, Graph, GraphNode
from modelaudit.structs import PerObject

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
