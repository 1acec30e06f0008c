"""Which of the files that a repair made is taken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

import h5py
import pytest

from modelaudit.audit_types.loading import Agreement
from modelaudit.audit_types.repair import RepairProof
from modelaudit.formats.reader import read_artifact
from modelaudit.probe.host.runtime import RuntimeHandle, installed_runtime
from modelaudit.repairs import candidates
from modelaudit.repairs.candidates import RepairJob, RepairRuntimes
from modelaudit.repairs.proof import Attempt
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.settings import Settings

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


@pytest.mark.parametrize(("loss", "loads"), [("mse", True), ("my_loss", False)])
def test_a_loss_of_its_own_is_seen_though_the_target_proves_the_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str, loads: bool
) -> None:
    """The target loads the file without compiling it; plain `load_model` compiles."""
    path = Path(shutil.copy(SAMPLES / "digits_noaug.h5", tmp_path / "a.h5"))
    with h5py.File(path, "r+") as file:
        optimizer = {"class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.01}}
        training = {"loss": loss, "metrics": None, "weighted_metrics": None, "loss_weights": None}
        file.attrs["training_config"] = json.dumps({**training, "optimizer_config": optimizer})
    equal = Attempt(RepairProof(1, 1, 1, 1, outputs=cast(Agreement, "equal")))
    monkeypatch.setattr(candidates, "check", lambda *_: equal)
    monkeypatch.setattr(candidates, "reference", lambda *_: "")
    (tmp_path / "made").mkdir()
    handle = RuntimeHandle(installed_runtime(), "", "")
    job = RepairJob(
        *(read_artifact(path, Settings().limits), find_profile("tf-keras==2.21")),
        *(tmp_path / "new.h5", tmp_path / "made", Settings()),
        *(RepairRuntimes(handle, handle, handle), False),
    )
    found, attempt = job.best()
    assert found is not None
    assert (found.trained, attempt.failure) == (loads, "")
