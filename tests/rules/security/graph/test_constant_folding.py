"""Numbers that operations make of constants, compared with NumPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from modelaudit.facts import Format, Graph, GraphNode
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.security.graph.constant_folding import fold
from modelaudit.rules.security.graph.extents import Extent
from modelaudit.rules.security.graph.op_extents import FOLDED, made
from modelaudit.structs import replace


@pytest.mark.parametrize(
    ("op", "oracle"),
    [("Floor", np.floor), ("Ceil", np.ceil), ("Round", np.round), ("Rint", np.rint)],
)
def test_rounding(op, oracle):
    numbers = [-1.5, -0.5, 0.4, 0.5, 1.5, 2.5, 2.6]
    assert fold(op, [numbers], {}) == oracle(numbers).tolist()


@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round", "Rint", "Square", "Exp", "Sqrt"])
@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_numbers_that_are_not_finite_stop_nothing(op, number):
    found = fold(op, [[number, 4.0]], {})
    assert found is not None
    assert len(found) == 2


def test_a_product_of_many_sizes_stays_bounded():
    (found,) = fold("Prod", [[2**62] * 1000 + [1.5]], {})
    assert found <= 2**128
    assert fold("Prod", [[3, 4, 0.5]], {}) == [6]


AWKWARD = [math.inf, -math.inf, math.nan, 0, -1, 0.5, 2**128, -(2**63), 1e308, 5e-324, True, "a"]


@pytest.mark.parametrize("op", sorted(FOLDED))
def test_no_operation_fails_on_odd_numbers(op):
    for pair in itertools.product(AWKWARD, repeat=2):
        for count in range(1, 4):
            inputs = [Extent((1,), (each,), exact=True) for each in (*pair, 0)[:count]]
            made(op, inputs, {})


@pytest.mark.parametrize(("op", "number"), [("Ceil", math.inf), ("Rint", math.nan), ("Abs", 1.0)])
def test_an_odd_constant_hides_no_oversized_result(op, number):
    def constant(name, value, shape=()):
        stored = {"dtype": "float32", "shape": [*shape], "value": [value]}
        return GraphNode(name, "Const", (), {"value": stored, "dtype": "float32"})

    def judged(size):
        nodes = (
            GraphNode("x", "Placeholder", (), {"dtype": "float32", "shape": [-1, 4]}),
            *(constant("odd", number), GraphNode("rounded", op, ("odd",))),
            *(constant("size", size, (1,)), GraphNode("big", "Fill", ("size", "rounded"))),
            GraphNode("out", "AddV2", ("x", "big"), {"T": "float32"}),
        )
        model = replace(examples.model(tensors=()), format=Format.FROZEN_GRAPH)
        return str(
            run_rule(rule("MA754"), Facts(replace(model, graphs=(Graph((), nodes),)))).outcome
        )

    assert (judged(10**12), judged(7)) == ("fail", "pass")
