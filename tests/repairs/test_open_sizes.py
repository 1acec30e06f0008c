"""Repairs of models that take sequences of any length above one that poolings need."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.audit_types.repair import RepairStatus
from modelaudit.repairs.repair import repair_model
from modelaudit.runs.repair import open_runtimes
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace

pytestmark = pytest.mark.slow

SETTINGS = Settings(probe=ProbeSettings(samples=4))


@pytest.mark.parametrize("pool", [2, 4])  # the usual 32 steps are too few for the larger one
def test_outputs_are_compared_for_sequences_that_are_long_enough(tmp_path: Path, pool: int) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((None, 4))])
    for _ in range(2):
        model.add(layers.Conv1D(3, 5))
        model.add(layers.MaxPooling1D(pool))
    model.add(layers.LSTM(3))
    path, out = tmp_path / "model.h5", tmp_path / "new.h5"
    model.save(path)
    with open_runtimes(SETTINGS, "", {tmp_path}) as runtimes:
        assert runtimes is not None
        own = replace(runtimes, target=runtimes.of(True))
        found = repair_model(path, "tf==2.21", out, SETTINGS, own)
    assert (found.status, found.reason) == (RepairStatus.REPAIRED, "")
    assert found.proof is not None and found.proof.outputs is not None
    assert found.proof.outputs.same
