"""A layer whose kernel gets no gradient while its bias does, against what it gets in Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.rules.training import gradients
from tests.made.training import train
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("dead", [True, False])
def test_the_bias_of_a_layer_that_gets_zeros(dead: bool, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(3)
    of = keras.layers
    inputs = keras.Input((6,))
    first = of.Dense(8, activation="relu", name="first")(inputs)
    second = of.Dense(8, activation="tanh", name="second")(first)
    beside = of.Dense(8, activation="tanh", name="beside")(inputs)
    model = keras.Model(inputs, of.Dense(1, name="last")(of.Concatenate()([second, beside])))
    rng = np.random.default_rng(0)
    data = rng.normal(size=(256, 6)).astype("float32")
    labels = np.sin(data @ rng.normal(size=(6, 1))).astype("float32")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    train(model, data, labels, epochs=3, batch=16)
    if dead:
        kernel, bias = model.get_layer("first").get_weights()
        model.get_layer("first").set_weights([kernel, bias - 1000])
    before = model.get_layer("second").get_weights()
    train(model, data, labels, epochs=60, batch=16)
    body = keras.Model(inputs, first)
    # By Keras: it got zeros alone, and its bias moved all the same.
    assert (np.asarray(body(data)) == 0).all() == dead
    assert (model.get_layer("second").get_weights()[1] != before[1]).any()
    model.save(tmp_path / "model.keras")
    told = [each.detail for each in found(gradients.RULES, tmp_path / "model.keras")]
    said = "The bias of `second` does: what the layer got was 0."
    assert any(said in each for each in told) == dead, told
    assert not any("saturated" in each for each in told)
