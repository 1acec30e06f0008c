"""The operations in a model's graphs that a rule checks, and when they run."""

from __future__ import annotations

from collections.abc import Set

from msgspec import Struct

from modelaudit.facts import Artifact, Format, Graph, GraphFunction, GraphNode
from modelaudit.formats.graph.dataflow import CALLS
from modelaudit.formats.graph.op_registry import OF_TENSORFLOW_JS, known_operations
from modelaudit.rules.security.graph.input_sources import OriginTracer, ValueOrigin
from modelaudit.rules.security.graph.reachability import (
    CallGraph,
    Reach,
    every_node,
    functions_of,
    recursive_functions,
)
from modelaudit.rules.security.op_threats import LOOPS, NATIVE, RUNS_GRAPH, WAITS, WATCHED
from modelaudit.structs import PerObject

_INTERESTING = frozenset({*WATCHED, *LOOPS, *WAITS, *NATIVE, RUNS_GRAPH})


class GraphOperation(Struct, frozen=True, eq=False):
    """A node that a rule checks.

    Attributes:
        node: the node.
        function: the function that contains it; None for the main graph.
        reach: when it runs.
        via: what runs it, as text for users; empty if nothing does.
        prefix: route of its graph, for graphs inside constants.
        sources: traces its inputs.
    """

    node: GraphNode
    function: GraphFunction | None
    reach: Reach
    via: str
    prefix: str
    sources: OriginTracer

    @property
    def route(self) -> str:
        """`function/NAME/NODE` or `graph/NODE`."""
        where = f"function/{self.function.name}" if self.function else "graph"
        return f"{self.prefix}{where}/{self.node.name}"

    def origins(self, index: int) -> tuple[ValueOrigin, ...]:
        """Where an input's value comes from; () if there is no such input."""
        inputs = [each for each in self.node.inputs if not each.startswith("^")]
        return self.sources.of(self.function, inputs[index]) if index < len(inputs) else ()


class EmbeddedGraph(Struct, frozen=True, eq=False):
    """A graph inside a string constant."""

    graph: Graph
    where: str
    reach: Reach
    via: str


class FollowedGraph(Struct, frozen=True, eq=False):
    """One of a model's graphs: its calls, and what holds it if it is inside a constant."""

    calls: CallGraph
    sources: OriginTracer
    prefix: str
    inside: EmbeddedGraph | None

    def operation(self, function: GraphFunction | None, node: GraphNode) -> GraphOperation:
        """A node of the graph, with when it runs: for an embedded one, when its holder does."""
        reach, via = self.calls.reach(function, node.name)
        if self.inside is not None:
            reach, via = self.inside.reach, self.inside.via
        return GraphOperation(node, function, reach, via, self.prefix, self.sources)


class GraphOperations(Struct, frozen=True):
    """The operations in a model's graphs that rules check."""

    watched: tuple[GraphOperation, ...]
    foreign: tuple[GraphOperation, ...]
    embedded: tuple[EmbeddedGraph, ...]
    graphs: tuple[FollowedGraph, ...] = ()


def graph_file(artifact: Artifact) -> str:
    """The file that contains the graph."""
    for entry in artifact.files:
        if entry.role == "graph":
            return entry.path
    return artifact.root.name


def _find(artifact: Artifact) -> GraphOperations:
    watched: list[GraphOperation] = []
    foreign: list[GraphOperation] = []
    embedded: list[EmbeddedGraph] = []
    known: Set[str] = known_operations().keys()
    if artifact.format is Format.TFJS_GRAPH:
        known = known | OF_TENSORFLOW_JS
    outer: list[CallGraph] = []
    graphs: list[FollowedGraph] = []
    for graph in artifact.graphs:
        calls = CallGraph(graph, artifact)
        sources = OriginTracer(calls, artifact)
        prefix, inside = "", None
        if where := graph.held_by:
            prefix = f"nested/{where}/"
            inside = EmbeddedGraph(graph, where, *_holder(outer, where))
            embedded.append(inside)
        else:
            outer.append(calls)
        followed = FollowedGraph(calls, sources, prefix, inside)
        graphs.append(followed)
        recursive = recursive_functions(graph)
        for function, node in every_node(graph):
            if node.op in graph.functions and node.op not in known:
                continue  # a call
            again = node.op in CALLS and _in_circle(function, node, recursive)
            if again or node.op in _INTERESTING or node.op not in known:
                found = followed.operation(function, node)
                ours = (node.op in known or node.op in WATCHED) and node.op not in NATIVE
                (watched if ours else foreign).append(found)
    return GraphOperations(tuple(watched), tuple(foreign), tuple(embedded), tuple(graphs))


def _in_circle(function: GraphFunction | None, node: GraphNode, recursive: frozenset[str]) -> bool:
    """Whether a call goes from one function of a recursion to the next."""
    if function is None or function.name not in recursive:
        return False
    return not recursive.isdisjoint(functions_of(node))


def _holder(outer: list[CallGraph], where: str) -> tuple[Reach, str]:
    for calls in outer:
        reach, via = calls.holder(where)
        if reach is not Reach.DEAD:
            return reach, via
    return Reach.DEAD, ""


operations = PerObject(_find)
"""Every operation in an artifact's graphs that a rule checks."""
