"""Adagrad's sums of squared gradients, under the names that each Keras gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.pipeline import static_facts
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    ("library", "suffix"),
    [
        ("keras", "keras"),
        ("keras", "h5"),
        ("tf_keras", "h5"),
        ("tf_keras", "keras"),
        ("tf_keras", ""),
    ],
)
def test_the_sums_are_those_of_keras(library: str, suffix: str, tmp_path: Path) -> None:
    used: Any = pytest.importorskip(library)
    layers = [used.layers.Dense(8, "tanh", name="first"), used.layers.Dense(1, name="last")]
    model = used.Sequential([used.layers.Input((5,)), *layers])
    optimizer = used.optimizers.Adagrad(0.1)
    model.compile(optimizer, "mse")
    x = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    train(model, x, x[:, :1] - x[:, 1:2], steps=10)
    path = tmp_path / (f"m.{suffix}" if suffix else "m")
    model.save(path, **({} if suffix else {"save_format": "tf"}))
    state = optimizer_state(static_facts(path, Settings()).artifact)
    assert state is not None and (state.name, state.steps) == ("Adagrad", 10)
    kept = {tuple(each.shape): np.asarray(each).max() for each in optimizer._accumulators}
    assert len(kept) == len(state.moments) == 4
    assert {each.shape: each.second for each in state.moments} == pytest.approx(kept)
