"""Graphs whose cost a small input decides, each beside one whose cost stays in proportion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.findings import Finding, Severity
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.rules.security.graph.extents import supposed
from tests.made.graphs import Graph, Maker
from tests.rules.security.graph.costly import looped


def given(graph: Graph, name: str, *sizes: int, dtype: int = pb.DT_FLOAT) -> str:
    """An input of the model, as an argument of the function that it runs."""
    graph.placeholder(name, *sizes, dtype=dtype)
    (call,) = [each for each in graph.graph.node if each.name == "call"]
    call.input.append(name)
    graph.functions["served"].signature.input_arg.add(name=name)
    return name


def number(graph: Graph, name: str = "n") -> str:
    return given(graph, name, dtype=pb.DT_INT64)


def length(graph: Graph, of: str, axis: int) -> str:
    """The length of an axis, as a scalar."""
    make = Maker(graph)
    shape = make.add("Shape", of)
    graph.served[-1].attr["out_type"].type = pb.DT_INT64
    at, end, step = (make.numbers(each) for each in (axis, axis + 1, 1))
    cut = make.add("StridedSlice", shape, at, end, step)
    graph.served[-1].attr["shrink_axis_mask"].i = 1
    return cut


def table(graph: Graph, width: int) -> None:
    """Each of n elements with each of n others, that many times: queries, keys and heads."""
    make = Maker(graph)
    tokens = given(graph, "tokens", -1, -1, 64)
    transposed = make.add("Transpose", tokens, make.numbers(0, 2, 1), output="y")
    scores = make.add("BatchMatMulV2", tokens, transposed)
    make.add("Tile", scores, make.numbers(width, 1, 1))


def fill(graph: Graph) -> None:
    Maker(graph).add("Fill", given(graph, "sizes", 2, dtype=pb.DT_INT32), "x")


def tile(graph: Graph) -> None:
    make = Maker(graph)
    make.add("Tile", make.numbers(*range(64)), given(graph, "times", 1, dtype=pb.DT_INT64))


def counted(graph: Graph) -> None:
    make = Maker(graph)
    make.add("Range", make.numbers(0, scalar=True), number(graph), make.numbers(1, scalar=True))


def diagonal(graph: Graph) -> None:
    Maker(graph).add("Diag", line(graph, number(graph)))


def line(graph: Graph, count: str) -> str:
    make = Maker(graph)
    return make.add("Range", make.numbers(0, scalar=True), count, make.numbers(1, scalar=True))


def batch_of_numbers(graph: Graph) -> None:
    """As servers send it: one number for each sample."""
    make = Maker(graph)
    sizes = given(graph, "sizes", -1, 1, dtype=pb.DT_INT32)
    make.add("Fill", make.add("Reshape", sizes, make.numbers(1)), "x")


def cube(graph: Graph) -> None:
    """N elements for each of n for each of n."""
    make = Maker(graph)
    values = given(graph, "values", -1)
    size = length(graph, values, 0)
    sizes = make.add("Pack", size, size, size)
    make.add("BroadcastTo", values, sizes)


def broadcast(graph: Graph) -> None:
    """Each element of an input with each of two others."""
    make = Maker(graph)
    shapes = (1, -1, 1, 1), (1, 1, -1, 1), (1, 1, 1, -1)
    one, two, three = (given(graph, f"x{n}", *shape) for n, shape in enumerate(shapes))
    make.add("AddV2", make.add("AddV2", one, two, output="z"), three, output="z")


def deep_one_hot(graph: Graph) -> None:
    make = Maker(graph)
    tokens = given(graph, "tokens", -1, -1, dtype=pb.DT_INT32)
    make.add("OneHot", tokens, make.numbers(10**7, scalar=True), "x")


def loop_to(graph: Graph, bound: str) -> None:
    """Counts to an argument of the loop."""
    looped(graph, "Less", 4)
    when, body = graph.functions["when"], graph.functions["body"]
    for function in (when, body):
        function.signature.input_arg.add(name="end")
    body.signature.output_arg.add(name="end")
    body.ret["end"] = "end"
    (less,) = [node for node in when.node_def if node.op == "Less"]
    less.input[1] = "end"
    (loop,) = [node for node in graph.served if node.name == "loop"]
    loop.input.append(bound)


def rounds_by_number(graph: Graph) -> None:
    loop_to(graph, number(graph))


def rounds_by_square(graph: Graph) -> None:
    make = Maker(graph)
    size = length(graph, given(graph, "tokens", -1, -1, 8), 1)
    square = make.add("Mul", size, size, output="z")
    loop_to(graph, make.add("Mul", square, square, output="z"))


def product(graph: Graph) -> None:
    """The product of two numbers, by the multiplication of matrices."""
    make = Maker(graph)
    factors = (given(graph, name, 1, 1, dtype=pb.DT_INT32) for name in "ab")
    make.add(
        "Fill",
        make.add("Reshape", make.add("MatMul", *factors, output="product"), make.numbers(1)),
        "x",
    )


def fraction(graph: Graph) -> None:
    """A size that is computed with fractions."""
    make = Maker(graph)
    scale = make.add("Ceil", make.add("Sqrt", given(graph, "scale", 2), output="y"), output="y")
    square = make.add("Mul", scale, scale, output="z")
    make.add("Fill", make.add("Cast", square, output="y"), "x")


def features(graph: Graph) -> None:
    """Few features, of which none becomes a size."""
    make = Maker(graph)
    rows = given(graph, "rows", -1, 4)
    kernel = make.add("Reshape", make.numbers(*range(12)), make.numbers(4, 3))
    scores = make.add("MatMul", rows, kernel, output="product")
    best = make.add("ArgMax", scores, make.numbers(1, scalar=True))
    make.add("OneHot", best, make.numbers(3, scalar=True), "x")


def limited(graph: Graph) -> None:
    """A fraction that is limited before it becomes a size."""
    make = Maker(graph)
    scale = make.add("Minimum", given(graph, "scale", 2), make.numbers(64, 64), output="z")
    make.add("Fill", make.add("Cast", scale, output="y"), "x")


def attention(graph: Graph) -> None:
    table(graph, 16)


def one_hot(graph: Graph) -> None:
    make = Maker(graph)
    tokens = given(graph, "tokens", -1, -1, dtype=pb.DT_INT32)
    make.add("OneHot", tokens, make.numbers(50_000, scalar=True), "x")


def rounds_by_length(graph: Graph) -> None:
    loop_to(graph, length(graph, given(graph, "tokens", -1, -1, 8), 1))


def wide_images(graph: Graph) -> None:
    make = Maker(graph)
    images = given(graph, "images", -1, -1, -1, 3)
    make.add("Tile", images, make.numbers(1, 1, 1, 512))


def long_volumes(graph: Graph) -> None:
    make = Maker(graph)
    volumes = given(graph, "volumes", -1, -1, -1, -1, 1)
    make.add("Tile", volumes, make.numbers(1, 1, 1, 1, 512))


def found(build: Callable[[Graph], object], folder: Path) -> list[Finding]:
    graph = Graph()
    build(graph)
    return [each for each in graph.findings(folder) if each.code in ("MA753", "MA754")]


def reshaped(graph: Graph) -> None:
    """To a shape that the input gives: a Reshape has as many values as what it gets, or fails."""
    sizes = given(graph, "sizes", 2, dtype=pb.DT_INT32)
    Maker(graph).add("Reshape", given(graph, "values", -1), sizes)


BY_INPUT = (
    *(fill, tile, counted, diagonal, batch_of_numbers, cube, deep_one_hot),
    *(rounds_by_number, rounds_by_square, broadcast, product, fraction),
)
IN_PROPORTION = (
    *(attention, one_hot, rounds_by_length, wide_images, long_volumes, features, limited),
    reshaped,
)


@pytest.mark.parametrize("build", BY_INPUT, ids=lambda each: each.__name__)
def test_a_cost_that_a_small_input_decides_is_low(build, tmp_path: Path) -> None:
    (finding,) = found(build, tmp_path)
    assert finding.severity is Severity.LOW
    assert "if an input of at most 1,048,576 bytes asks for it" in finding.detail
    assert finding.title.startswith("A small input can make the graph")
    assert finding.fix == "Limit the sizes in requests before they reach the model."
    assert (finding.code == "MA753") == build.__name__.startswith("rounds")


@pytest.mark.parametrize("build", IN_PROPORTION, ids=lambda each: each.__name__)
def test_a_cost_in_proportion_to_the_input_is_none(build, tmp_path: Path) -> None:
    assert found(build, tmp_path) == []


def test_an_input_whose_type_is_a_list_stops_no_rule() -> None:
    assert supposed({"dtype": ["int32"], "shape": [-1, 4]}).elements == 4
