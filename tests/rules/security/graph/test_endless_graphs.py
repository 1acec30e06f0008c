"""Loops, datasets and waits that do not end, each beside one that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.made.graphs import Graph, Maker
from tests.rules.security.graph.costly import WAYS, Build, dataset, found_in, looped


def many_rounds(graph: Graph, big: bool) -> None:
    looped(graph, "Less", 10**17 if big else 20)


def rounds_from_far_below(graph: Graph, big: bool) -> None:
    looped(graph, "LessEqual", 0, start=-(10**15) if big else -3)


def away_from_the_bound(graph: Graph, big: bool) -> None:
    looped(graph, "Greater", 0, start=1 if big else -1)


def rounds_in_rounds(graph: Graph, big: bool) -> None:
    """A loop of 100,000 rounds in a function that a loop of 100,000 rounds calls."""
    looped(graph, "Less", 10**5 if big else 10)
    graph.functions["body"].node_def.add(name="c", op="StatefulPartitionedCall", input=["v"]).attr[
        "f"
    ].func.name = "again"
    again = graph.function("again", "x")
    served, graph.served = graph.served, again.node_def
    inner = Graph()
    looped(inner, "Less", 10**5 if big else 10)
    for name in ("when", "body"):
        function = graph.graph.library.function.add()
        function.CopyFrom(inner.functions[name])
        function.signature.name = f"{name}2"
    for node in inner.served:
        again.node_def.add().CopyFrom(node)
    loop = again.node_def[-1]
    loop.attr["cond"].func.name, loop.attr["body"].func.name = "when2", "body2"
    graph.served = served


def old_loop(graph: Graph, big: bool) -> None:
    graph.old_loop(10**16 if big else 9)
    graph.node(graph.graph.node, "exit", "Exit", "switch")
    graph.meta.signature_def["serving_default"].outputs["z"].name = "exit:0"


def long_dataset(graph: Graph, big: bool) -> None:
    dataset(graph, "RangeDataset", 10**17 if big else 9)


def repeated_dataset(graph: Graph, big: bool) -> None:
    dataset(graph, "RangeDataset", 9, ("RepeatDataset", -1 if big else 2))


def skipped_dataset(graph: Graph, big: bool) -> None:
    more = ("RepeatDataset", -1), ("SkipDataset", 10**15 if big else 5), ("TakeDataset", 1)
    dataset(graph, "RangeDataset", 9, *more)


def queue(graph: Graph, big: bool, make: str, take: str, put: str) -> None:
    graph.node(graph.served, "q", make)
    graph.node(graph.served, "take", take, "q:handle:0")
    if not big:
        graph.node(graph.served, "put", put, "q:handle:0", "x")


def empty_queue(graph: Graph, big: bool) -> None:
    queue(graph, big, "FIFOQueueV2", "QueueDequeueV2", "QueueEnqueueV2")


def empty_stage(graph: Graph, big: bool) -> None:
    queue(graph, big, "NoOp", "Unstage", "Stage")


def empty_barrier(graph: Graph, big: bool) -> None:
    queue(graph, big, "Barrier", "BarrierTakeMany", "BarrierInsertMany")


def until_equal(graph: Graph, big: bool) -> None:
    looped(graph, "NotEqual", 10**16 if big else 9)


def beside_the_bound(graph: Graph, big: bool) -> None:
    """A counter that passes the number that it is compared with."""
    looped(graph, "NotEqual", -1 if big else 9)


def not_at_least(graph: Graph, big: bool) -> None:
    looped(graph, "GreaterEqual", 10**16 if big else 9)
    when = graph.functions["when"]
    graph.node(when.node_def, "turned", "LogicalNot", "less:z:0")
    when.ret["c"] = "turned:y:0"


def counted(graph: Graph, big: bool) -> None:
    body = graph.function("body", "i", "v")
    body.signature.output_arg.add(name="v")
    body.ret["v"] = "v"
    make = Maker(graph)
    numbers = [make.numbers(value, scalar=True) for value in (0, 2 * 10**9 if big else 5, 1)]
    graph.node(graph.served, "for", "For", *numbers, "x").attr["body"].func.name = "body"


def random_dataset(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    found = make.add("RandomDataset", "x", "x", output="handle")
    if not big:
        found = make.add("TakeDataset", found, make.numbers(5, scalar=True), output="handle")
    make.add("ReduceDataset", found, "x")


CASES = [
    *(
        many_rounds,
        rounds_from_far_below,
        away_from_the_bound,
        rounds_in_rounds,
        old_loop,
        long_dataset,
    ),
    *(repeated_dataset, skipped_dataset, empty_queue, empty_stage, empty_barrier, until_equal),
    *(beside_the_bound, not_at_least, counted, random_dataset),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("build", CASES, ids=lambda each: each.__name__)
def test_what_does_not_end_is_named_and_what_ends_is_not(
    build: Build, way: str, tmp_path: Path
) -> None:
    assert found_in(build, tmp_path, way) == [{"graph-never-ends"}, set()]
