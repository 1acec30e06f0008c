"""Moving averages of weights that were never updated."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import TensorStats
from modelaudit.rules import examples
from modelaudit.rules.initial_weights.initial_values import never_trained
from modelaudit.rules.initial_weights.moving_averages import stale_averages
from modelaudit.structs import replace
from tests.rules.initial_kernels import beyond, drawn, model, moved, severities


def average(route, weights=600, initializer="GlorotUniform", *, fits=True):
    own = {"fits": fits, "law": "uniform"}
    name = f"{route}/kernel/ExponentialMovingAverage"
    return KernelInitialization(name, name, initializer, "undecidable", "", weights, own, True)


def stale(*kernels, artifact=None):
    return stale_averages(artifact or model(), kernels)[0]


def test_moving_averages_at_initial_values_beside_trained_weights_are_stale():
    bare = replace(model(), architecture=None)
    weights = (beyond("a", 0.1), beyond("b", 0.1))
    found, every = stale_averages(bare, (*weights, average("a"), average("b", fits=False)))
    assert found == ["a/kernel/ExponentialMovingAverage"]
    assert every == 2
    assert stale(*weights, average("a", fits=False)) == []
    assert stale(*weights, average("a", 150)) == []  # fits by chance
    assert stale(*weights, *(average(name, 150) for name in "abc")) != []
    # They are no layers of their own.
    assert severities(*weights, average("a"), artifact=bare) == {}
    untrained = (drawn("a", guessed=True, law="uniform"), average("a"))
    assert never_trained(bare, untrained) == (True, "")
    assert stale(*untrained) == []


def test_averages_that_look_as_drawn_beside_weights_that_do_not_are_stale():
    """By any initializer, also without a bound: averages of trained weights look like these."""
    weights = (moved("a"), moved("b"), moved("c"))
    few = average("a", 150, "HeNormal"), average("b", 150, "HeNormal")
    other = average("c", 150, fits=False)  # by an initializer that is not known
    assert stale(*weights, *few, other) == [each.tensor for each in few]
    assert stale(*weights, few[0]) == []  # perhaps by chance
    assert stale(*weights, few[0], other) == []
    # Weights that look as drawn have averages that do: a network that was trained lightly.
    light = (drawn("a", guessed=True), drawn("b", guessed=True), moved("c"))
    assert stale(*light, *few, other) == []


@pytest.mark.parametrize(
    ("weight", "average", "found"),
    [
        ((0.1, -0.2), (0.0, 0.0), True),
        ((0.9, 1.2), (1.0, 1.0), True),
        ((0.1, -0.2), (0.01, -0.02), False),  # a slow average
        ((0.0, 0.0), (0.0, 0.0), False),  # a bias that was not trained
        ((0.1, -0.2), (0.5, 0.5), False),
    ],
)
def test_the_average_of_a_bias_that_is_still_0_beside_one_that_is_not(weight, average, found):
    def stats(low, high):
        return TensorStats(low, high, (low + high) / 2, (high - low) / 2, 0, 0)

    name = "a/bias/ExponentialMovingAverage"
    tensors = (
        replace(examples.tensor("a/bias", (2,)), stats=stats(*weight)),
        replace(examples.tensor(name, (2,)), stats=stats(*average)),
    )
    bare = replace(model(), architecture=None, tensors=tensors)
    assert stale(moved("a"), artifact=bare) == [name] * found
