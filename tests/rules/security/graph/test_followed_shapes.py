"""Shapes that inputs and attributes of rarer operations set, or that pass through others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.made.graphs import Graph, Maker
from tests.rules.security.graph.costly import WAYS, Build, dataset, found_in


def between(op: str) -> Build:
    """Doubled again and again, with another operation after each time."""

    def build(graph: Graph, big: bool) -> None:
        make, value = Maker(graph), "x"
        axis = make.numbers(0, scalar=True)
        for _ in range(50 if big else 5):
            value = make.add(op, make.add("ConcatV2", value, value, axis))

    build.__name__ = f"doubled_and_{op}"
    return build


def shaped_by(op: str, at: int, count: int) -> Build:
    """The sizes of a result are one of the inputs, a list of so many or a number."""

    def build(graph: Graph, big: bool) -> None:
        make = Maker(graph)
        size = (10**13 if count < 2 else 10**7) if big else 3
        sizes = make.numbers(*[size] * max(count, 1), scalar=not count)
        make.add(op, *["x"] * at, sizes)

    build.__name__ = f"shaped_by_{op}"
    return build


def shaped_by_attribute(op: str, name: str, inputs: int = 1, **more: int) -> Build:
    def build(graph: Graph, big: bool) -> None:
        size = 10**11 if big else 3
        node = graph.node(graph.served, "n", op, *["x"] * inputs)
        if name == "shape":
            node.attr[name].shape.dim.add(size=size)
        elif name == "ksizes":
            node.attr[name].list.i.extend([1, size, size, 1])
        else:
            node.attr[name].i = size
        for other, value in more.items():
            node.attr[other].i = value

    build.__name__ = f"shaped_by_{name}_of_{op}"
    return build


def part_of_sizes(op: str, output: str, before: bool = False, **attributes: int) -> Build:
    """The size is one part of a list that is split."""

    def build(graph: Graph, big: bool) -> None:
        make = Maker(graph)
        sizes = make.numbers(3, 10**12 if big else 5)
        axis = make.numbers(0, scalar=True)
        more = {"SplitV": [make.numbers(1, 1), axis], "Slice": [make.numbers(1)] * 2}.get(op, [])
        part = make.add(op, *[axis] * before, sizes, *more, output=output)
        for name, value in attributes.items():
            graph.served[-1].attr[name].i = value
        make.add("Fill", part.removesuffix(":0") if op != "Slice" else part, "x")

    build.__name__ = f"part_by_{op}"
    return build


def branched(graph: Graph, big: bool) -> None:
    """The same size in both branches, of which the input chooses one."""
    for name in ("yes", "no"):
        function = graph.function(name, "v")
        function.signature.output_arg.add(name="o")
        graph.numbers(function.node_def, "size", 10**12 if big else 5)
        (last,) = [each.name for each in function.node_def][-1:]
        function.ret["o"] = (
            f"{last}:{'z' if last == 'size' and len(function.node_def) > 1 else 'output'}:0"
        )
    node = graph.node(graph.served, "if", "StatelessIf", "x", "x")
    node.attr["then_branch"].func.name, node.attr["else_branch"].func.name = "yes", "no"
    Maker(graph).add("Fill", "if:output:0", "x")


def padded_batches(graph: Graph, big: bool) -> None:
    make = dataset(graph, "RangeDataset", 9)
    rows, longest = make.numbers(3, scalar=True), make.numbers(10**12 if big else 5)
    numbers = (make.numbers(each, scalar=True) for each in (0, 9, 1))
    make.add("PaddedBatchDatasetV2", make.add("RangeDataset", *numbers), rows, longest)


def wide_text(graph: Graph, big: bool) -> None:
    graph.node(graph.served, "s", "AsString", "x").attr["width"].i = 10**11 if big else 9


def beside_the_diagonal(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    ones = make.add("Fill", make.numbers(2), "x")
    make.add("MatrixDiagV3", ones, make.numbers(10**6 if big else 1, scalar=True))


def windows(graph: Graph, big: bool) -> None:
    """Each value of a map of 1,000 times 1,000 in as many windows as they have values."""
    make = Maker(graph)
    maps = make.add("Fill", make.numbers(1, 1000, 1000, 1), "x")
    make.add("ExtractImagePatches", maps)
    node = graph.served[-1]
    node.attr["padding"].s = b"SAME"
    node.attr["ksizes"].list.i.extend([1, 100, 100, 1] if big else [1, 3, 3, 1])
    node.attr["strides"].list.i.extend([1, 1, 1, 1])


def channels(graph: Graph, big: bool) -> None:
    """A convolution that makes many maps of one."""
    make = Maker(graph)
    maps = make.add("Fill", make.numbers(1, 1000, 1000, 1), "x")
    filters = make.add("Fill", make.numbers(1, 1, 1, 10_000 if big else 8), "x")
    make.add("Conv2D", maps, filters)
    node = graph.served[-1]
    node.attr["padding"].s = b"SAME"
    node.attr["strides"].list.i.extend([1, 1, 1, 1])


def filled_up(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    make.add("NonMaxSuppressionV4", "x", "x", make.numbers(10**12 if big else 9, scalar=True))
    graph.served[-1].attr["pad_to_max_output_size"].b = True


def chosen(graph: Graph, big: bool) -> None:
    """The larger of two sizes, which a constant condition chooses."""
    make = Maker(graph)
    limit, end = (make.numbers(each, scalar=True) for each in (100, 10**12 if big else 5))
    truth = make.add("Less", limit, end, output="z")
    make.add("Fill", make.add("SelectV2", truth, end, limit), "x")


CASES = [
    *(windows, channels, filled_up, chosen),
    *map(between, ("Lgamma", "BiasAdd", "Softsign", "FusedBatchNormV3", "RandomShuffle")),
    *(shaped_by("StatelessRandomPoisson", 0, 2), shaped_by("StatefulUniformInt", 2, 2)),
    *(shaped_by("HistogramFixedWidth", 2, 0), shaped_by("SobolSample", 1, 0)),
    *(shaped_by("SparseSegmentMeanGrad", 3, 0), shaped_by("ResizeNearestNeighborGrad", 1, 2)),
    shaped_by_attribute("LogUniformCandidateSampler", "num_sampled"),
    shaped_by_attribute("FakeParam", "shape", 0),
    shaped_by_attribute("DecodeWav", "desired_samples", desired_channels=2),
    shaped_by_attribute("ExtractImagePatches", "ksizes"),
    shaped_by_attribute("MutableDenseHashTableV2", "initial_num_buckets"),
    part_of_sizes("Split", "output:1", before=True, num_split=2),
    part_of_sizes("SplitV", "output:1", num_split=2),
    part_of_sizes("Unpack", "output:1", num=2),
    part_of_sizes("Slice", "output"),
    *(branched, padded_batches, wide_text, beside_the_diagonal),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("build", CASES, ids=lambda each: each.__name__)
def test_a_large_shape_is_named_and_a_small_one_is_not(
    build: Build, way: str, tmp_path: Path
) -> None:
    assert found_in(build, tmp_path, way) == [{"oversized-tensor"}, set()]
