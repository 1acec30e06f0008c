"""First values that stop a training, in models that Keras trained, and sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def told(k, tmp_path, *layers, loss="mse", optimizer="adam"):
    x = np.random.default_rng(0).normal(size=(128, 8)).astype("float32")
    model = sequential(k, (8,), *layers, loss=loss, optimizer=optimizer)
    train(model, x, (x[:, :1] > 0).astype("float32"), steps=40)
    model.save(tmp_path / "m.keras")
    rules = [rule("MA433"), rule("MA328")]
    return [(x.code, x.severity.value, x.fix) for x in found(rules, tmp_path / "m.keras")]


def test_biases_that_start_below_0(tmp_path):
    import keras as k

    def hidden(start):
        return k.layers.Dense(16, "relu", bias_initializer=k.initializers.Constant(start))

    (code, severity, fix), *_ = told(k, tmp_path, hidden(-4.0), k.layers.Dense(1))
    assert (code, severity) == ("MA433", "high")
    assert 'bias_initializer="zeros"' in fix
    assert told(k, tmp_path, hidden(-0.1), k.layers.Dense(1)) == []


def test_an_output_that_starts_at_its_limit(tmp_path):
    import keras as k

    def head(start):
        return k.layers.Dense(1, "sigmoid", bias_initializer=k.initializers.Constant(start))

    hidden = k.layers.Dense(16, "relu")
    plain = {"optimizer": k.optimizers.SGD(0.01)}
    ((code, severity, fix),) = told(k, tmp_path, hidden, head(20.0), **plain)
    assert (code, severity) == ("MA328", "low") and "bias_initializer" in fix
    assert told(k, tmp_path, k.layers.Dense(16, "relu"), head(-4.6), **plain) == []
