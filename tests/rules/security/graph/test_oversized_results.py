"""Results whose size a constant sets, each beside a small one."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.rules.security.graph.extents import UNKNOWN, Extent
from modelaudit.rules.security.graph.op_extents import made
from modelaudit.rules.security.graph.shape_ops import accumulated, multiplied
from modelaudit.rules.security.graph.text_growth import _is_quick
from tests.made.graphs import Graph, Maker
from tests.rules.security.graph.costly import BIG, SMALL, WAYS, Build, dataset, found_in, looped


def wide_elements(graph: Graph, big: bool) -> None:
    """As many elements of 1 or of 16 bytes."""
    make = Maker(graph)
    filled = make.add("Fill", make.numbers(10**9), "x")
    node = graph.served[-1]
    node.attr["T"].type = pb.DT_COMPLEX128 if big else pb.DT_UINT8
    assert filled


def wide_table(graph: Graph, big: bool) -> None:
    """Two short lists whose sum is a table."""
    make = Maker(graph)
    count = make.numbers(10**6 if big else SMALL, scalar=True)
    line = make.add("LinSpace", "x", "x", count)
    column = make.add("ExpandDims", line, make.numbers(1, scalar=True))
    make.add("Maximum", line, column, output="z")


def sliced_size(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    sizes = make.numbers(3, 10**12 if big else 5, 7)
    one, two = (make.numbers(at) for at in (1, 2))
    size = make.add("StridedSlice", sizes, one, two, make.numbers(1))
    make.add("Fill", size, "x")


def accumulated_size(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    sizes = make.add(
        "Cumsum", make.numbers(9, 10**12 if big else 5), make.numbers(0, scalar=True), output="out"
    )
    end = make.numbers(2)
    last = make.add("StridedSlice", sizes, make.numbers(1), end, end, output="output")
    make.add("RandomUniform", last)


def shared_step(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    ends = make.numbers(5, 10**13 if big else 9)
    make.add("RaggedRange", make.numbers(0, 1), ends, make.numbers(1, scalar=True))


def cropped(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), BIG if big else SMALL
    boxes = make.numbers(*[0, 0, 1, 1])
    make.add("CropAndResize", "x", boxes, make.numbers(0), make.numbers(side, side))


def transposed_convolution(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), BIG if big else SMALL
    make.add("Conv2DBackpropInput", make.numbers(1, side, side, 3), "x", "x")


def convolution_filters(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), BIG if big else SMALL
    make.add("Conv3DBackpropFilterV2", "x", make.numbers(side, side, 1, 1, 1), "x")


def stitched(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    make.add("DynamicStitch", make.numbers(0, 10**12 if big else 3), "x", "x")


def identity_matrix(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    ones = make.add("Fill", make.numbers(BIG if big else SMALL), "x")
    make.add("MatrixDiag", ones)


def line(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    count = make.numbers(10**13 if big else SMALL, scalar=True)
    make.add("LinSpace", "x", "x", count)


def power(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    side = make.add("Pow", make.numbers(10), make.numbers(13 if big else 1), output="z")
    make.add("Fill", make.add("Cast", side, output="y"), "x")


def quotient(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    first = make.numbers(10**15 if big else 8)
    make.add("RandomUniform", make.add("FloorDiv", first, make.numbers(2), output="z"))


def parsed(graph: Graph, big: bool) -> None:
    tensor = pb.TensorProto(dtype=pb.DT_FLOAT, float_val=[1.0])
    tensor.tensor_shape.dim.add(size=10**13 if big else 1)
    text = graph.text(graph.served, "t", tensor.SerializeToString())
    graph.node(graph.served, "p", "ParseTensor", text)


def outer_product(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), 10**7 if big else SMALL
    row = make.add("Fill", make.numbers(1, side), "x")
    column = make.add("Fill", make.numbers(side, 1), "x")
    make.add("MatMul", column, row, output="product")


def gram(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), 10**7 if big else SMALL
    row = make.add("Fill", make.numbers(1, side), "x")
    make.add("MatMul", row, row, output="product")
    graph.served[-1].attr["transpose_a"].b = True


def broadcast(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), 10**7 if big else SMALL
    row = make.add("Fill", make.numbers(1, side), "x")
    make.add("Mul", row, make.add("Fill", make.numbers(side, 1), "x"), output="z")


def taken(graph: Graph, big: bool) -> None:
    make, side = Maker(graph), 10**7 if big else SMALL
    table = make.add("Fill", make.numbers(2, side), "x")
    make.add("GatherV2", table, make.add("Fill", make.numbers(side), "x"), make.numbers(0))


def doubled(graph: Graph, big: bool) -> None:
    make, value = Maker(graph), "x"
    axis = make.numbers(0, scalar=True)
    for _ in range(50 if big else 5):
        value = make.add("ConcatV2", value, value, axis)


def packed(graph: Graph, big: bool) -> None:
    make, value = Maker(graph), "x"
    for _ in range(50 if big else 5):
        value = make.add("Pack", value, value)


def joined(graph: Graph, big: bool) -> None:
    make, value = Maker(graph), graph.text(graph.served, "t", b"abc")
    for _ in range(50 if big else 5):
        value = make.add("StringJoin", value, value)


def doubled_by_calls(graph: Graph, big: bool) -> None:
    """Each function calls the next one twice, the last joins."""
    last = 45 if big else 4
    for number in range(last + 1):
        function = graph.function(f"f{number}", "v")
        function.signature.output_arg.add(name="o")
        axis = graph.numbers(function.node_def, "axis", 0, shape=())
        graph.node(function.node_def, "c", "ConcatV2", "v", "v", axis)
        function.ret["o"] = "c:output:0"
        if number < last:
            graph.call("n", f"f{number + 1}", "c:output:0", nodes=function.node_def)
    graph.call("first", "f0", "x", nodes=graph.served)


def grown_by_rounds(graph: Graph, big: bool) -> None:
    looped(graph, "Less", 60 if big else 5, grow=True)


def rewritten_by_rounds(graph: Graph, big: bool) -> None:
    """A pattern that is no word, in a loop that hands on a text that it begins with."""
    looped(graph, "Less", 60 if big else 5, grow=True)
    (twice,) = (node for node in graph.functions["body"].node_def if node.name == "twice")
    twice.op = "StaticRegexReplace"
    del twice.input[1:]
    twice.attr["pattern"].s, twice.attr["rewrite"].s = b"[a-z]", rb"\0\0"
    graph.node(graph.functions["body"].node_def, "same", "Identity", "twice:output:0")
    graph.functions["body"].ret["v"] = "same:output:0"
    loop = graph.served[-1]
    loop.input[1] = graph.text(graph.served, "text", b"a")


def batched_dataset(graph: Graph, big: bool) -> None:
    more = ("RepeatDataset", -1), ("BatchDataset", 10**13 if big else 5), ("TakeDataset", 1)
    dataset(graph, "RangeDataset", 9, *more)


def einsum(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    vector = make.add("Fill", make.numbers(10**7 if big else SMALL), "x")
    node = graph.node(graph.served, "e", "Einsum", vector, vector)
    node.attr["equation"].s = b"i,j->ij"


def blocks(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    make.add("SpaceToBatchND", "x", make.numbers(1), make.numbers(0, 10**14 if big else 3))


def doubled_text(graph: Graph, big: bool, op: str, **attributes: bytes) -> None:
    """A text that each of many operations makes twice as long."""
    value = graph.text(graph.served, "t", b"aa")
    for number in range(45 if big else 3):
        node = graph.node(graph.served, f"r{number}", op, value)
        for name, content in attributes.items():
            node.attr[name].s = content
        value = f"r{number}:output:0"


def rewritten(graph: Graph, big: bool) -> None:
    doubled_text(graph, big, "StaticRegexReplace", pattern=b"a", rewrite=b"aa")


def formatted(graph: Graph, big: bool) -> None:
    doubled_text(graph, big, "StringFormat", template=b"%s%s", placeholder=b"%s")


def shifted(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    make.add("Fill", make.add("LeftShift", make.numbers(1), make.numbers(45 if big else 2)), "x")


def ragged(graph: Graph, big: bool) -> None:
    make = Maker(graph)
    make.add("RaggedRange", *map(make.numbers, (0, 10**14 if big else 3, 1)))


def inflated_twice(graph: Graph, big: bool, between: str = "") -> None:
    value = graph.text(graph.served, "t", gzip.compress(gzip.compress(b"zeros")))
    for number in range(2 if big else 1):
        graph.node(graph.served, f"d{number}", "DecodeCompressed", value)
        value = f"d{number}:output:0"
        if between:
            graph.node(graph.served, f"b{number}", between, value)
            value = f"b{number}:output:0"


def inflated_and_joined(graph: Graph, big: bool) -> None:
    inflated_twice(graph, big, "StringJoin")


def inflated_and_split(graph: Graph, big: bool) -> None:
    inflated_twice(graph, big, "Unpack")


def inflated_and_passed(graph: Graph, big: bool) -> None:
    inflated_twice(graph, big, "Identity")


def inflated_by_rounds(graph: Graph, big: bool) -> None:
    looped(graph, "Less", 9 if big else 1)
    body = graph.functions["body"]
    graph.node(body.node_def, "d", "DecodeCompressed", "v")
    body.ret["v"] = "d:output:0"


CASES = [
    *(cropped, transposed_convolution, convolution_filters, stitched, identity_matrix, line),
    *(power, quotient, parsed, outer_product, gram, broadcast, taken),
    *(doubled, packed, joined, doubled_by_calls, grown_by_rounds, batched_dataset),
    *(inflated_twice, einsum, blocks, rewritten, formatted, shifted),
    *(ragged, rewritten_by_rounds, wide_table, sliced_size, accumulated_size, shared_step),
    *(wide_elements, inflated_and_joined, inflated_and_split, inflated_and_passed),
    inflated_by_rounds,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("build", CASES, ids=lambda each: each.__name__)
def test_a_result_that_is_too_large_is_named_and_a_small_one_is_not(
    build: Build, way: str, tmp_path: Path
) -> None:
    assert found_in(build, tmp_path, way) == [{"oversized-tensor"}, set()]


@pytest.mark.parametrize("count", range(5))
@pytest.mark.parametrize(
    "value", [UNKNOWN, Extent((2, 3), exact=True), Extent((), (7,), exact=True)]
)
def test_no_operation_needs_inputs_that_it_lacks(count: int, value: Extent) -> None:
    """A damaged graph has operations with any number of inputs."""
    for op in known_operations():
        made(op, [value] * count, {})


@pytest.mark.parametrize("pattern", ["(a|a)*b", "(a|a){99}b", "(a+)+b", "a*a*b", "x" * 65])
def test_patterns_that_may_take_long_are_not_tried(pattern: str) -> None:
    assert not _is_quick(pattern)


@pytest.mark.parametrize("pattern", ["a", "[a-z]", "a+", ".*", "(a)(b)", "a|b"])
def test_patterns_that_take_no_time_are_tried(pattern: str) -> None:
    assert _is_quick(pattern)


@pytest.mark.parametrize(("rows", "inner"), [(3, 2), (32, 1), (33, 1), (8, 3000)])
def test_only_small_matrices_are_multiplied(rows: int, inner: int) -> None:
    """A graph can make matrices of 1024 x 1024 from lists of 1024, and multiply them often."""
    numbers = [n % 7 for n in range(rows * inner)]
    given = [Extent(shape, tuple(numbers), exact=True) for shape in ((rows, inner), (inner, rows))]
    found = multiplied(given, {})
    one, other = (np.array(numbers).reshape(each.shape or ()) for each in given)
    assert found == ((one @ other).reshape(-1).tolist() if rows < 33 and inner < 3000 else None)


def test_sums_of_a_list_stay_bounded() -> None:
    found = accumulated("Cumprod", [-(2**62)] + [2**62] * 500, {})
    assert found is not None
    assert max(int(each).bit_length() for each in found if isinstance(each, int)) <= 129
