"""How far training moved the weights, and the scale of its inputs, against what Keras did."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def trained(keras, rows, optimizer, *hidden, steps=40, batch=32):
    """A model of hidden layers and a linear output, after so many steps, and its first weights."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input(rows.shape[1:]), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    before = [np.array(weight) for weight in model.trainable_weights]
    flat = rows.reshape(len(rows), -1)
    wanted = np.tanh(flat[:, 0] / flat[:, 0].std()) + 0.2
    return train(model, rows, wanted[:, None], batch=batch, steps=steps), before


def farthest(model, before):
    """The largest distance that a weight has moved."""
    after = map(np.array, model.trainable_weights)
    return max(np.abs(w - b).max() for w, b in zip(after, before, strict=True))


def looked(model, code, folder, suffix="h5"):
    path = folder / f"model.{suffix}"
    model.save(path)
    return list(run_rule(rule(code), static_facts(path, Settings())).findings)


def dense(keras, units=64, activation="relu"):
    keras.utils.set_random_seed(2)  # an initializer takes its seed when the layer is made
    return keras.layers.Dense(units, activation)


def test_the_scale_of_the_training_inputs(keras, tmp_path):
    rng = np.random.default_rng(0)
    scaled = rng.normal(0.5, 1, (320, 6)).astype("float32")
    raw = scaled * np.array([1, 3, 400, 20, 1, 8], np.float32)
    model, _ = trained(keras, raw, "adam", dense(keras))
    for suffix in ("h5", "keras"):
        (found,) = looked(model, "MA440", tmp_path, suffix)
        size = np.sqrt((raw.astype(float) ** 2).mean(0)).max()
        assert found.severity == "low"
        assert size / 2 < found.evidence["measured"] < 2 * size  # by averages of gradients
    model, _ = trained(keras, scaled, "adam", dense(keras))
    assert looked(model, "MA440", tmp_path) == []
    # Averages of whole passes, in which the gradients of a bias nearly cancel.
    model, _ = trained(keras, scaled, "adam", dense(keras), steps=200, batch=320)
    assert looked(model, "MA440", tmp_path) == []
    # A layer inside scales them.
    inside = keras.layers.Rescaling(1 / 400)
    model, _ = trained(keras, raw, "adam", inside, dense(keras))
    assert looked(model, "MA440", tmp_path) == []


def test_a_bias_before_a_normalization_tells_nothing(keras, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (320, 6)).astype("float32")
    hidden = (dense(keras, 16, "linear"), keras.layers.BatchNormalization(), keras.layers.ReLU())
    model, _ = trained(keras, rows, "adam", *hidden)
    assert looked(model, "MA440", tmp_path) == []


def test_steps_that_hardly_change_the_weights(keras, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (320, 6)).astype("float32")
    model, before = trained(keras, rows, keras.optimizers.SGD(1e-4), dense(keras), dense(keras))
    (found,) = looked(model, "MA430", tmp_path)
    assert found.severity == "low"
    assert "learning rate" in found.fix
    assert (
        farthest(model, before) < 0.02 * before[2].std()
    )  # which is what the finding says of the biases
    model, _ = trained(keras, rows, keras.optimizers.SGD(0.05), dense(keras), dense(keras))
    assert looked(model, "MA430", tmp_path) == []


def test_steps_of_adam_that_cannot_reach_far(keras, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (320, 6)).astype("float32")
    for rate, short in ((1e-4, True), (1e-2, False)):
        model, before = trained(
            keras, rows, keras.optimizers.Adam(rate), dense(keras, 8), steps=100
        )
        found = looked(model, "MA432", tmp_path)
        assert bool(found) is short
        assert farthest(model, before) <= rate * 100 * 1.01  # steps of at most the learning rate
    # Biases beyond the reach say that this training was not the first.
    model, _ = trained(keras, rows, keras.optimizers.Adam(0.05), dense(keras, 8), steps=100)
    model.compile(keras.optimizers.Adam(1e-4), "mse")
    train(model, rows, rows[:, :1], epochs=10)
    assert looked(model, "MA432", tmp_path) == []


def test_a_few_large_steps(keras, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (320, 6)).astype("float32")
    hidden = (dense(keras, 40), dense(keras, 40))
    model, before = trained(keras, rows, keras.optimizers.Adam(0.02), *hidden, steps=4)
    kernels = [each for each in before if each.ndim == 2 and each.size > 64]
    assert min(0.02 / each.std() for each in kernels) > 0.05  # a step shows beside the draws
    ((severity, detail),) = [(x.severity, x.detail) for x in looked(model, "MA432", tmp_path)]
    assert severity == "medium" and "further from its start" in detail
    # A training before them, that moved the same weights by more.
    model, _ = trained(keras, rows, keras.optimizers.Adam(0.02), *hidden, steps=100)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    train(model, rows, rows[:, :1], steps=4)
    assert [each.severity for each in looked(model, "MA432", tmp_path)] == ["low"]


def test_units_that_never_got_a_gradient(keras, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (320, 6)).astype("float32")
    for start, silent in ((-50.0, True), (0.0, False)):
        some = dense(keras, 8)
        some.build((None, 6))
        kernel, bias = some.get_weights()
        bias[:4] = start
        some.set_weights([kernel, bias])
        model, _ = trained(keras, rows, "adam", some)
        active = np.asarray(keras.Model(model.inputs, some.output)(rows)).max(0) > 0
        found = [each for each in looked(model, "MA433", tmp_path) if "units" in each.detail]
        assert bool(found) is silent
        assert bool(active.sum() <= 4) is silent


def test_a_mask_that_hides_all_but_one_value(keras, tmp_path):
    rows = (np.random.default_rng(0).random((320, 6, 1)) > 0.5).astype("float32")
    for mask, said in ((0.0, True), (-1.0, False)):
        layers = (keras.layers.Masking(mask), keras.layers.SimpleRNN(4, unroll=True))
        model, _ = trained(keras, rows, "adam", *layers)
        found = looked(model, "MA439", tmp_path)
        assert any("mask_value" in each.fix for each in found) is said
    # What the mask hides, in every position.
    layers = (keras.layers.Masking(-1.0), keras.layers.LSTM(4))
    model, _ = trained(keras, np.full_like(rows, -1), "adam", *layers, dense(keras))
    (found,) = looked(model, "MA439", tmp_path)
    assert "hides all positions of the value -1" in found.fix and "the mask of" in found.detail


def test_weights_alone_that_were_hardly_trained(keras, tmp_path):
    """The file has neither steps nor initializers, but kernels as drawn beside small biases."""
    rows = np.random.default_rng(0).normal(0, 1, (320, 20)).astype("float32")
    for steps, slight in ((10, True), (200, False)):
        hidden = (dense(keras), dense(keras))
        model, before = trained(keras, rows, keras.optimizers.Adam(1e-3), *hidden, steps=steps)
        path = tmp_path / "model.weights.h5"
        keras.Model(model.inputs, model.outputs).save_weights(path)
        found = run_rule(rule("MA432"), static_facts(path, Settings())).findings
        assert [each.severity for each in found] == ["low"] * slight
        assert bool(farthest(model, before) < 0.15 * before[2].std()) is slight
