"""Files of weights that have another name than the JSON file says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelaudit.facts import ProblemKind
from modelaudit.findings import Severity
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.rules import catalogue
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Limits, Settings

MADE = Path(__file__).parent.parent.parent / "made" / "tfjs" / "plain"


def named(folder: Path, listed: str, stored: str) -> Path:
    """A model whose JSON file lists its only file of weights by one name, and which has another."""
    shutil.copytree(MADE, folder)
    document = json.loads((folder / "model.json").read_text())
    (path,) = document["weightsManifest"][0]["paths"]
    document["weightsManifest"][0]["paths"] = [listed]
    (folder / "model.json").write_text(json.dumps(document))
    (folder / stored).parent.mkdir(exist_ok=True)
    (folder / path).rename(folder / stored)
    return folder / "model.json"


@pytest.mark.parametrize(
    "stored",
    [
        *("group1-shard1of1(1).bin", "group1-shard1of1 (2).bin", "group1-shard1of1 copy.bin"),
        *("Copy of group1-shard1of1.bin", "group1-shard1of1", "group1-shard1of1.bin.bin"),
    ],
)
def test_a_renamed_file_is_named(tmp_path: Path, stored: str) -> None:
    path = named(tmp_path / "m", "group1-shard1of1.bin", stored)
    (found,) = run_rule(catalogue.rule("MA108"), static_facts(path, Settings())).findings
    assert f"; {stored} is, as if it had been renamed" in found.detail
    assert found.fix.startswith(f"Rename `{stored}` to `group1-shard1of1.bin`")
    (path.parent / stored).rename(path.parent / "group1-shard1of1.bin")  # the advice
    assert read(path, Limits()).problems == ()


def test_a_path_that_begins_with_a_slash_is_beside_the_model(tmp_path: Path) -> None:
    """TensorFlow.js puts the place of the model before it."""
    path = named(tmp_path / "m", "/group1-shard1of1.bin", "group1-shard1of1(1).bin")
    facts = static_facts(path, Settings())
    (found,) = run_rule(catalogue.rule("MA108"), facts).findings
    assert "group1-shard1of1(1).bin is, as if" in found.detail
    assert not run_rule(catalogue.rule("MA721"), facts).findings
    (path.parent / "group1-shard1of1(1).bin").rename(path.parent / "group1-shard1of1.bin")
    assert read(path, Limits()).problems == ()


@pytest.mark.parametrize("stored", ["weights.bin", "group1-shard2of2.bin", "group1-shard1of10.bin"])
def test_another_name_is_no_renamed_file_unless_its_size_fits(tmp_path: Path, stored: str) -> None:
    """Programs on phones give `weights.bin` to the loader, which then reads no path."""
    path = named(tmp_path / "m", "group1-shard1of1.bin", stored)
    (found,) = run_rule(catalogue.rule("MA108"), static_facts(path, Settings())).findings
    assert f"; {stored} is, of exactly the size that is needed" in found.detail
    assert found.severity is Severity.MEDIUM
    size = (path.parent / stored).stat().st_size
    for other in (size - 1, size + 1):
        with (path.parent / stored).open("ab") as file:
            file.truncate(other)
        (found,) = run_rule(catalogue.rule("MA108"), static_facts(path, Settings())).findings
        assert "is, " not in found.detail and "Rename" not in found.fix
        assert found.severity is Severity.HIGH


def test_of_two_copies_none_is_named(tmp_path: Path) -> None:
    path = named(tmp_path / "m", "w.bin", "w(1).bin")
    shutil.copy(path.parent / "w(1).bin", path.parent / "w(2).bin")
    (found,) = run_rule(catalogue.rule("MA108"), static_facts(path, Settings())).findings
    assert "renamed" not in found.detail


@pytest.mark.parametrize(
    ("listed", "stored", "there"),
    [
        ("my%20weights.bin", "my weights.bin", True),
        ("m%C3%BCller.bin", "müller.bin", True),
        ("my%20weights.bin", "my%20weights.bin", True),
        ("100%.bin", "100%.bin", True),
        ("my%20weights.bin", "my_weights.bin", False),
    ],
)
def test_a_path_is_one_of_a_url(tmp_path: Path, listed: str, stored: str, there: bool) -> None:
    artifact = read(named(tmp_path / "m", listed, stored), Limits())
    assert bool(artifact.tensors and not artifact.problems) is there


@pytest.mark.parametrize("listed", ["%2e%2e/w.bin", "..%2Fw.bin", "%2Fw.bin", "a%00.bin"])
def test_a_coded_path_leads_nowhere_else(tmp_path: Path, listed: str) -> None:
    path = named(tmp_path / "m", listed, "here.bin")
    shutil.copy(path.parent / "here.bin", tmp_path / "w.bin")
    artifact = read(path, Limits())
    assert ProblemKind.MISSING_SHARD in {each.kind for each in artifact.problems}
    assert [each.path for each in artifact.files] == ["model.json"]


def test_few_missing_files_are_looked_for(tmp_path: Path) -> None:
    """Each takes a listing of the directory, and a manifest may name any number of files."""
    paths = [f"w{n}.bin" for n in range(40)]
    for path in paths:
        (tmp_path / path.replace(".", "(1).")).write_bytes(b"")
    manifest = [{"paths": paths, "weights": []}]
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"format": "layers-model", "weightsManifest": manifest}))
    told = ["renamed" in each.detail for each in read(path, Limits()).problems]
    assert len(told) >= 40 and 0 < told.count(True) < 40


@pytest.mark.parametrize("folder", ["weights", "."])
def test_a_file_beside_a_model_that_lists_it_in_a_folder_is_named(
    tmp_path: Path, folder: str
) -> None:
    """The loader looks into the folder only, so the finding is no milder."""
    path = named(tmp_path / "m", f"{folder}/w.bin", "w.bin")
    found = run_rule(catalogue.rule("MA108"), static_facts(path, Settings())).findings
    if folder == ".":
        assert found == ()
        return
    (only,) = found
    assert "w.bin beside the model is, of exactly the size that is needed" in only.detail
    assert only.severity is Severity.HIGH
    assert only.fix.startswith("Rename `w.bin` to `weights/w.bin`")
    (path.parent / folder).mkdir()
    (path.parent / "w.bin").rename(path.parent / folder / "w.bin")  # the advice
    assert read(path, Limits()).problems == ()
