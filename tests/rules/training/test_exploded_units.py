"""Units that exploded weights killed, and layers that unscaled inputs saturate, as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train
from tests.rules.saved import found, sequential

RULES = [rule("MA437"), rule("MA420")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("lone", [False, True])
def test_units_of_exploded_weights(keras, tmp_path, lone):
    """What is said of the units is what Keras computes for inputs of that range.

    A `lone` value, far beyond the others, is no damage beside another kernel that exploded.
    """
    rng = np.random.default_rng(0)
    hidden = keras.layers.Dense(16, "relu", name="hidden")
    model = sequential(keras, (8,), hidden, keras.layers.Dense(3, "softmax"))
    kernel = np.abs(rng.normal(scale=0.3, size=(8, 16)))
    kernel[:, :12] = -rng.uniform(1e5, 1e7, size=(8, 12))
    kernel[0, 0] *= 1000 if lone else 1
    hidden.set_weights([kernel, np.where(np.arange(16) < 12, -1e6, 0.0)])
    model.layers[-1].set_weights([rng.normal(scale=1e4, size=(16, 3)), np.zeros(3)])
    path = tmp_path / "m.keras"
    model.save(path)
    (said,) = [each for each in found(RULES, path) if each.severity.value == "low"]
    x = rng.uniform(0, 10, size=(5000, 8)).astype("float32")
    dead = int((np.asarray(hidden(x)).max(axis=0) == 0).sum())
    assert f"{dead} of the 16 units of `hidden`" in said.detail
    assert dead == 12
    assert [each.code for each in found(RULES, path)] == ["MA437"]


@pytest.mark.parametrize("places", [[5], [5, 77, 300]])
@pytest.mark.parametrize("flips", [1, 2, 3])
def test_flipped_bits_in_several_kernels_are_no_explosion(keras, tmp_path, flips, places):
    rng = np.random.default_rng(3)
    made = [keras.layers.Dense(n, "relu") for n in (32, 32)]
    model = sequential(keras, (16,), *made, keras.layers.Dense(12, "softmax"))
    for number, layer in enumerate(model.layers):
        kernel, bias = layer.get_weights()
        kernel = 0.1 * kernel + rng.normal(scale=0.05, size=kernel.shape).astype("float32")
        if number < flips:
            kernel.reshape(-1).view("uint32")[places] ^= 1 << 30  # of the exponent
        layer.set_weights([kernel, bias])
    path = tmp_path / "m.keras"
    model.save(path)
    said = [(each.code, each.severity.value) for each in found(RULES, path)]
    assert said == [("MA420", "high")] * flips


def test_a_unit_of_a_shared_layer_is_dead_if_it_is_in_each_call(keras, tmp_path):
    rng, layers = np.random.default_rng(4), keras.layers
    one, other, shared = (layers.Dense(8, "relu", name=name) for name in ("one", "other", "shared"))
    first, second = keras.Input((6,)), keras.Input((6,))
    joined = layers.Concatenate()([shared(one(first)), shared(other(second))])
    model = keras.Model([first, second], layers.Dense(2)(joined))
    one.set_weights([np.abs(rng.normal(size=(6, 8))), np.zeros(8)])
    other.set_weights([np.abs(rng.normal(size=(6, 8))), np.full(8, -1e3)])  # gives 0
    shared.set_weights([300 * np.abs(rng.normal(size=(8, 8))), np.full(8, -1.0)])
    x = rng.uniform(0, 10, size=(2000, 6)).astype("float32")
    assert (np.asarray(shared(one(x))).max(axis=0) > 0).all()
    assert (np.asarray(shared(other(x))) == 0).all()
    path = tmp_path / "m.keras"
    model.save(path)
    assert not [each for each in found(RULES, path) if "`shared`" in each.detail]


def test_units_of_one_input_are_dead_on_one_side_of_it_by_chance(keras, tmp_path):
    """The head is large, since its targets are: no step was too large."""
    rng = np.random.default_rng(5)
    hidden, head = keras.layers.Dense(32, "relu"), keras.layers.Dense(1)
    model = sequential(keras, (1,), hidden, head)
    hidden.set_weights([rng.uniform(-0.4, 0.4, size=(1, 32)), np.zeros(32)])
    head.set_weights([rng.normal(scale=2e4, size=(32, 1)), np.zeros(1)])
    x = np.linspace(0, 10, 50, dtype="float32")[:, None]
    assert 5 < (np.asarray(hidden(x)).max(axis=0) == 0).sum() < 27
    assert (np.asarray(hidden(np.abs(x) * [[-1]])).max(axis=0) > 0).sum() > 5
    path = tmp_path / "m.keras"
    model.save(path)
    assert found([rule("MA437")], path) == []


@pytest.mark.parametrize(("size", "severities"), [(500.0, ["medium"]), (1.0, [])])
def test_gates_that_inputs_saturate(keras, tmp_path, size, severities):
    rng = np.random.default_rng(1)
    keras.utils.set_random_seed(1)
    lstm = keras.layers.LSTM(16, kernel_initializer=keras.initializers.RandomNormal(stddev=2.0))
    model = sequential(
        keras,
        (8, 3),
        lstm,
        keras.layers.Dense(3, "softmax"),
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
    )
    x = (size + 0.4 * size * rng.normal(size=(64, 8, 3))).astype("float32")
    train(model, x, rng.integers(0, 3, 64), steps=40, batch=64)
    path = tmp_path / "m.keras"
    model.save(path)
    said = run_rule(rule("MA437"), static_facts(path, Settings())).findings
    assert [each.severity.value for each in said] == severities
    if severities:
        sums = x.reshape(-1, 3) @ lstm.get_weights()[0]
        assert np.mean(np.abs(sums) > 20) > 0.9


def test_zeros_behind_exploded_weights_are_no_matter_of_the_inputs(keras, tmp_path):
    draw, layers = np.random.default_rng(0), keras.layers
    x = draw.normal(size=(320, 6)).astype("float32")
    first, second, head = layers.Dense(12, "relu"), layers.Dense(12, "relu"), layers.Dense(1)
    model = sequential(keras, (6,), first, second, head)
    for each, scale in ((first, 1e5), (second, 1e5)):
        kernel, bias = each.get_weights()
        each.set_weights([kernel * scale, bias - (1e12 if each is second else 0.0)])
    train(model, x, x[:, :1] + 3, steps=80)
    model.save(tmp_path / "m.keras")
    (said,) = [x for x in found([rule("MA439")], tmp_path / "m.keras") if "0" in x.detail]
    assert "the weights are enormous" in said.detail
    assert said.fix.index("smaller learning rate") < said.fix.index("look at what")
