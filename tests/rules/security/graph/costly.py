"""Graphs that cost much or little, by one constant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.made.graphs import Graph, Maker

BIG, SMALL = 10**6, 4
Build = Callable[[Graph, bool], object]


# How the constants reach the operations.
WAYS = ("constant", "computed", "passed")


def found_in(build: Build, folder: Path, way: str = "constant") -> list[set[str]]:
    """The names of the findings in the graph that costs much, and in the one that costs little."""
    found = []
    for big in (True, False):
        graph = Graph(way)
        build(graph, big)
        found.append({each.name for each in graph.findings(folder / str(big))})
    return found


def looped(graph: Graph, op: str, count: int, grow: bool = False, start: int = 0) -> None:
    when, body = (graph.function(name, "i", "v") for name in ("when", "body"))
    when.signature.output_arg.add(name="c")
    bound = graph.numbers(when.node_def, "bound", count, shape=())
    graph.node(when.node_def, "less", op, "i", bound)
    when.ret["c"] = "less:z:0"
    one = graph.numbers(body.node_def, "one", 1, shape=())
    graph.node(body.node_def, "more", "AddV2", "i", one)
    axis = graph.numbers(body.node_def, "axis", 0, shape=())
    graph.node(body.node_def, "twice", "ConcatV2", "v", "v", axis)
    for name, value in (("i", "more:z:0"), ("v", "twice:output:0" if grow else "v")):
        body.signature.output_arg.add(name=name)
        body.ret[name] = value
    first = graph.numbers(graph.served, "first", start, shape=())
    loop = graph.node(graph.served, "loop", "StatelessWhile", first, "x")
    loop.attr["cond"].func.name = "when"
    loop.attr["body"].func.name = "body"


def dataset(graph: Graph, op: str, items: int, *after: tuple[str, int]) -> Maker:
    make = Maker(graph)
    values = [make.numbers(value, scalar=True) for value in (0, items, 1)]
    found = make.add(op, *values, output="handle")
    for name, number in after:
        found = make.add(name, found, make.numbers(number, scalar=True), output="handle")
    make.add("ReduceDataset", found, "x")
    return make
