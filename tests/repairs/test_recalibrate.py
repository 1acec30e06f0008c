"""New moving statistics: the sample that lost them, and one that did not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelaudit.audit_types.repair import LabelledEffect, RepairStatus
from modelaudit.repairs.candidates import RepairRuntimes
from modelaudit.repairs.repair import repair_model
from modelaudit.runs.repair import open_runtimes
from modelaudit.settings import Settings
from tests.sharing import REPOSITORY, told_with_tensorflow

SAMPLES = REPOSITORY / "sample_models"
IMAGES = SAMPLES / "digits_probe.npz"
ACCURACY = """
import json, sys
import keras, numpy as np
data = np.load(sys.argv[2])
answers = keras.models.load_model(sys.argv[1]).predict(data["x"], verbose=0).argmax(axis=1)
print(json.dumps(float((answers == data["y"]).mean())))
"""


@pytest.fixture(scope="module")
def runtimes() -> Iterator[RepairRuntimes]:
    with open_runtimes(Settings(), "tf==2.21", {SAMPLES}) as found:
        assert found is not None
        yield found


@pytest.mark.slow
def test_lost_statistics_come_back(runtimes: RepairRuntimes, tmp_path: Path) -> None:
    out = tmp_path / "new.keras"
    found = repair_model(
        *(SAMPLES / "digits_statistics_lost", "tf==2.21", out, Settings(), runtimes),
        recalibrate=IMAGES,
    )
    effect = found.recalibration
    assert found.status is RepairStatus.REPAIRED
    assert effect is not None
    assert effect.judged_on == 64
    assert effect.right_before < 32
    assert effect.right_after > 60
    assert (
        told_with_tensorflow("-c", ACCURACY, out, IMAGES) > 0.95
    )  # by Keras itself, on all of them


@pytest.mark.slow
def test_sound_statistics_are_left_alone(runtimes: RepairRuntimes, tmp_path: Path) -> None:
    out = tmp_path / "new.keras"
    found = repair_model(
        *(SAMPLES / "digits_robust.keras", "tf==2.21", out, Settings(), runtimes),
        recalibrate=IMAGES,
    )
    assert found.status is RepairStatus.UNPROVEN
    assert "do not make it better" in found.reason
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("before", "after", "p_value", "better"),
    [(9, 64, 1e-17, True), (60, 61, 0.5, False), (61, 60, 1e-9, False), (50, 58, 0.01, False)],
)
def test_only_a_gain_beyond_chance_counts(
    before: int, after: int, p_value: float, better: bool
) -> None:
    assert LabelledEffect(64, 64, before, after, p_value).better is better
