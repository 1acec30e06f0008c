"""Which kernels as drawn were left out of a restore, by the biases beside them and elsewhere."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.findings import Severity
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.structs import replace
from tests.rules.initial_kernels import beyond, drawn, model, moved, severities, uniform

HIGH, MEDIUM = Severity.HIGH, Severity.MEDIUM


def keeping_their_law(*names):
    """Trained kernels of initializers without a bound, which say nothing by their distribution."""
    return [drawn(name, bias=False, state="trained") for name in names]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (drawn("head", 128), {"head": HIGH}),  # the only bias that has not moved
        (drawn("head", 128, bias=False, state="trained"), {}),
        (drawn("head", 128, bias=None, state="undecidable"), {}),
    ],
)
def test_a_small_layer_whose_bias_is_the_only_one_that_has_not_moved(head, expected):
    others = keeping_their_law("a", "b", "c", "d")
    assert severities(head, *others, moved("e", 48)) == expected
    # Where many biases are at 0, as in a converted model, that of the head says nothing.
    zero = [drawn(name, 128) for name in "fgh"]
    assert severities(head, *others, *zero, moved("e", 48)).get("head") is not HIGH


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ({}, {"x": MEDIUM}),
        ({"bias": False, "state": "trained"}, {}),
        ({"bias": None}, {}),  # 8 weights prove nothing by themselves
        ({"guessed": True}, {}),
        ({"trainable": False}, {}),
    ],
)
def test_a_layer_of_a_few_weights_is_told_by_its_bias(tests, expected):
    tiny = drawn("x", 8, **{"state": "undecidable", "law": "uniform"} | tests)
    assert severities(tiny, moved("a"), moved("b", 2)) == expected
    one = drawn("x", 1, state="undecidable", law="uniform")  # as of a layer that scales the inputs
    assert "x" not in severities(one, moved("a"), moved("b", 2))
    # Where other biases are at 0 as well, as in a converted model, it is not.
    assert "x" not in severities(tiny, moved("a"), drawn("b", 9), drawn("c", 9))


def test_trained_batch_normalization_shows_that_the_bias_of_the_head_should_have_moved():
    """A network whose only bias is that of the head."""
    norms = (BatchNormState("norm", 8, False, False, 0.5),)
    others = [moved(name, bias=None) for name in "ab"]
    head = drawn("head", 96, law="uniform")
    (only,) = left_initial(model(), [head, *others], norms)
    assert only.severity is HIGH
    untouched = (replace(norms[0], affine_initial=True),)
    (only,) = left_initial(model(), [head, *others], untouched)
    assert only.severity is MEDIUM


def test_kernels_without_a_bound_do_not_excuse_one_with_a_bound():
    """A recurrent kernel drawn anew beside its trained bias, among kernels of a normal law."""
    kernel = uniform("x", 1000, bias=False)
    others = [beyond(name, 0.2) for name in "abcd"]
    assert severities(kernel, *others, *keeping_their_law("e", "f")) == {"x": HIGH}
    # Others with a bound that look as drawn beside a trained bias do.
    light = [uniform(name, 1000, bias=False) for name in "ef"]
    assert severities(kernel, *others, *light) == {}
