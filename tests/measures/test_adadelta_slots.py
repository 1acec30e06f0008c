"""Adadelta's averages of squared gradients are told from those of its squared steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.pipeline import static_facts
from modelaudit.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("size", [1.0, 80.0])
def test_the_averages_are_those_of_keras(
    suffix: str, size: float, keras: Any, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(8, "tanh", name="first"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.layers.Input((5,)), *layers])
    optimizer = keras.optimizers.Adadelta(1.0)
    model.compile(optimizer, "mse")
    x = np.random.default_rng(0).normal(size=(256, 5)).astype("float32")
    target = x[:, :1] - x[:, 1:2]
    model.fit(size * x, target, epochs=5, batch_size=16, verbose=0)
    model.save(tmp_path / f"model.{suffix}")
    facts = static_facts(tmp_path / f"model.{suffix}", Settings())
    state = optimizer_state(facts.artifact)
    assert state is not None and (state.name, state.steps) == ("Adadelta", 80)
    kept = [np.asarray(each) for each in optimizer._accumulated_grads]
    assert [each.first for each in state.moments] == [None] * 4
    assert [each.second for each in state.moments] == pytest.approx([each.max() for each in kept])
    assert facts.measurements is not None
    if size > 1:  # the root mean square of the largest column, roughly
        assert facts.measurements.input_scales["first"] == pytest.approx(size, rel=0.5)
    else:
        assert facts.measurements.input_scales["first"] < 5
