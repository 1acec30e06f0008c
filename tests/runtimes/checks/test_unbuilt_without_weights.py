"""Sequential models that were saved before they had weights, against what `load_model` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.pipeline import static_facts
from modelaudit.runtimes.model import LoadCall
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from tests.runtimes.checks.cases.case import K2, K3
from tests.runtimes.checks.making import new, old

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("target", "built"), [(K2, True), (K3, True), (K3, False)])
def test_no_weights_are_compared_with_no_layers(
    target: str, built: bool, compiled: bool, tmp_path: Path
) -> None:
    keras, path = new() if target == K3 else old(), tmp_path / "m.h5"
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
    if compiled:
        model.compile(keras.optimizers.Adam(), "binary_crossentropy")
    if built:
        model(np.zeros((2, 4), "float32"))
    model.save(path)
    try:
        keras.models.load_model(path, compile=False)
        loads = True
    except ValueError:
        loads = False
    facts = static_facts(path, Settings(targets=(target,)))
    found = predict(facts.artifact, (target,))
    (plain,) = (each for each in found if each.call == LoadCall.LOAD_MODEL)
    assert (plain.predicted is LoadOutcome.LOADS) == loads
