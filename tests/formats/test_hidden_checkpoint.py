"""A file with the name of a checkpoint's prefix: what a program reads by that name differs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.settings import Limits
from tests.formats.bundle_writer import write_bundle

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


@pytest.mark.parametrize("missing", ["", ".index", ".data-00000-of-00001"])
def test_a_checkpoint_behind_a_file_of_its_name_is_mentioned(tmp_path: Path, missing: str) -> None:
    model = next(SAMPLES.rglob("*.h5"))
    path = tmp_path / "cp.ckpt"
    write_bundle(path, {"w": np.ones(2, "float32")})
    shutil.copy(model, path)
    if missing:
        (tmp_path / f"cp.ckpt{missing}").unlink()
    found = [x.detail for x in read(path, Limits()).problems if "checkpoint" in x.detail]
    assert len(found) == (not missing)
    assert all("cp.ckpt.index" in each for each in found)
