"""Layers at their initial values: they got nothing but 0, or a restore left them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zeros", [True, False])
def test_layers_that_got_nothing_but_zeros(keras: Any, tmp_path: Path, zeros: bool) -> None:
    """The same layers as drawn, once by a training with empty arrays, once drawn again after it."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    body = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")]
    norm, head = layers.BatchNormalization(), layers.Dense(3)
    model = keras.Sequential([layers.Input((64,)), *body, norm, head])
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 64)).astype("float32") * (not zeros)
    y = random.normal(size=(64, 3)).astype("float32")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    drawn = [each.numpy() for layer in body for each in layer.weights]
    train(model, x, y, steps=200, batch=64)
    kernels = [drawn[0], drawn[2]]
    assert all(np.array_equal(b.kernel, k) for b, k in zip(body, kernels, strict=True)) is zeros
    for variable, value in zip([w for b in body for w in b.weights], drawn, strict=True):
        variable.assign(value)
    path = tmp_path / "m.keras"
    model.compile("adam", "mse")  # no state tells that there were no gradients
    model.save(path)
    found = run_rule(rule("MA405"), static_facts(path, Settings())).findings
    assert [each.severity.value for each in found] == ["high"]
    assert ("was 0 for every training input" in found[0].detail) is zeros
    assert ("may all be 0" in found[0].fix) is zeros
