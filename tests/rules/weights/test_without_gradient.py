"""Layers that no gradient reached, where another rule says why: a restore did not skip them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.initial_explained import BELOW_EPSILON
from modelaudit.rules.initial_weights.other_causes import other_cause
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


@pytest.mark.parametrize("saved", ["m.keras", "m.h5"])
@pytest.mark.parametrize("epsilon", [1e4, 1e-7])
def test_layers_whose_gradients_are_below_epsilon(keras, tmp_path, epsilon, saved):
    """They are those that the steps moved by less than a tenth of the spread of their weights."""
    layers = keras.layers
    draw = np.random.default_rng(3)
    x = draw.normal(size=(64, 20)).astype("float32")
    given = keras.Input((20,))
    hidden = layers.Dense(40, activation="relu", name="base", trainable=False)(given)
    for number in range(3):
        hidden = layers.Dense(24, activation="relu", name=f"new_{number}")(hidden)
    model = keras.Model(given, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(3e-3, epsilon=epsilon), "mse")
    before = {layer.name: layer.get_weights() for layer in model.layers}
    train(model, x, 9 * x[:, 0] + 1, steps=60, batch=16)
    model.save(tmp_path / saved)
    facts = static_facts(tmp_path / saved, Settings())
    assert facts.measurements is not None
    kernels = facts.measurements.initialization
    for kernel in (x for x in kernels if x.route.startswith("new")):
        first, last = before[kernel.route][0], model.get_layer(kernel.route).get_weights()[0]
        still = bool(np.abs(last - first).max() < 0.1 * last.std())
        told = other_cause(facts.artifact, kernel, kernels) == BELOW_EPSILON
        assert (told, still) == (epsilon > 1, epsilon > 1)


@pytest.mark.parametrize("masked", [False, True])
def test_a_mean_over_positions_of_which_none_is_left(keras, tmp_path, masked):
    layers = keras.layers
    given = keras.Input((7,), dtype="int32")
    hidden = layers.Embedding(12, 8, mask_zero=masked, name="table")(given)
    model = keras.Model(given, layers.Dense(2)(layers.GlobalAveragePooling1D()(hidden)))
    model.compile("adam", "mse")
    x = np.ones((32, 7), "int32")
    x[5] = 0
    y = np.zeros((32, 2))
    if not masked:
        y[3] = np.nan
    train(model, x, y, steps=8, batch=8)
    model.save(tmp_path / "m.keras")
    found = run_rule(rule("MA111"), static_facts(tmp_path / "m.keras", Settings())).findings
    assert ("the mask of `table`" in found[0].fix) is masked


@pytest.mark.parametrize(("weight", "told"), [(0.0, True), (1.0, False)])
def test_an_exported_output_that_no_loss_taught(keras, tmp_path, weight, told):
    layers = keras.layers
    draw = np.random.default_rng(5)
    x = draw.normal(size=(96, 20)).astype("float32")
    given = keras.Input((20,))
    hidden = layers.Dense(60, activation="relu")(given)
    outputs = [layers.Dense(1)(layers.Dense(50, activation="relu")(hidden)) for _ in "ab"]
    model = keras.Model(given, outputs)
    model.compile(keras.optimizers.Adam(0.01), ["mse", "mse"], loss_weights=[1.0, weight])
    train(model, x, [x[:, 0], 3 * x[:, 1]], epochs=10, batch=16)
    model.export(tmp_path / "exported", verbose=False)
    found = run_rule(rule("MA405"), static_facts(tmp_path / "exported", Settings())).findings
    assert ["leads to this output alone" in each.detail for each in found] == [True] * told
    assert all(str(each.severity) == "medium" and "loss_weights" in each.fix for each in found)


def test_a_loss_whose_parameter_leaves_next_to_nothing(keras, tmp_path):
    layers = keras.layers
    draw = np.random.default_rng(5)
    x = draw.normal(size=(96, 20)).astype("float32")
    hidden = layers.Dense(60, activation="relu")(given := keras.Input((20,)))
    model = keras.Model(given, layers.Dense(1)(layers.Dense(50, activation="relu")(hidden)))
    model.compile("adam", keras.losses.Huber(delta=1e-9))
    train(model, x, x[:, 0], steps=60, batch=16)
    model.save(tmp_path / "m.h5")
    (found,) = run_rule(rule("MA404"), static_facts(tmp_path / "m.h5", Settings())).findings
    assert "delta of Huber" in found.fix


@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_exported_layers_before_a_constant(keras, tmp_path, factor):
    layers = keras.layers
    draw = np.random.default_rng(5)
    x = draw.normal(size=(96, 20)).astype("float32")
    hidden = layers.Dense(90, activation="relu")(given := keras.Input((20,)))
    hidden = layers.Dense(60, activation="relu")(layers.Dense(70, activation="relu")(hidden))
    model = keras.Model(given, layers.Dense(1)(layers.Dense(30)(hidden * factor)))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    train(model, x, x[:, 0] + 2, steps=40, batch=16)
    model.export(tmp_path / "exported", verbose=False)
    facts = static_facts(tmp_path / "exported", Settings())
    assert run_rule(rule("MA405"), facts).findings == ()
    assert bool(run_rule(rule("MA305"), facts).findings) is (factor == 0)
