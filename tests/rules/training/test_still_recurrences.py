"""Trainings by descent that left the layers before the last one about as drawn, and their twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import FORMATS, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RULES = [rule("MA430"), rule("MA432")]
RANDOM = np.random.default_rng(0)
CLASSES = RANDOM.integers(0, 2, 640)
PHASES = RANDOM.uniform(0, 6, (640, 1))
WAVES = np.sin(np.arange(12) * (0.4 + 0.8 * CLASSES[:, None]) + PHASES)[..., None].astype("float32")


@pytest.mark.parametrize("kind", ["LSTM", "sigmoid"])
def test_steps_that_are_too_small(kind, tmp_path):
    import keras as k

    told = []
    for rate in (0.001, 0.5) if kind == "LSTM" else (0.01, 3.0):
        k.utils.set_random_seed(0)
        hidden = [k.layers.LSTM(12)]
        if kind == "sigmoid":
            hidden = [k.layers.Flatten(), *(k.layers.Dense(24, "sigmoid") for _ in range(2))]
        last = k.layers.Dense(2, "softmax")
        loss = "sparse_categorical_crossentropy"
        descent = k.optimizers.SGD(rate)
        made = sequential(k, (12, 1), *hidden, last, loss=loss, optimizer=descent)
        train(made, WAVES, CLASSES, steps=240)
        for suffix in FORMATS:
            made.save(tmp_path / f"m.{suffix}")
        details = [[x.detail for x in found(RULES, tmp_path / f"m.{suffix}")] for suffix in FORMATS]
        assert details[0] == details[1]
        told.append([each for each in details[0] if "as their initializers draw them" in each])
    (few,), sound = told
    assert "240 steps" in few
    assert sound == []
