"""An optimizer that scales the loss, as of mixed precision, keeps its state in the one inside."""

from __future__ import annotations

import importlib
import os

import numpy as np
import pytest

from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("generation", ["keras", "tf_keras"])
def test_the_state_of_the_optimizer_inside(generation, suffix, tmp_path):
    keras = importlib.import_module(generation)
    scaling = getattr(keras.optimizers, "LossScaleOptimizer", None)
    scaling = scaling or keras.mixed_precision.LossScaleOptimizer
    layers = [keras.layers.Dense(6, "relu"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    inside = keras.optimizers.Adam(2.0)
    model.compile(scaling(inside), "binary_crossentropy")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    train(model, x, (x[:, :1] > 0).astype("float32"), steps=70)
    path = tmp_path / f"m.{suffix}"
    model.save(os.fspath(path))
    facts = static_facts(path, Settings())
    state = optimizer_state(facts.artifact)
    assert state is not None
    assert (state.name, state.steps, state.rate) == ("Adam", int(inside.iterations), 2.0)
    stored = {np.asarray(each).tobytes() for each in _variables(inside)}
    sizes = [each.second for each in state.moments]
    largest = {float(np.frombuffer(each, "f4").max()) for each in stored if len(each) % 4 == 0}
    assert len(sizes) == 4 and set(sizes) <= largest
    (found,) = run_rule(rule("MA319"), facts).findings
    assert "learning rate of Adam is 2" in found.detail
    assert run_rule(rule("MA431"), facts).findings == ()


def test_optimizers_of_their_own_kind(tmp_path):
    """Muon keeps one variable of a matrix and two of a vector; the other steps by its rate."""
    import keras

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    for name in ("Muon", "ScheduleFreeAdamW"):
        row = [keras.layers.Dense(6, "relu"), keras.layers.Dense(5, "relu"), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((4,)), *row])
        model.compile(getattr(keras.optimizers, name)(0.5), "mse")
        train(model, x, x[:, :1], steps=70)
        path = tmp_path / f"{name}.keras"
        model.save(path)
        facts = static_facts(path, Settings())
        assert run_rule(rule("MA424"), facts).findings == ()
        rated = [each.detail for each in run_rule(rule("MA319"), facts).findings]
        assert any("each step moves every weight" in x for x in rated) is (name != "Muon")


def _variables(optimizer):
    given = optimizer.variables
    return given() if callable(given) else given
