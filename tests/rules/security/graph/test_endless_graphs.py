"""Loops, datasets and waits that do not end, each beside one that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
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


def fractions(first: float, step: float, bound: float, op: str = "Less") -> Build:
    """A counter of fractions; the honest one takes 100 steps."""

    def build(graph: Graph, big: bool) -> None:
        looped(graph, op, 1)
        few = (1.0, -0.01, 0.0) if op == "Greater" else (0.0, 0.01, 1.0)
        chosen = (first, step, bound) if big else few
        values = dict(zip(("first", "one", "bound"), chosen, strict=True))
        body, when = (graph.functions[name].node_def for name in ("body", "when"))
        for node in (*graph.graph.node, *graph.served, *body, *when):
            name, _, part = node.name.partition("_")  # the sum of two, or the number itself
            if node.op == "Const" and name in values:
                tensor = node.attr["value"].tensor
                tensor.Clear()
                tensor.dtype = pb.DT_FLOAT
                tensor.float_val.append(0.0 if part == "0" else values[name])

    build.__name__ = f"fractions_{op}_{first}_{step}_{bound}"
    return build


def multiplied(factor: float, bound: float, op: str = "Mul") -> Build:
    """A counter that starts at 1 and that each round multiplies or divides; 2 in the honest one."""

    def build(graph: Graph, big: bool) -> None:
        few = 0.5 if factor < 1 else 2.0
        compared = "Less" if bound > 1 else "Greater"
        fractions(1.0, factor if big else few, bound, compared)(graph, True)
        (more,) = (each for each in graph.functions["body"].node_def if each.name == "more")
        more.op = op

    build.__name__ = f"multiplied_{op}_{factor}_{bound}"
    return build


def condition(graph: Graph, big: bool, op: str, *more: str) -> None:
    """A loop of 9 rounds whose condition an operation joins with another one."""
    looped(graph, "Less", 9)
    when = graph.functions["when"]
    node = graph.node(when.node_def, "always", "Const")
    tensor = node.attr["value"].tensor
    tensor.dtype = pb.DT_BOOL
    tensor.bool_val.append(big)
    graph.node(when.node_def, "both", op, "less:z:0", "always:output:0")
    when.ret["c"] = "both:z:0"


def or_always(graph: Graph, big: bool) -> None:
    condition(graph, big, "LogicalOr")


def always(graph: Graph, big: bool) -> None:
    condition(graph, big, "LogicalOr")
    if big:
        graph.functions["when"].ret["c"] = "always:output:0"


def all_of_it(graph: Graph, big: bool) -> None:
    looped(graph, "Less", 10**17 if big else 9)
    when = graph.functions["when"]
    axis = graph.numbers(when.node_def, "axes", 0, shape=(0,))
    graph.node(when.node_def, "all", "All", "less:z:0", axis)
    when.ret["c"] = "all:output:0"


def changed_counter(graph: Graph, big: bool, op: str) -> None:
    """A counter that an operation leaves as it is, or that the next line adds to."""
    looped(graph, "Less", 9)
    body = graph.functions["body"]
    graph.node(body.node_def, "same", op, "i", graph.numbers(body.node_def, "n", 1, shape=()))
    if big:
        body.ret["i"] = f"same:{'y' if op == 'Minimum' else 'z'}:0"


def times_one(graph: Graph, big: bool) -> None:
    changed_counter(graph, big, "Mul")


def never_above(graph: Graph, big: bool) -> None:
    changed_counter(graph, big, "Minimum")


def to_the_power(graph: Graph, big: bool) -> None:
    changed_counter(graph, big, "Pow")


def zipped_dataset(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    values = [make.numbers(value, scalar=True) for value in (0, 10**15 if big else 9, 1)]
    one, other = (make.add("RangeDataset", *values, output="handle") for _ in range(2))
    make.add("ReduceDataset", make.add("ZipDataset", one, other, output="handle"), "x")


def flattened_dataset(graph: Graph, big: bool) -> None:
    inner = graph.function("inner", "a")
    ends = (("zero", 0), ("end", 10**5 if big else 9), ("one", 1))
    outputs = [graph.numbers(inner.node_def, name, value, shape=()) for name, value in ends]
    graph.node(inner.node_def, "range", "RangeDataset", *outputs)
    graph.node(inner.node_def, "same", "Identity", "range:handle:0")  # as TensorFlow returns it
    inner.signature.output_arg.add(name="o")
    inner.ret["o"] = "same:output:0"
    make = Maker(graph)
    values = [make.numbers(value, scalar=True) for value in (0, 10**5 if big else 9, 1)]
    found = make.add("RangeDataset", *values, output="handle")
    flat = make.add("FlatMapDataset", found, output="handle")
    graph.served[-1].attr["f"].func.name = "inner"
    make.add("ReduceDataset", flat, "x")


def sleeping_dataset(graph: Graph, big: bool) -> None:
    dataset(graph, "RangeDataset", 10**4, ("SleepDataset", 10**6 if big else 5))


CASES = [
    *(fractions(0.0, 1e-12, 1.0), fractions(0.0, 1.0, 1e30), fractions(0.0, 0.0, 1.0)),
    *(fractions(0.0, 1e-15, 0.5, "LessEqual"), fractions(1.0, -1e-13, 0.0, "Greater")),
    *(or_always, always, all_of_it, times_one, never_above, to_the_power),
    *(
        multiplied(1 + 1e-8, 1e30),
        multiplied(1 - 1e-8, 1e-6),
        multiplied(1 + 1e-9, 1e-9, "RealDiv"),
    ),
    *(zipped_dataset, flattened_dataset, sleeping_dataset),
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
