"""ReLU layers whose biases fell together, saturated layers, and their sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes, found, sequential

RULES = [rule("MA437")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def test_biases_that_fell_together(k, tmp_path):
    """As Keras computes them, such units give 0 for inputs on a scale of 1."""
    rng = np.random.default_rng(0)

    def network(biases, **options):
        hidden = k.layers.Dense(32, "relu", name="hidden", **options)
        first, head = k.layers.Dense(16), k.layers.Dense(4, "softmax")
        model = sequential(k, (16,), first, hidden, head)
        first.set_weights([np.eye(16), np.zeros(16)])
        hidden.set_weights([rng.normal(scale=0.25, size=(16, 32)), biases])
        return model, hidden

    x = rng.normal(size=(200, 16)).astype("float32")
    fallen = -5.0 + rng.uniform(-0.05, 0.05, size=32)
    model, hidden = network(fallen)
    assert float(np.asarray(hidden(x)).max()) == 0
    assert codes(RULES, model, tmp_path) == [("MA437", "medium")]
    for biases, options in (
        (fallen + rng.normal(scale=0.5, size=32), {}),  # moved apart, as those of units that learn
        (fallen / 20, {}),  # within the reach of the sums
        (-fallen, {}),
        (fallen, {"bias_initializer": k.initializers.Constant(-5.0)}),
        (fallen, {"trainable": False}),
    ):
        assert codes(RULES, network(biases, **options)[0], tmp_path) == [], options


def test_weights_of_one_sign_lift_inputs_that_are_never_below_0(k, tmp_path):
    """As after training from equal positive weights, on images."""
    hidden, head = k.layers.Dense(32, "relu"), k.layers.Dense(4, "softmax")
    model = sequential(k, (64,), k.layers.Dense(64, "relu"), hidden, head)
    rng = np.random.default_rng(2)
    model.layers[0].set_weights([np.eye(64), np.zeros(64)])
    hidden.set_weights([rng.uniform(0.04, 0.06, size=(64, 32)), np.full(32, -0.2)])
    x = rng.uniform(size=(200, 64)).astype("float32")
    assert float(np.asarray(hidden(x)).min()) > 0
    assert codes(RULES, model, tmp_path) == []


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_a_saturated_layer_behind_a_recurrent_one(k, tmp_path, activation):
    """Results of an LSTM are from -1 to 1; inputs of the network can be of any size."""
    rng = np.random.default_rng(1)

    def network(*before, shape):
        hidden = k.layers.Dense(16, activation)
        model = sequential(k, shape, *before, hidden, k.layers.Dense(3, "softmax"))
        kernel = rng.normal(scale=12.0, size=hidden.kernel.shape)
        hidden.set_weights([kernel, np.zeros(16)])
        return model

    low = [("MA437", "low")]
    assert codes(RULES, network(k.layers.LSTM(16), shape=(5, 3)), tmp_path) == low
    both = k.layers.Bidirectional(k.layers.GRU(8))
    assert codes(RULES, network(both, shape=(5, 3)), tmp_path) == low
    assert codes(RULES, network(shape=(16,)), tmp_path) == []


@pytest.mark.parametrize(("bias", "start"), [(0.0, True), (-0.5, False)])
def test_a_unit_that_was_dead_from_the_start_has_no_better_checkpoint(k, tmp_path, bias, start):
    """A unit that was ever above 0 had a gradient, which moves its bias."""
    narrow, act = k.layers.Dense(1), k.layers.Activation("relu")
    model = sequential(k, (3,), narrow, act, k.layers.Dense(4), k.layers.Dense(1))
    narrow.set_weights([-np.ones((3, 1)), np.full(1, bias)])
    assert not np.asarray(act(narrow(np.random.default_rng(0).random((50, 3))))).any()
    model.save(tmp_path / "m.keras")
    (said,) = found(RULES, tmp_path / "m.keras")
    assert ("dead from the start" in said.fix, "checkpoint from before" in said.fix) == (
        start,
        not start,
    )
