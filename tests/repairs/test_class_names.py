"""Class names in the order of the outputs: names in another order, and names that are right."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.repair import Repair, RepairStatus
from modelaudit.errors import UsageError
from modelaudit.formats.class_labels import read_labels
from modelaudit.repairs.candidates import RepairRuntimes
from modelaudit.repairs.class_names import _places
from modelaudit.repairs.labelled import LabelledInputs
from modelaudit.repairs.repair import repair_model
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.runs.repair import open_runtimes
from modelaudit.settings import Limits, Settings
from tests.sharing import REPOSITORY

SAMPLES = REPOSITORY / "sample_models"
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def runtimes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepairRuntimes]:
    with open_runtimes(Settings(), "tf==2.21", {tmp_path_factory.getbasetemp()}) as found:
        assert found is not None
        yield found


def renamed(folder: Path, names: list[str], runtimes: RepairRuntimes) -> Repair:
    """The model of digits with these names beside it, on images that are labelled by name."""
    (folder / "new").mkdir()
    model = Path(shutil.copy(SAMPLES / "digits_robust.keras", folder / "digits.keras"))
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    data = np.load(SAMPLES / "digits_probe.npz")
    places = np.array([names.index(name) for name in DIGITS])
    np.savez(folder / "images.npz", x=data["x"], y=places[data["y"]])
    return repair_model(
        *(model, "tf==2.21", folder / "new" / "digits.keras", Settings(), runtimes),
        rename_classes=folder / "images.npz",
    )


@pytest.mark.slow
def test_names_in_another_order_are_put_in_that_of_the_outputs(
    runtimes: RepairRuntimes, tmp_path: Path
) -> None:
    before = [*DIGITS[3:], *DIGITS[:3]]
    found = renamed(tmp_path, before, runtimes)
    assert found.status is RepairStatus.REPAIRED
    assert found.renamed_classes is not None
    effect = found.renamed_classes.effect
    assert (effect.judged_on, effect.right_before) == (64, 0)
    assert effect.right_after > 60
    assert list(found.renamed_classes.before) == before
    written = read_labels(tmp_path / "new" / "digits.keras", Limits())
    digest = hashlib.sha256((tmp_path / "new" / "labels.txt").read_bytes()).hexdigest()
    told = {"file": "labels.txt", "sha256": digest, "names": DIGITS}
    assert written == {**told, "shared": False}
    (tmp_path / "new" / "faces.tflite").touch()
    shared = read_labels(tmp_path / "new" / "digits.keras", Limits())
    assert shared == {**told, "shared": True}
    with pytest.raises(UsageError, match="exists"):
        repair_model(
            *(tmp_path / "digits.keras", "tf==2.21", tmp_path / "new" / "b.keras"),
            *(Settings(), runtimes),
            rename_classes=tmp_path / "images.npz",
        )


@pytest.mark.slow
def test_right_names_are_left_alone(runtimes: RepairRuntimes, tmp_path: Path) -> None:
    found = renamed(tmp_path, DIGITS, runtimes)
    assert found.status is RepairStatus.UNPROVEN
    assert "no other order of the class names" in found.reason
    assert list((tmp_path / "new").iterdir()) == []


def test_class_folders_have_names_and_numbers_are_places() -> None:
    y = np.array([0, 1, 1])
    named = LabelledInputs(np.zeros((3, 1)), y, ("cat", "dog"))
    assert _places(named, ["dog", "owl", "cat"], Path("images")).tolist() == [2, 0, 0]
    numbered = LabelledInputs(np.zeros((3, 1)), y)
    assert _places(numbered, ["dog", "owl", "cat"], Path("images")).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("classes", "names", "reason"),
    [(("cat", "dog"), ["dog"], "cat"), ((), ["dog"], "up to 1"), ((), [], "no class names")],
)
def test_labels_without_a_name_are_refused(
    classes: tuple[str, ...], names: list[str], reason: str
) -> None:
    given = LabelledInputs(np.zeros((3, 1)), np.array([0, 1, 1]), classes)
    with pytest.raises(Untranslatable, match=reason):
        _places(given, names, Path("images"))
