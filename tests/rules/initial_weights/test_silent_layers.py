"""Layers before ReLUs that are dead in TensorFlow, and bodies that were left out of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.rules.initial_weights.initial_explained import BODY, SILENT
from modelaudit.rules.weights import trained
from tests.made.training import train
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
X = np.linspace(0, 1, 96, dtype="float32")[:, None]


def narrowing(keras: Any, *, dead: bool) -> Any:
    """The first draw of a network whose last ReLU gives 0 for all of X, or for none of it."""
    layers = keras.layers
    for seed in range(200):
        keras.utils.set_random_seed(seed)
        hidden = [layers.Dense(units, activation="relu") for units in (16, 16, 4, 2)]
        body = keras.Sequential([layers.Input((1,)), *hidden])
        silent = body(X).numpy().max(axis=1) == 0
        if silent[1:].all() if dead else not silent[1:].any():
            return keras.Sequential([layers.Input((1,)), *hidden, layers.Dense(1)])
    raise AssertionError("no such draw")


def said(model: Any, folder: Path) -> list[tuple[str, str]]:
    """Code of each finding, and which explanation of initial values it has."""
    model.save(folder / "model.keras")
    findings = found(trained.RULES, folder / "model.keras")
    told = {SILENT: "silent", BODY: "body"}
    return [
        (each.code, next((name for why, name in told.items() if why in each.detail), ""))
        for each in findings
    ]


@pytest.mark.parametrize("dead", [True, False])
def test_what_is_before_a_dead_relu_is_no_body(dead: bool, keras: Any, tmp_path: Path) -> None:
    model = narrowing(keras, dead=dead)
    before = [weight.numpy() for weight in model.weights]
    model.compile(keras.optimizers.SGD(0.05), "mse")
    train(model, X, X, epochs=30, batch=8)
    moved = [(w.numpy() != b).any() for w, b in zip(model.weights, before, strict=True)]
    assert moved == ([False] * 9 + [True] if dead else [True] * 10)  # by TensorFlow
    assert said(model, tmp_path) == ([("MA405", "silent")] if dead else [])


def test_a_body_that_was_frozen_while_its_head_learnt_is_one(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(5)
    hidden = [layers.Dense(32, activation="relu") for _ in range(3)]
    model = keras.Sequential([layers.Input((32,)), *hidden, layers.Dense(10)])
    for layer in hidden:
        layer.trainable = False
    random = np.random.default_rng(1)
    x = random.normal(size=(256, 32)).astype("float32")
    model.compile(keras.optimizers.SGD(0.1), "mse")
    train(model, x, 3 * x[:, :10], epochs=30)
    for layer in hidden:
        layer.trainable = True  # without a new optimizer, which would not know of the steps
    assert ("MA405", "silent") not in said(model, tmp_path)
