"""The operations and attributes that a model's graphs use, collected once for all targets."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from modelaudit.facts import Artifact, Graph, GraphNode

GRAPH = "graph"


class GraphUsage(Struct, frozen=True):
    """The first occurrence of each operation, and of each attribute of one, as (where, node).

    Keys say whether the occurrence is in the main graph. Calls of the graph's own functions are
    skipped.
    """

    operations: dict[tuple[bool, str], tuple[str, GraphNode]] = field(default_factory=dict)
    attributes: dict[tuple[bool, str, str], tuple[str, GraphNode]] = field(default_factory=dict)


def graph_nodes(graph: Graph) -> Iterator[tuple[str, GraphNode]]:
    """(where, node) of the graph and of its functions."""
    for node in graph.nodes:
        yield GRAPH, node
    for name, function in graph.functions.items():
        for node in function.nodes:
            yield f"{GRAPH}/functions/{name}", node


def usage_of(artifact: Artifact) -> GraphUsage:
    """What the graphs of `artifact` use."""
    usage = GraphUsage()
    for graph in artifact.graphs:
        for where, node in graph_nodes(graph):
            if node.op in graph.functions:
                continue
            in_main = where == GRAPH
            usage.operations.setdefault((in_main, node.op), (where, node))
            for name in node.attrs:
                if not name.startswith("_"):
                    usage.attributes.setdefault((in_main, node.op, name), (where, node))
    return usage
