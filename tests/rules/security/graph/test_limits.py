"""Endless loops and oversized tensors, and similar benign ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.findings import Severity
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.made.graphs import Graph


def names(graph: Graph, folder: Path) -> list[str]:
    return [found.name for found in graph.findings(folder)]


def truth(graph: Graph, nodes, name: str, value: bool) -> str:
    tensor = graph.node(nodes, name, "Const").attr["value"].tensor
    tensor.dtype = pb.DT_BOOL
    tensor.bool_val.append(value)
    return f"{name}:output:0"


def always(graph: Graph, nodes) -> str:
    return truth(graph, nodes, "yes", True)


def never_not(graph: Graph, nodes) -> str:
    graph.node(nodes, "c", "LogicalNot", truth(graph, nodes, "no", False))
    return "c:y:0"


def zero_less_than_one(graph: Graph, nodes) -> str:
    numbers = [graph.numbers(nodes, str(number), number, shape=()) for number in (0, 1)]
    graph.node(nodes, "c", "Less", *numbers)
    return "c:z:0"


def below_ten(argument: str) -> Callable[[Graph, object], str]:
    def condition(graph: Graph, nodes) -> str:
        graph.node(nodes, "c", "Less", argument, graph.numbers(nodes, "ten", 10, shape=()))
        return "c:z:0"

    return condition


def or_else(graph: Graph, nodes) -> str:
    below_ten("i")(graph, nodes)
    graph.node(nodes, "either", "LogicalOr", "c:z:0", truth(graph, nodes, "yes", True))
    return "either:z:0"


def called(graph: Graph, nodes) -> str:
    inner = graph.function("inner")
    inner.signature.output_arg.add(name="o")
    inner.ret["o"] = always(graph, inner.node_def)
    graph.call("c", "inner", nodes=nodes)
    return "c:output:0"


@pytest.mark.parametrize(
    ("condition", "endless"),
    [
        (always, True),
        (never_not, True),
        (zero_less_than_one, True),
        (or_else, True),
        (called, True),
        (below_ten("unchanged"), True),
        (below_ten("i"), False),
    ],
)
@pytest.mark.parametrize("op", ["While", "StatelessWhile"])
def test_loops(
    tmp_path: Path, op: str, condition: Callable[[Graph, object], str], endless: bool
) -> None:
    """A loop whose body increments `i` from 0 and does not change the other value."""
    graph = Graph()
    when, body = (graph.function(name, "i", "unchanged") for name in ("when", "body"))
    when.signature.output_arg.add(name="c")
    when.ret["c"] = condition(graph, when.node_def)
    graph.node(body.node_def, "sum", "AddV2", "i", graph.numbers(body.node_def, "1", 1, shape=()))
    graph.node(body.node_def, "same", "Identity", "unchanged")
    for name, value in (("o0", "sum:z:0"), ("o1", "same:output:0")):
        body.signature.output_arg.add(name=name)
        body.ret[name] = value
    start = graph.numbers(graph.served, "start", 0, shape=())
    loop = graph.node(graph.served, "loop", op, start, start)
    loop.attr["cond"].func.name = "when"
    loop.attr["body"].func.name = "body"
    assert names(graph, tmp_path) == (["graph-never-ends"] if endless else [])


def test_mutually_recursive_functions(tmp_path: Path) -> None:
    graph = Graph()
    for name, other in (("a", "b"), ("b", "a"), ("before", "a"), ("after", "leaf")):
        graph.call("c", other, "x", nodes=graph.function(name, "x").node_def)
    graph.function("leaf", "x")
    graph.call("after", "after", "x", nodes=graph.functions["a"].node_def)
    (dead,) = graph.findings(tmp_path / "dead")
    assert (dead.name, dead.severity) == ("graph-never-ends", Severity.LOW)
    graph.call("c", "before", "x", nodes=graph.served)
    (live,) = graph.findings(tmp_path / "live")
    assert (str(live.location.route), live.severity) == ("function/a/c", Severity.HIGH)
    assert "2 such calls" in live.detail


SIDE = 10**6


def dims(graph: Graph, side: int) -> str:
    parts = [graph.numbers(graph.served, name, side, shape=()) for name in ("a", "b")]
    graph.node(graph.served, "dims", "Pack", *parts)
    return "dims:output:0"


def fill(graph: Graph, side: int) -> None:
    graph.node(graph.served, "f", "Fill", dims(graph, side), "x")


def tile(graph: Graph, side: int) -> None:
    graph.node(graph.served, "f", "Tile", "x", dims(graph, side))


def multiplied(graph: Graph, side: int) -> None:
    numbers = [graph.numbers(graph.served, name, side) for name in ("a", "b")]
    graph.node(graph.served, "m", "Mul", *numbers)
    graph.node(graph.served, "f", "Fill", "m:z:0", "x")


def passed(graph: Graph, side: int) -> None:
    graph.node(graph.function("inner", "d").node_def, "f", "Fill", "d", "d")
    graph.call("c", "inner", dims(graph, side), nodes=graph.served)


def padded(graph: Graph, side: int) -> None:
    amounts = graph.numbers(graph.served, "n", 0, side * side, 0, 0, shape=(2, 2))
    graph.node(graph.served, "f", "PadV2", "x", amounts, "x")


def declared(graph: Graph, side: int) -> None:
    graph.numbers(graph.served, "n", 1, shape=(side, side))


@pytest.mark.parametrize("make", [fill, tile, multiplied, passed, padded, declared])
@pytest.mark.parametrize(("side", "expected"), [(SIDE, ["oversized-tensor"]), (10, [])])
def test_sizes(
    tmp_path: Path, make: Callable[[Graph, int], None], side: int, expected: list[str]
) -> None:
    graph = Graph()
    make(graph, side)
    assert names(graph, tmp_path) == expected
