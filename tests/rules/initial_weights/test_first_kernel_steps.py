"""MA440: inputs that were large for gradient descent, by how far it moved the first kernel."""

from __future__ import annotations

import re

import numpy as np
import pytest

from modelaudit.rules.training.extent import RULES
from modelaudit.rules.training.steps import RULES as STEPS
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def trained(keras, path, *, scale, rate=1e-3, steps=60, momentum=0.0, inner="relu", **config):
    """The findings on a network, and how far its first kernel moved beside the bias."""
    draw = np.random.default_rng(6)
    y = draw.integers(0, 4, 320)
    x = (draw.random((4, 100))[y] * 0.6 + draw.random((320, 100)) * 0.4).astype("float32") * scale
    layers = keras.layers
    keras.utils.set_random_seed(4)
    own = layers.Dense(60, activation=inner, **config), layers.Dense(4, activation="softmax")
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    made = sequential(
        keras, (100,), *own, loss="sparse_categorical_crossentropy", optimizer=optimizer
    )
    before = made.layers[0].get_weights()
    train(made, x, y, steps=steps)
    kernel, bias = (a - b for a, b in zip(made.layers[0].get_weights(), before, strict=True))
    times = float(np.abs(kernel).mean() / np.sqrt((bias**2).mean()))
    seen = []
    for suffix in ("keras", "h5"):
        made.save(path / f"model.{suffix}")
        seen.append(found((*RULES, *STEPS), path / f"model.{suffix}"))
    codes = [{each.code for each in every} for every in seen]
    assert codes[0] == codes[1]
    return seen[0], times


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_pixels_of_0_to_255(keras, tmp_path, momentum):
    rate = 5e-4 * (1 - momentum)
    seen, times = trained(keras, tmp_path, scale=255, rate=rate, momentum=momentum)
    (said,) = [each for each in seen if each.code == "MA440"]
    told = float(re.search(r"at least ([\d.]+) times", said.detail)[1])
    assert 10 <= told <= times * 1.5  # outside by chance, of weights near the limit
    assert str(said.severity) == "low" and "MA430" not in {each.code for each in seen}


@pytest.mark.parametrize("inner", ["relu", "tanh"])
@pytest.mark.parametrize(("rate", "steps"), [(1e-3, 60), (0.05, 60), (0.05, 600)])
def test_pixels_of_0_to_1(keras, tmp_path, rate, steps, inner):
    seen, times = trained(keras, tmp_path, scale=1, rate=rate, steps=steps, inner=inner)
    assert times < 10 and "MA440" not in {each.code for each in seen}


@pytest.mark.parametrize(
    "config",
    [
        {"bias_initializer": "ones"},  # the bias may have started anywhere
        {"bias_regularizer": "l2"},  # which takes its movement back
        {"activation": "tanh", "inner": None},  # which may cancel it
    ],
)
def test_biases_that_do_not_tell_their_movement(keras, tmp_path, config):
    config = dict(config)
    inner = config.pop("activation", "relu")
    config.pop("inner", None)
    seen, _ = trained(keras, tmp_path, scale=255, rate=5e-4, inner=inner, **config)
    assert "MA440" not in {each.code for each in seen}
