"""Gammas of exactly 1: what they normalized was 0, or float16 rounded their steps away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.initial_weights.initial_explained import ZEROS
from modelaudit.rules.initial_weights.untrained_bodies import Untouched, behind_zeros
from modelaudit.settings import Settings
from tests.made.training import train
from tests.rules.initial_kernels import drawn

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    ("dtype", "zeros", "told"),
    [("float32", True, ZEROS), ("float32", False, ""), ("float16", False, "")],
)
def test_what_a_gamma_of_1_tells(dtype: str, zeros: bool, told: str, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    of = keras.layers
    inputs = keras.Input((6,), dtype=dtype)
    hidden = of.Dense(8, use_bias=False, dtype=dtype, name="before")(inputs)
    normed = of.LayerNormalization(dtype=dtype, name="norm")(hidden)
    model = keras.Model(inputs, of.Dense(1, dtype=dtype, name="last")(normed))
    data = np.random.default_rng(0).normal(size=(64, 6)).astype(dtype) * (not zeros)
    model.compile(keras.optimizers.Adam(1e-4, epsilon=1e-3), "mse")
    train(model, data, np.ones((64, 1), dtype), epochs=2, batch=16)
    gamma, beta = (np.asarray(each) for each in model.get_layer("norm").get_weights())
    slots = [np.asarray(each) for each in model.optimizer.variables if "gamma" in each.path]
    # By Keras: gradients reached it unless all that it got was 0, and only float32 shows it.
    assert (beta != 0).any()
    assert any((each != 0).any() for each in slots) == (not zeros)
    assert (gamma == 1).all() == (zeros or dtype == "float16")
    model.save(tmp_path / "model.keras")
    artifact = static_facts(tmp_path / "model.keras", Settings()).artifact
    (found,) = behind_zeros(artifact, [Untouched(drawn("before", bias=None), Severity.MEDIUM)])
    assert found.against == told
