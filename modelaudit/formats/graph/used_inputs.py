"""Which inputs of a graph its outputs depend on."""

from __future__ import annotations

from collections.abc import Iterable

from modelaudit.facts import Graph
from modelaudit.formats.graph.dataflow import GraphWalker, NodeOutput


def used_inputs(graph: Graph, outputs: Iterable[str]) -> set[str]:
    """The placeholders from which some way leads to one of these outputs.

    An operation of any kind, a loop as well, counts as one that uses all that it gets.

    Raises:
        LimitExceeded: the graph is too large to follow.
    """
    walker = GraphWalker(graph, {})
    pending = [(walker.main, reference) for reference in outputs]
    seen: set[tuple[int, str]] = set()
    found: set[str] = set()
    while pending:
        place = walker.origin(*pending.pop())
        if not isinstance(place, NodeOutput) or (id(place.frame), place.node.name) in seen:
            continue
        seen.add((id(place.frame), place.node.name))
        if place.node.op == "Placeholder":
            found.add(place.node.name)
        pending += [(place.frame, each) for each in place.node.inputs if each[:1] != "^"]
    return found
