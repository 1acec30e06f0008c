"""A GRU that does not state reset_after, against what `load_model` does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import LoadCall, Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.runtimes.checks.cases.case import K2, K3
from tests.runtimes.checks.making import changed, deleting, new, old, saved, stack

pytestmark = pytest.mark.slow
CODE = "reset-after-not-stated"
SHAPE = (5, 3)
DATA = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype("float32")
RUNTIMES = pytest.mark.parametrize("target", [K2, K3])


def gated(folder: Path, biases: bool, wrapped: bool = False) -> tuple[Path, np.ndarray]:
    """A file with a GRU as Keras 2.1 had it, and the model's outputs."""
    layers = old().layers
    layer = layers.GRU(4, reset_after=False, use_bias=biases)
    model = stack(old(), SHAPE, layers.Bidirectional(layer) if wrapped else layer, layers.Dense(2))
    path = saved(model, folder / "m.h5")
    # Keras 3 refuses the argument, which Keras 2.1 did not have either.
    return changed(path, deleting("GRU", "time_major")), model(DATA).numpy()


def loaded(path: Path, target: str) -> Any:
    keras = new() if target == K3 else old()
    return keras.models.load_model(path, compile=False)


def predicted(path: Path, target: str) -> tuple[Facts, Prediction]:
    facts = static_facts(path, Settings(targets=(target,)))
    found = predict(facts.artifact, (target,))
    (plain,) = (each for each in found if each.call == LoadCall.LOAD_MODEL)
    return replace(facts, predictions=found), plain


@RUNTIMES
def test_without_biases_it_loads_and_computes_something_else(target: str, tmp_path: Path) -> None:
    path, before = gated(tmp_path, biases=False)
    changed(path, deleting("GRU", "reset_after"))
    assert not np.allclose(loaded(path, target)(DATA), before, atol=1e-3)
    facts, found = predicted(path, target)
    assert found.predicted is LoadOutcome.DIFFERS
    assert [each.code for each in found.because] == [CODE]
    (finding,) = run_rule(rule("MA221"), facts).findings
    assert "raises no error but loads a different model" in finding.detail
    assert "reset_after=True, which computes something else" in finding.detail
    assert "reset_after=false" in finding.fix


@RUNTIMES
def test_with_the_argument_it_computes_the_same(target: str, tmp_path: Path) -> None:
    path, before = gated(tmp_path, biases=False)
    assert np.allclose(loaded(path, target)(DATA), before, atol=1e-5)
    _, found = predicted(path, target)
    assert found.predicted is LoadOutcome.LOADS


@RUNTIMES
def test_with_biases_it_does_not_load(target: str, tmp_path: Path) -> None:
    path, before = gated(tmp_path, biases=True)
    assert np.allclose(loaded(path, target)(DATA), before, atol=1e-5)
    assert predicted(path, target)[1].predicted is LoadOutcome.LOADS
    changed(path, deleting("GRU", "reset_after"))
    with pytest.raises(ValueError, match=r"reset_after|Shape mismatch|shape"):
        loaded(path, target)
    _, found = predicted(path, target)
    assert found.predicted is LoadOutcome.FAILS
    assert [each.code for each in found.because] == [CODE]


@pytest.mark.parametrize("biases", [False, True])
def test_in_two_directions_it_is_the_same(biases: bool, tmp_path: Path) -> None:
    path, before = gated(tmp_path, biases, wrapped=True)
    changed(path, deleting("GRU", "reset_after"))
    _, found = predicted(path, K2)
    assert {each.code for each in found.because} == {CODE}
    if biases:
        assert found.predicted is LoadOutcome.FAILS
        with pytest.raises(ValueError, match="reset_after"):
            loaded(path, K2)
    else:
        assert found.predicted is LoadOutcome.DIFFERS
        assert not np.allclose(loaded(path, K2)(DATA), before, atol=1e-3)
