"""`modelaudit record` and `modelaudit diff`, as users run them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import pytest

from tests.command_line import run_command as modelaudit
from tests.made.files import minimal_h5, minimal_keras


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A model, and the same with its kernel scaled by 2."""
    old, new = minimal_h5(tmp_path / "old.h5"), tmp_path / "new.h5"
    shutil.copy(old, new)
    with h5py.File(new, "r+") as file:
        kernel = file["model_weights/dense/dense/kernel:0"]
        kernel[...] = 2 * kernel[()]
    return old, new


def test_a_model_does_not_differ_from_itself(pair: tuple[Path, Path]) -> None:
    done = modelaudit("diff", "--no-probe", pair[0], pair[0])
    assert done.returncode == 0, done.stderr
    assert "no difference" in done.stdout
    assert "2 of 2 weights are identical" in done.stdout


def test_a_scaled_kernel_is_reported_in_80_columns(pair: tuple[Path, Path]) -> None:
    done = modelaudit("diff", "--no-probe", *pair)
    assert done.returncode == 1, done.stderr
    assert "dense/kernel: scaled by 2" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_audit_files_can_be_compared(pair: tuple[Path, Path], tmp_path: Path) -> None:
    files = []
    for model in pair:
        out = tmp_path / f"{model.stem}-report"
        modelaudit("audit", "--no-probe", model, "--out", out, "-f", "json")
        files += out.glob("models/*/audit.json")
    assert len(files) == 2
    done = modelaudit("diff", "--json", *files)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["equal"], found["breaking"]) == (False, False)
    (weights,) = [each for each in found["changes"] if each["section"] == "weights"]
    assert "kernel:0: scaled by 2" in weights["what"]
    assert modelaudit("diff", files[0], files[0]).returncode == 0
    mixed = modelaudit("diff", "--no-probe", pair[1], files[0])
    assert mixed.returncode == 1, mixed.stderr


@pytest.mark.slow
def test_two_audits_of_one_model_are_distinguished_by_their_directories(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    for out in "AB":
        modelaudit("audit", "--no-probe", pair[0], "--out", tmp_path / out, "-f", "json")
    (one,), (other,) = ((tmp_path / out).glob("models/*/audit.json") for out in "AB")
    said = modelaudit("diff", one, other).stdout
    assert said.startswith("old.h5 (A) -> old.h5 (B): no difference\n")
    assert "at least one model was not run" in said
    assert modelaudit("diff", one, one).stdout.startswith("old.h5 -> old.h5: no difference\n")


@pytest.mark.slow
def test_an_audit_compared_with_itself_says_that_its_model_was_run(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    modelaudit("audit", pair[0], "--out", tmp_path / "A", "-f", "json", "--samples", 16)
    (file,) = (tmp_path / "A").glob("models/*/audit.json")
    assert json.loads(file.read_text())["behaviour"]["inputs"]["n"] == 16
    said = " ".join(modelaudit("diff", file, file).stdout.split())
    assert "both models were run on the same inputs (16 synthetic, seed" in said
    assert "not run" not in said


@pytest.mark.parametrize("pattern", ["old.keras", "models/*"])
def test_a_policy_for_one_of_the_two_models_applies(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "models").mkdir()
    old, new = minimal_keras(tmp_path / "models" / "old.keras"), tmp_path / "new.keras"
    shutil.copy(old, new)
    config = tmp_path / "modelaudit.toml"
    config.write_text(f'[[policy]]\npath = "{pattern}"\ntargets = ["tf==1.15"]\n')
    done = modelaudit("--config", config, "diff", "--no-probe", "--json", old, new)
    told = [each["what"] for each in json.loads(done.stdout)["changes"]]
    assert told == ["gone: MA220 target-cannot-load"]


def test_misuse_is_a_usage_error(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert modelaudit("diff", pair[0], tmp_path / "none").returncode == 2
    both = modelaudit("diff", "--no-probe", tmp_path, pair[0])
    assert both.returncode == 2
    assert "2 models" in both.stderr
    (tmp_path / "empty").mkdir()
    assert modelaudit("record", tmp_path / "empty").returncode == 4


@pytest.mark.slow
def test_a_record_is_written_kept_and_replayed(made: Path, tmp_path: Path) -> None:
    model, sidecar = tmp_path / "m.keras", tmp_path / "m.keras.golden.json"
    shutil.copy(made / "keras3_sequential.keras", model)
    done = modelaudit("record", model)
    assert (done.returncode, done.stdout.strip()) == (0, str(sidecar)), done.stderr
    text = sidecar.read_text()
    again = modelaudit("record", model)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert sidecar.read_text() == text
    out = tmp_path / "report"
    modelaudit("audit", model, "--out", out, "-f", "json")
    (file,) = out.glob("models/*/audit.json")
    golden = json.loads(file.read_text())["restore"]["golden"]
    assert golden["outputs_reproduced"] is True
    assert golden["weights_recorded"] == golden["weights_identical"] == 8
    assert golden["same_files"] is True
    # Another model with the same record: weights and outputs differ.
    shutil.copy(made / "keras3_nested.keras", model)
    modelaudit("audit", model, "--out", out, "-f", "json")
    codes = {f["code"] for f in json.loads(file.read_text())["findings"]}
    assert {"MA409", "MA410", "MA411"} <= codes


@pytest.mark.slow
def test_outputs_for_the_same_inputs_are_compared(pair: tuple[Path, Path]) -> None:
    done = modelaudit("diff", *pair)
    assert done.returncode == 1, done.stderr
    assert "outputs for the same inputs are different" in done.stdout
    assert "outputs differ by up to" in done.stdout
