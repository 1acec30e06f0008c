"""SARIF and GitLab's report point at the file itself, for every model layout."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import modelaudit
from modelaudit.facts import Format
from modelaudit.formats.sniff import sniff
from modelaudit.report.export import gitlab, sarif
from modelaudit.structs import replace
from tests.formats.bundle_writer import write_bundle
from tests.made.files import minimal_h5, minimal_keras
from tests.made.presets import preset
from tests.made.saved_models import tf1_message, tf2_model, write


def with_link(root: Path) -> Path:
    (root / "assets").mkdir()
    (root / "assets" / "out").symlink_to("/etc/hostname")
    return root


def no_graph(root: Path) -> Path:
    write(root, tf1_message())
    (root / "saved_model.pb").write_bytes(b"")
    return root


def session_bundle(root: Path) -> Path:
    root.mkdir()
    (root / "export.meta").write_bytes(b"\xff")  # without its variables
    return root


def orbax(root: Path) -> Path:
    root.mkdir()
    (root / "_CHECKPOINT_METADATA").write_text("{}")
    (root / "pytree").mkdir()
    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": "/etc/passwd"}}
    (root / "pytree" / ".zarray").write_text(json.dumps(spec))
    return root


def unpacked(root: Path) -> Path:
    with zipfile.ZipFile(minimal_keras(root.with_name("m.keras"))) as archive:
        archive.extractall(root)
    (root / "config.json").write_text("{")
    return root


def broken_preset(root: Path) -> Path:
    preset(root)
    (root / "task.json").write_text("{")
    return root


DIRECTORIES = {
    Format.SAVEDMODEL_TF1: lambda root: with_link(write(root, tf1_message())),
    Format.SAVEDMODEL_TF2: lambda root: with_link(tf2_model(root)),
    Format.CORRUPT_SAVEDMODEL: no_graph,
    Format.SESSION_BUNDLE: session_bundle,
    Format.ORBAX: orbax,
    Format.KERASHUB_PRESET: broken_preset,
}


def places(path: Path, base: Path) -> set[tuple[str, str, str]]:
    """(file named by a finding, location in SARIF, location in GitLab's report)."""
    settings = modelaudit.Settings()
    settings = replace(settings, probe=replace(settings.probe, enabled=False))
    audits = list(modelaudit.audit(path, settings))
    log = json.loads(sarif.render(audits, {}, base=str(base)))
    issues = json.loads(gitlab.render(audits, {}, base=str(base)))
    return {
        (
            finding.location.file,
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            entry["location"]["path"],
        )
        for finding, result, entry in zip(
            (each for audit in audits for each in audit.findings),
            log["runs"][0]["results"],
            issues,
            strict=False,  # an incomplete audit has an extra entry
        )
    }


def test_every_format_that_is_a_directory_is_tested_below() -> None:
    assert set(DIRECTORIES) == {form for form in Format if form.is_directory}


@pytest.mark.parametrize("form", DIRECTORIES)
def test_files_in_directories(tmp_path: Path, form: Format) -> None:
    root = DIRECTORIES[form](tmp_path / "m")
    assert sniff(root) is form
    found = places(tmp_path, tmp_path)
    assert {file for file, _, _ in found} - {"", "m"}
    for file, named, linked in found:
        assert named == linked == (f"m/{file}" if file and file != "m" else "m")


def test_files_of_an_unpacked_archive(tmp_path: Path) -> None:
    root = unpacked(tmp_path / "m")
    assert sniff(root) is Format.KERAS_ARCHIVE
    assert ("config.json", "m/config.json", "m/config.json") in places(root, tmp_path)


def test_files_of_a_checkpoint_are_in_one_directory(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    prefix = write_bundle(tmp_path / "run" / "m.ckpt", {"w": np.ones(2, "float32")})
    (tmp_path / "run" / "m.ckpt.meta").write_bytes(b"\xff\xff")
    found = places(Path(os.fspath(prefix) + ".index"), tmp_path)
    assert ("m.ckpt.meta", "run/m.ckpt.meta", "run/m.ckpt.meta") in found


def alone(path: Path) -> Path:
    """A SavedModel's graph under a name that no loader looks for."""
    path.write_bytes(tf1_message().SerializeToString())
    return path


def cut(path: Path) -> Path:
    minimal_h5(path)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def crossed(path: Path) -> Path:
    """An archive with a reported file that only an attacker would add."""
    with zipfile.ZipFile(minimal_keras(path), "a") as archive:
        archive.writestr("../out", "x")
    return path


@pytest.mark.parametrize("make", [alone, cut, crossed])
def test_a_model_that_is_one_file(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "m.bin")
    found = places(path, tmp_path)
    assert {file for file, _, _ in found} - {""}
    assert {(sarif, gitlab) for _, sarif, gitlab in found} == {("m.bin", "m.bin")}
