"""When an earlier audit and its reports are still valid."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.registry import snapshot
from modelaudit.registry.snapshot import FileState, Snapshot, SnapshotReader
from modelaudit.report.pages.assets import templates_root
from modelaudit.runs import cache
from modelaudit.store.store import Store
from tests.command_line import SAMPLES
from tests.made import files
from tests.runs.nights import scale


@pytest.fixture
def night(tmp_path: Path):
    """Run a nightly audit of `night.models` into `night.out`; return the number audited."""
    models, out = tmp_path / "models", tmp_path / "out"
    models.mkdir()

    def run(*more: str, registry: Path = models, command: str = "nightly") -> int:
        words = [command, str(registry), "--out", str(out), "--no-probe", *more]
        done = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert done.exit_code in (0, 1), done.output
        with Store.open_to_read(out) as store:
            return store.runs()[-1].audited

    run.models, run.out = models, out
    return run


def test_pages_are_rendered_again_when_our_templates_change(night, tmp_path, monkeypatch):
    files.minimal_h5(night.models / "a.h5")
    ours = tmp_path / "templates"
    shutil.copytree(templates_root(), ours)
    monkeypatch.setattr(cache, "templates_root", lambda: ours)
    assert [night("-f", "html"), night("-f", "html")] == [1, 0]
    style = ours / "css" / "base.css"
    style.write_text(style.read_text() + "\n")
    assert [night("-f", "html"), night("-f", "html")] == [1, 0]


def test_a_requested_file_of_the_run_is_written_even_if_nothing_changed(night):
    files.minimal_h5(night.models / "a.h5")
    assert night("-f", "json", "-f", "sarif") == 1
    report = night.out / "report.sarif"
    first = report.read_bytes()
    report.unlink()
    assert night("-f", "json", "-f", "sarif") == 0
    assert report.read_bytes() == first


def test_a_file_of_an_earlier_run_is_not_reused(night):
    files.minimal_h5(night.models / "a.h5")
    night("-f", "json", "-f", "junit")
    files.minimal_keras(night.models / "b.keras")
    night("-f", "json")
    assert "b.keras" not in (night.out / "junit.xml").read_text()
    assert night("-f", "json", "-f", "junit") == 0
    assert "b.keras" in (night.out / "junit.xml").read_text()


def test_reports_in_other_formats_are_kept_while_valid(night):
    files.minimal_h5(night.models / "a.h5")
    files.minimal_keras(night.models / "b.keras")
    pages = [night.out / "models" / name / "report.html" for name in ("a.h5", "b.keras")]
    night("-f", "html")
    before = [page.read_bytes() for page in pages]
    night("-f", "junit")
    assert [page.read_bytes() for page in pages] == before
    # The index links to all reports, whichever run made them.
    rows = json.loads((night.out / "index.json").read_text())["models"]
    assert all({"html", "json"} == set(row["links"]) for row in rows)
    scale(night.models / "a.h5")
    night("-f", "junit")
    assert [page.exists() for page in pages] == [False, True]
    rows = json.loads((night.out / "index.json").read_text())["models"]
    assert {row["path"]: "html" in row["links"] for row in rows} == {"a.h5": False, "b.keras": True}


def test_a_nightly_run_does_not_reuse_reports_of_another_registry(night, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    files.minimal_h5(night.models / "a.h5")
    files.minimal_h5(other / "a.h5")
    for command, registry in [("nightly", night.models), ("audit", other)] * 2:
        assert night("-f", "json", registry=registry, command=command) == 1
        assert json.loads((night.out / "index.json").read_text())["root"] == str(registry)
        told = json.loads((night.out / "models" / "a.h5" / "audit.json").read_text())
        assert told["model"]["root"] == str(registry)


@pytest.mark.parametrize(("settled", "more"), [(False, ()), (True, ("--verify",))])
def test_a_model_is_compared_with_the_previous_version(night, monkeypatch, settled, more):
    """Also if its directory entry does not show the change: see `test_verify_finds_what_…`."""
    for version in ("1", "2"):
        shutil.copytree(SAMPLES / "digits_random_export", night.models / "net" / version)
    real = SnapshotReader.snapshot

    def blind(looker: SnapshotReader, model: Path) -> Snapshot:
        states = real(looker, model).files
        told = tuple(FileState(each.name, each.size, 1, 1, 1) for each in states)
        return Snapshot(told, settled or model.name == "2")

    monkeypatch.setattr(SnapshotReader, "snapshot", blind)
    assert [night("-f", "json", *more), night("-f", "json", *more)] == [1, 0]
    (graph,) = (night.models / "net" / "1").glob("saved_model.pb")
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    assert [night("-f", "json", *more), night("-f", "json", *more)] == [1, 0]


def test_models_in_an_unchanged_archive_are_not_audited_again(night, tmp_path):
    packed = night.models / "export.tar.gz"
    kept = ("-f", "json", "--cache-dir", str(tmp_path / "kept"))

    def pack(*names):
        with tarfile.open(packed, "w:gz") as archive:
            for name in names:
                archive.add(files.minimal_h5(tmp_path / "m.h5"), name)

    pack("a.h5", "b.h5")
    assert [night(*kept), night(*kept)] == [2, 0]
    pack("a.h5", "b.h5", "c.h5")
    assert night(*kept) == 1  # the bytes of the others are those of before
    shutil.rmtree(tmp_path / "kept")  # unpacked again: new files, but the same bytes
    assert night(*kept) == 0
    rows = json.loads((night.out / "index.json").read_text())["models"]
    assert [row["path"] for row in rows] == [f"export.tar.gz/{name}.h5" for name in "abc"]


def test_an_export_is_audited_again_when_its_source_changes(night, monkeypatch):
    monkeypatch.setattr(snapshot, "SETTLED_SECONDS", 3600.0)  # however slow this machine is
    shutil.copy(SAMPLES / "digits_robust_bytes.tflite", night.models / "digits.tflite")
    shutil.copy(SAMPLES / "digits_robust.keras", night.models / "digits.keras")
    assert [night("-f", "json"), night("-f", "json")] == [2, 0]
    audit = json.loads((night.out / "models" / "digits.tflite" / "audit.json").read_text())
    told = audit["restore"]["exported_from"]
    assert (told["file"], told["verdict"]) == ("digits.keras", "could not be told")
    shutil.copy(SAMPLES / "digits_mirrored.keras", night.models / "digits.keras")
    assert night("-f", "json") == 2
    run = json.loads((night.out / "index.json").read_text())
    (across,) = [each for each in run["together"] if each["kind"] == "export-differs"]
    assert list(across["models"]) == ["digits.tflite"]
