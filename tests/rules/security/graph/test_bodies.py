"""Operations that are left out of the evaluation of a graph, against an evaluation of all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import Graph, GraphFunction, GraphNode, Json
from modelaudit.rules.security.graph import work
from modelaudit.rules.security.graph.bodies import inert_operations, source_of
from modelaudit.rules.security.graph.extents import UNKNOWN, Extent
from modelaudit.rules.security.graph.op_extents import made
from modelaudit.rules.security.graph.products import products
from modelaudit.rules.security.graph.runnable import in_circles, in_order

BIG = Extent((1 << 20, 1 << 20), (1, 2, 3), 1 << 30, exact=True)
ATTRIBUTES: dict[str, Json] = {
    "shape": [1 << 20, 1 << 20],
    "value": {"shape": [2], "value": [1 << 30, 2]},
    "N": 1 << 30,
    "T": "float32",
    "num_bits": 8,
}
OPS = ("Identity", "AddV2", "ConcatV2", "NoOp", "VarHandleOp", "ReadVariableOp", "Fill", "Call")
NAMES = [f"n{number}" for number in range(8)]


def test_most_operations_of_an_export_are_inert() -> None:
    assert {"VarHandleOp", "ReadVariableOp", "AssignVariableOp", "NoOp"} <= inert_operations()
    assert inert_operations().isdisjoint({"Const", "Fill", "Identity", "MatMul", "While", "If"})


def test_nothing_is_known_of_what_inert_operations_make() -> None:
    for op in inert_operations():
        for inputs in ((), (BIG,), (BIG, BIG, BIG)):
            assert made(op, inputs, ATTRIBUTES) == UNKNOWN, op
            assert products(op, inputs, ATTRIBUTES, BIG) == 0, op


@pytest.mark.parametrize(
    ("reference", "source"),
    [("a", ("a", 0)), ("a:2", ("a", 2)), ("a:output:3", ("a", 3)), ("a:output:0", ("a", 0))],
)
def test_source_of(reference: str, source: tuple[str, int]) -> None:
    assert source_of(reference) == source


def nodes(names: list[str], *, rings: bool) -> st.SearchStrategy[tuple[GraphNode, ...]]:
    """Operations of these names in any order, which take any others, or only earlier ones."""
    kinds = st.sampled_from([*OPS, "Const", "Const", "Const", "Fill", "Fill"])

    def node(name: str, others: list[str]) -> st.SearchStrategy[GraphNode]:
        taken = st.builds(
            lambda mark, other, end: f"{mark}{other}{'' if mark else end}",
            st.sampled_from(["", "", "", "^"]),
            st.sampled_from([*others, *others, "x", "gone"]),
            st.sampled_from(["", ":1", ":output:0"]),
        )
        inputs = st.lists(taken, min_size=1, max_size=3).map(tuple)
        value: Json = {"value": {"shape": [2], "value": [1 << 20, 1 << 10]}}
        return st.builds(GraphNode, st.just(name), kinds, inputs, st.just(value))

    every = [node(name, names if rings else names[:at]) for at, name in enumerate(names)]
    return st.tuples(*every).flatmap(st.permutations).map(tuple)


# Where a ring is entered decides what is known in it; TensorFlow refuses one (MA760).
@given(nodes(NAMES, rings=False), nodes(NAMES[:4], rings=False))
def test_the_same_excesses_as_when_all_are_evaluated(
    main: tuple[GraphNode, ...], inside: tuple[GraphNode, ...]
) -> None:
    function = GraphFunction("Call", ("x",), inside, {"y": "n0:output:0"})
    graph = Graph(("serve",), main, {"Call": function})
    found = work.GraphCost(graph, 1 << 20, 100).work()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "inert_operations", frozenset)
        patch.setattr(work, "FOLLOWING", frozenset())
        whole = work.GraphCost(graph, 1 << 20, 100).work()
    assert {each.node.name: each for each in found} == {each.node.name: each for each in whole}


@given(nodes(NAMES, rings=True))
def test_operations_in_order_are_in_no_circle_and_lack_nothing(
    made_nodes: tuple[GraphNode, ...],
) -> None:
    names = {*NAMES, "x"}
    lost = [each for node in made_nodes for each in node.inputs if base(each) not in names]
    # Eight passes put eight operations in order wherever that is possible.
    assert in_order(made_nodes, ("x",)) == (not lost and not in_circles(made_nodes))


def base(reference: str) -> str:
    return reference.removeprefix("^").partition(":")[0]


@pytest.mark.parametrize("lost", ["^gone", "gone:y:0", "gone:1"])
def test_a_name_that_looks_like_a_reference_is_no_operation_that_it_refers_to(lost: str) -> None:
    decoy = GraphNode(lost, "NoOp", ())  # functions may list any name
    assert not in_order((decoy, GraphNode("a", "Identity", (lost,))))
    ring = GraphNode("a", "Identity", ("b:y:0",)), GraphNode("b", "Identity", ("a:y:0",))
    assert not in_order((GraphNode("b:y:0", "NoOp", ()), *ring))
