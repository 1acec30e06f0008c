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


def test_units_of_exploded_weights(keras, tmp_path):
    """What is said of the units is what Keras computes for inputs of that range."""
    rng = np.random.default_rng(0)
    hidden = keras.layers.Dense(16, "relu", name="hidden")
    model = sequential(keras, (8,), hidden, keras.layers.Dense(3, "softmax"))
    kernel = np.abs(rng.normal(scale=0.3, size=(8, 16)))
    kernel[:, :12] = -rng.uniform(1e5, 1e7, size=(8, 12))
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
