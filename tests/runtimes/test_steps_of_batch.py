"""Nodes that number the steps of a sequence by the rows of a batch, in graphs made by hand."""

from __future__ import annotations

import pytest

from modelaudit.graphs import GraphFunction, GraphNode
from modelaudit.runtimes.graph_usage import joined_behind, shape_left_open, steps_of_batch


def constant(name: str, *values: int) -> GraphNode:
    return GraphNode(name, "Const", (), {"value": {"dtype": "int32", "value": list(values)}})


def graph(axis: int = 0, order: tuple[int, ...] = (1, 0, 2), pack: tuple[str, ...] = ("number",)):
    nodes = (
        GraphNode("shape", "Shape", ("x",)),
        constant("axis", axis),
        GraphNode("length", "StridedSlice", ("shape:output:0", "axis:output:0")),
        GraphNode("range", "Range", ("start", "length:output:0", "delta")),
        constant("order", *order),
        GraphNode("turned", "Transpose", ("x", "order:output:0")),
        GraphNode("number", "GatherV2", ("range:output:0", "place")),
        constant("last", -1),
        GraphNode("begin", "Pack", pack),
        GraphNode("step", "StridedSlice", ("turned:y:0", "begin:output:0")),
    )
    return GraphFunction("f", ("x",), nodes)


def test_steps_are_numbered_by_the_rows():
    found = steps_of_batch(graph())
    assert found is not None and found.name == "range"


@pytest.mark.parametrize(
    "sound",
    [
        graph(axis=1),  # the steps themselves
        graph(order=(0, 2, 1)),  # of another axis
        graph(pack=("last", "number")),  # the last step of each row
        graph(pack=()),
    ],
)
def test_other_slices_are_not(sound: GraphFunction):
    assert steps_of_batch(sound) is None


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5, 6, 8, 9])  # all that the path needs
def test_nodes_without_inputs_are_nothing(place: int):
    made = graph()
    bare = GraphNode(made.nodes[place].name, made.nodes[place].op, ())
    nodes = (*made.nodes[:place], bare, *made.nodes[place + 1 :])
    assert steps_of_batch(GraphFunction("f", ("x",), nodes)) is None


@pytest.mark.parametrize(
    ("source", "axis", "shape", "found"),
    [
        ("x", -1, [None, None, 9], True),
        ("x", 2, [None, None, 9], True),
        ("x", 1, [None, None, 9], False),  # one after the other
        ("x", -1, [None, 9], False),  # no sequences
        ("step:output:0", -1, [None, None, 9], False),  # of as many steps
    ],
)
def test_what_joins_them_with_sequences_of_other_steps(
    source: str, axis: int, shape: list[int | None], found: bool
):
    made = graph()
    joined = GraphNode(
        "joined", "ConcatV2", ("step:output:0", source, "by:output:0"), {"_output_shapes": [shape]}
    )
    function = GraphFunction("f", ("x",), (*made.nodes, constant("by", axis), joined))
    start = steps_of_batch(function)
    assert start is not None
    node = joined_behind(start, function)
    assert (node is not None and node.name == "joined") is found


@pytest.mark.parametrize(
    ("shape", "fails"), [((-1, -1), True), ((-1, 6), False), ((2, -1, -1), True), ((), False)]
)
def test_a_reshape_leaves_one_size_open(shape: tuple[int, ...], fails: bool):
    nodes = (constant("shape", *shape), GraphNode("flat", "Reshape", ("x", "shape:output:0")))
    found = shape_left_open(GraphFunction("f", ("x",), nodes))
    assert (found is not None and found.name == "flat") is fails


def test_tensorflow_reshapes_to_no_such_shape():
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Only one input size may be -1"):
        tf.raw_ops.Reshape(tensor=tf.ones((2, 3, 2)), shape=[-1, -1])
