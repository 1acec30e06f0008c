"""MA442 on models of Keras 3, which a further step of training tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.findings import Outcome
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training.half_averages import half
from modelaudit.settings import Settings
from tests.made.training import train


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("policy", ["float16", "mixed_float16"])
def test_with_an_average_of_0_a_weight_does_not_move_or_moves_far(
    keras: Any, tmp_path: Path, policy: str
) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(1)
    hidden = layers.Dense(32, activation="relu", dtype=policy)
    model = keras.Sequential([layers.Input((16,)), hidden, layers.Dense(1, dtype=policy)])
    rate = 1e-3
    model.compile(keras.optimizers.Adam(rate), "mse")
    random = np.random.default_rng(0)
    x = random.normal(size=(256, 16)).astype("float32")
    y = (0.02 * random.normal(size=(256, 1))).astype("float32")
    model.layers[-1].kernel.assign(0.05 * model.layers[-1].kernel)
    train(model, x, y, steps=200, batch=256)
    path = tmp_path / "m.keras"
    model.save(path)
    zeros = model.optimizer.variables[3].numpy() == 0
    before = hidden.kernel.numpy().astype("float64")
    train(model, x, y, steps=1, batch=256)
    moved = np.abs(hidden.kernel.numpy().astype("float64") - before)
    lost = policy == "float16"
    assert bool(zeros.mean() > 0.5) is lost
    assert ((moved[zeros] == 0) | (moved[zeros] > 100 * rate)).all()
    if not lost:
        assert (moved > 0).all()
        assert moved.max() < 3 * rate
    found = run_rule(rule("MA442"), static_facts(path, Settings())).findings
    assert [each.severity.value for each in found] == ["medium"] * lost


def test_a_type_with_small_numbers_is_not_meant() -> None:
    assert run_rule(rule("MA442"), half(900, "bfloat16")).outcome is Outcome.NOT_APPLICABLE
