"""Operations of a model's graphs that a rule looks at, with when they run."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.facts import Artifact, Graph, GraphFunction, GraphNode
from modelaudit.formats.op_registry import known_operations
from modelaudit.rules.security.op_threats import LOOPS, SIZED, WATCHED
from modelaudit.rules.security.reach import NESTED, CallGraph, Reach, every_node
from modelaudit.rules.security.sources import Source, Sources
from modelaudit.rules.security.walk import PerArtifact

_INTERESTING = frozenset({*WATCHED, *LOOPS, *SIZED})


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A node worth a look.

    Attributes:
        node: the node.
        function: that it stands in; None for the main graph.
        reach: when it runs.
        via: what runs it, for people; empty where nothing does.
        prefix: where its graph stands, for graphs inside constants.
        sources: follows its inputs.
    """

    node: GraphNode
    function: GraphFunction | None
    reach: Reach
    via: str
    prefix: str
    sources: Sources

    @property
    def route(self) -> str:
        """`function/NAME/NODE` or `graph/NODE`."""
        where = f"function/{self.function.name}" if self.function else "graph"
        return f"{self.prefix}{where}/{self.node.name}"

    def origins(self, index: int) -> tuple[Source, ...]:
        """Where an input's value comes from; () where there is no such input."""
        inputs = [each for each in self.node.inputs if not each.startswith("^")]
        return self.sources.of(self.function, inputs[index]) if index < len(inputs) else ()


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A graph that a string constant holds."""

    graph: Graph
    where: str
    reach: Reach
    via: str


@dataclass(frozen=True, slots=True)
class Operations:
    """What a model's graphs hold that is worth a look."""

    watched: tuple[Operation, ...]
    foreign: tuple[Operation, ...]
    embedded: tuple[Embedded, ...]


def graph_file(artifact: Artifact) -> str:
    """The file that holds the graph."""
    for entry in artifact.files:
        if entry.role == "graph":
            return entry.path
    return artifact.root.name


def _find(artifact: Artifact) -> Operations:
    watched: list[Operation] = []
    foreign: list[Operation] = []
    embedded: list[Embedded] = []
    known = known_operations()
    outer: list[CallGraph] = []
    for graph in artifact.graphs:
        calls = CallGraph(graph, artifact)
        sources = Sources(calls, artifact)
        prefix, inside = "", None
        if graph.tags[:1] == (NESTED,):
            where = graph.tags[1]
            prefix = f"nested/{where}/"
            inside = Embedded(graph, where, *_holder(outer, where))
            embedded.append(inside)
        else:
            outer.append(calls)
        for function, node in every_node(graph):
            if node.op in _INTERESTING or node.op not in known:
                reach, via = calls.reach(function, node.name)
                if inside is not None:  # runs when what holds it does
                    reach, via = inside.reach, inside.via
                found = Operation(node, function, reach, via, prefix, sources)
                (watched if node.op in known else foreign).append(found)
    return Operations(tuple(watched), tuple(foreign), tuple(embedded))


def _holder(outer: list[CallGraph], where: str) -> tuple[Reach, str]:
    for calls in outer:
        reach, via = calls.holder(where)
        if reach is not Reach.DEAD:
            return reach, via
    return Reach.DEAD, ""


operations = PerArtifact(_find)
"""Every operation of an artefact's graphs that a rule looks at."""
