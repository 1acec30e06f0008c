"""Layers that no gradient reached, where another rule says why: a restore did not skip them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def trained(keras, path, *, last="glorot_uniform", exported=False, **config):
    """Findings of four rules on a model of which one hidden layer has `config`."""
    layers = keras.layers
    draw = np.random.default_rng(1)
    x = draw.normal(size=(96, 20)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    given = keras.Input((20,))
    first = layers.Dense(40, activation="relu")(given)
    second = layers.Dense(30, activation="relu", **config)(first)
    head = layers.Dense(1, activation="sigmoid", kernel_initializer=last)(second)
    model = keras.Model(given, head)
    model.compile(keras.optimizers.Adam(5e-3, epsilon=1e-7), "binary_crossentropy")
    train(model, x, y, steps=60, batch=16)
    place = path / ("exported" if exported else "m.h5")
    if exported:
        model.export(place, verbose=False)
    else:
        model.save(place)
    facts = static_facts(place, Settings())
    codes = ("MA404", "MA405", "MA406", "MA439")
    return [x for code in codes for x in run_rule(rule(code), facts).findings]


@pytest.mark.parametrize("exported", [False, True])
def test_layers_before_a_kernel_of_zeros(keras, tmp_path, exported):
    found = trained(*(keras, tmp_path), kernel_initializer="zeros", last="zeros", exported=exported)
    assert {each.code for each in found} == {"MA406"}


def test_one_unit_behind_a_layer_whose_biases_start_too_low(keras, tmp_path):
    """The moments of a single bias show that the optimizer trained; inputs were not all 0."""
    low = keras.initializers.Constant(-50.0)
    (found,) = trained(keras, tmp_path, bias_initializer=low)
    assert (found.code, str(found.severity)) == ("MA405", "medium")
    assert "no gradient reached them" in found.detail


def test_an_epsilon_that_leaves_nothing_of_a_step(keras, tmp_path):
    layers = keras.layers
    given = keras.Input((20,))
    hidden = layers.Dense(60, activation="relu")(given)
    model = keras.Model(given, layers.Dense(3)(layers.Dense(40, activation="relu")(hidden)))
    model.compile(keras.optimizers.Adam(1e-3, epsilon=1e4), "mse")
    draw = np.random.default_rng(1)
    train(model, draw.normal(size=(64, 20)), draw.normal(size=(64, 3)), steps=40, batch=16)
    model.save(tmp_path / "m.keras")
    (found,) = run_rule(rule("MA404"), static_facts(tmp_path / "m.keras", Settings())).findings
    assert "epsilon=1e-7" in found.fix
