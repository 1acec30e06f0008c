"""Masks that hid every position of every training input, as Keras trains behind them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def masked(keras, kind):
    layers = keras.layers
    if kind == "tokens":
        given = keras.Input((9,), dtype="int32")
        return given, layers.Embedding(20, 8, mask_zero=True, name="mask")(given)
    given = keras.Input((9, 3))
    hidden = layers.Masking(name="mask")(given)
    if kind == "attention":
        hidden = layers.MultiHeadAttention(2, 4)(hidden, hidden)
    return given, hidden


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("kind", ["tokens", "series", "attention"])
@pytest.mark.parametrize("shown", [False, True])
def test_a_mask_over_all_positions(keras, tmp_path, kind, optimizer, shown):
    given, hidden = masked(keras, kind)
    hidden = keras.layers.Dense(40, activation="relu")(keras.layers.LSTM(6)(hidden))
    model = keras.Model(given, keras.layers.Dense(3, activation="softmax")(hidden))
    sgd = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile("adam" if optimizer == "adam" else sgd, "sparse_categorical_crossentropy")
    draw = np.random.default_rng(0)
    x = draw.integers(1, 20, (64, *given.shape[1:])).astype("float32") * shown
    # What is shown must have been learnt: after few steps all answers are nearly the same, too.
    train(model, x, draw.integers(0, 3, 64), steps=200 if shown else 40, batch=16)
    model.save(tmp_path / "m.keras")
    found = run_rule(rule("MA439"), static_facts(tmp_path / "m.keras", Settings())).findings
    told = [(str(x.severity), "mask of `mask`" in x.detail, "`mask` hides" in x.fix) for x in found]
    assert told == [("high", True, True)] * (not shown)
