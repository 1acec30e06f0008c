"""Regressions that were still on their way to their targets, as optimizers of Keras leave them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.training.steps import RULES
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS = np.random.default_rng(0).normal(size=(320, 6)).astype("float32")
TARGETS = ROWS[:, :1] + 0.3 * ROWS[:, 1:2]
OPTIMIZERS = {
    "Adam": {},
    "Nadam": {},
    "Adamax": {},
    "Lion": {},
    "RMSprop": {},
    "RMSprop of long memory": {"rho": 0.99},
    "Adagrad": {"learning_rate": 0.01},
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_targets_far_away(keras, tmp_path, kind):
    def said(targets, epochs):
        options = {"learning_rate": 0.001} | OPTIMIZERS[kind]
        optimizer = getattr(keras.optimizers, kind.partition(" ")[0])(**options)
        hidden = keras.layers.Dense(16, "relu")
        model = sequential(
            keras, (6,), hidden, keras.layers.Dense(1), optimizer=optimizer, loss="mse"
        )
        train(model, ROWS, targets, epochs=epochs)
        model.save(tmp_path / "m.keras")
        details = [each.detail for each in found(RULES, tmp_path / "m.keras")]
        return [detail for detail in details if "all of them went one way" in detail]

    assert len(said(5000 * TARGETS + 50_000, 8)) == 1
    assert said(TARGETS, 40) == []
