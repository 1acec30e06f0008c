"""Layers as drawn behind a frozen base, and inputs of next to nothing: what is told first."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
DRAW = np.random.default_rng(0)


def on_a_base(keras, *head):
    """A frozen base that was trained, and a head that was not."""
    keras.utils.set_random_seed(0)
    base = keras.Sequential([keras.Input((24,)), keras.layers.Dense(48, "relu")], name="base")
    first = keras.Sequential([base, keras.layers.Dense(3)])
    first.compile(keras.optimizers.Adam(0.02), "mse")
    x = DRAW.normal(size=(64, 24)).astype("float32")
    train(first, x, x[:, :3], steps=200)
    base.trainable = False
    return keras.Sequential([keras.Input((24,)), base, *head]), x


def test_a_head_that_nothing_trained_may_need_training(keras, tmp_path):
    layers = keras.layers
    model, _ = on_a_base(keras, layers.Dense(40, "relu"), layers.Dense(3, "softmax"))
    model.save(tmp_path / "m.keras")
    said = found([rule("MA405")], tmp_path / "m.keras")
    assert said and all(each.fix.startswith("If it was never trained, train") for each in said)


def test_no_gradient_is_no_restore(keras, tmp_path):
    """A ReLU as the output of targets below 0, which gives 0 for every input from the start."""
    layers = keras.layers
    head = layers.Dense(1, "relu", bias_initializer=keras.initializers.Constant(-50.0))
    model, x = on_a_base(keras, layers.Dense(40, "relu"), head)
    model.compile("adam", "mse")
    train(model, x, -np.ones((64, 1), "float32"), steps=60)
    model.save(tmp_path / "m.keras")
    told = {
        each.code: each.severity.value
        for each in found([rule("MA433"), rule("MA405")], tmp_path / "m.keras")
    }
    assert told["MA433"] == "high"
    assert told.get("MA405", "low") == "low"


@pytest.mark.parametrize(("size", "codes"), [(1e-6, ["MA440"]), (1.0, [])])
def test_inputs_of_next_to_nothing_are_no_deep_stack(keras, tmp_path, size, codes):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = sequential(keras, (16,), layers.Dense(32, "relu"), layers.Dense(3))
    x = (size * DRAW.normal(size=(64, 16))).astype("float32")
    train(model, x, DRAW.normal(size=(64, 3)), steps=60)
    model.save(tmp_path / "m.keras")
    said = found([rule("MA434"), rule("MA440")], tmp_path / "m.keras")
    assert [each.code for each in said] == codes
