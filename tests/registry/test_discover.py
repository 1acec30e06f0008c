from __future__ import annotations

import errno
import os
import shutil
import zipfile

import h5py
import pytest

from modelaudit.errors import UsageError
from modelaudit.facts import Format, ProblemKind
from modelaudit.registry.discover import discover
from modelaudit.settings import CacheSettings, Limits
from tests.made import files
from tests.registry.trees import checkpoint, formats, reasons, rows, saved_model


def test_single_files_whatever_they_are_called(tmp_path):
    for make in files.ALONE:
        make(tmp_path)
    shutil.copy(files.minimal_keras(tmp_path / "plain.keras"), tmp_path / "model.zip")
    shutil.copy(files.minimal_h5(tmp_path / "plain.h5"), tmp_path / "1f3a")
    assert formats(tmp_path) == {
        "1f3a": Format.LEGACY_H5_FULL,
        "chunked.h5": Format.WEIGHTS_H5_LEGACY,
        "empty.h5": Format.EMPTY_FILE,
        "loop/model.h5": Format.LEGACY_H5_FULL,
        "mangled.h5": Format.CORRUPT_HDF5,
        "model.zip": Format.KERAS_ARCHIVE,
        "noise.keras": Format.KERAS_ARCHIVE,
        "old.keras": Format.LEGACY_H5_FULL,
        "plain.h5": Format.LEGACY_H5_FULL,
        "plain.keras": Format.KERAS_ARCHIVE,
        "pointer.h5": Format.GIT_LFS_POINTER,
        "renamed.h5": Format.KERAS_ARCHIVE,
        "truncated.h5": Format.CORRUPT_HDF5,
    }


def test_a_saved_model_is_one_row_with_all_its_files(tmp_path):
    saved_model(tmp_path / "m")
    found = discover(tmp_path)
    assert [model.relative for model in found.candidates] == ["m"]
    assert found.others == {}
    assert found.named == found.problems == ()


def test_other_models_inside_a_saved_model_are_found(tmp_path):
    model = saved_model(tmp_path / "m")
    files.minimal_h5(model / "copy.h5")
    (model / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3")
    (model / "model.onnx").write_bytes(b"x")
    (model / "notes.md").write_bytes(b"x")
    saved_model(model / "assets" / "hidden")
    found = discover(tmp_path)
    assert [row.relative for row in found.candidates] == [
        *("m", "m/assets/hidden", "m/copy.h5", "m/model.tflite")
    ]
    assert [named.path for named in found.named] == ["m/model.onnx"]
    assert found.others == {".md": 1}


def test_a_saved_model_that_lost_its_graph_is_a_row(tmp_path):
    model = saved_model(tmp_path / "m")
    (model / "saved_model.pb").unlink()
    assert formats(tmp_path) == {"m": Format.CORRUPT_SAVEDMODEL}


def test_versions_of_tensorflow_serving(tmp_path):
    for version in ("1", "00000012", "final"):
        saved_model(tmp_path / "base" / version)
    found = rows(tmp_path)
    assert {name: (row.series, row.version) for name, row in found.items()} == {
        "base/1": ("base", 1),
        "base/00000012": ("base", 12),
        "base/final": (None, None),
    }
    assert {row.series for row in rows(tmp_path / "base").values()} == {".", None}
    (alone,) = rows(tmp_path / "base" / "1").values()
    assert (alone.relative, alone.series) == ("1", None)


def test_a_numbered_directory_inside_a_saved_model_is_not_a_version(tmp_path):
    outer = saved_model(tmp_path / "m")
    saved_model(outer / "1")
    assert {name: row.version for name, row in rows(tmp_path).items()} == {"m": None, "m/1": None}
    assert list(rows(outer)) == ["m", "m/1"]


def test_a_checkpoint_is_one_row_with_all_its_files(tmp_path):
    directory = checkpoint(tmp_path / "c")
    checkpoint(directory, "other")
    (directory / "model.ckpt.data-00000-of-00001.tempstate12").write_bytes(b"x")
    (directory / "checkpoint.tmp0af3").write_bytes(b"x")
    (directory / "model.ckpt").touch()
    (directory / "model.png").write_bytes(b"x")
    found = discover(tmp_path)
    assert [row.relative for row in found.candidates] == ["c/model.ckpt", "c/other"]
    assert found.candidates[0].path == directory / "model.ckpt"
    assert found.others == {".png": 1}
    assert found.named == ()


def test_a_model_called_like_the_prefix_of_a_checkpoint_is_the_row(tmp_path):
    checkpoint(tmp_path / "c", "model.h5")
    files.minimal_h5(tmp_path / "c" / "model.h5")
    assert formats(tmp_path) == {"c/model.h5": Format.LEGACY_H5_FULL}
    assert "is used by something else" in reasons(tmp_path)["c/model.h5.data-00000-of-00001"]


def test_a_session_bundle_is_its_directory(tmp_path):
    bundle = tmp_path / "base" / "00000123"
    bundle.mkdir(parents=True)
    (bundle / "export.meta").write_bytes(b"x")
    (bundle / "export-00000-of-00001").write_bytes(b"x")
    (row,) = discover(tmp_path).candidates
    assert (row.path, row.format) == (bundle, Format.SESSION_BUNDLE)
    by_itself = discover(bundle)
    assert (by_itself.root, by_itself.candidates[0].relative) == (bundle.parent, bundle.name)
    assert (row.series, row.version) == ("base", 123)


def test_an_unpacked_archive_is_one_row(tmp_path):
    with zipfile.ZipFile(files.minimal_keras(tmp_path / "m.keras")) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert formats(tmp_path) == {
        "m.keras": Format.KERAS_ARCHIVE,
        "unpacked": Format.KERAS_ARCHIVE,
    }


def test_files_that_look_like_models_are_listed_and_counted(tmp_path, tmp_path_factory):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = 1
    shutil.copy(tmp_path / "data.h5", tmp_path / "climate.nc")
    with zipfile.ZipFile(tmp_path / "converted_keras.zip", "w") as archive:
        archive.writestr("keras_model.h5", b"x")
    with zipfile.ZipFile(tmp_path / "lightning.ckpt", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    (tmp_path / "net.onnx").write_bytes(b"x")
    (tmp_path / "noise.pb").write_bytes(b"\xff" * 40)
    (tmp_path / "labels.TXT").write_bytes(b"x")
    (tmp_path / "README").write_bytes(b"x")
    kept = CacheSettings(str(tmp_path_factory.mktemp("cache")))
    found = discover(tmp_path, cache=kept)
    assert {row.relative: row.format for row in found.candidates} == {
        "converted_keras.zip/keras_model.h5": Format.UNKNOWN,
        "noise.pb": Format.UNKNOWN,
    }
    told = {named.path: named.reason for named in found.named}
    assert list(told) == ["data.h5", "lightning.ckpt", "net.onnx"]
    assert found.others == {"": 1, ".nc": 1, ".txt": 1}


def test_links_to_one_file_are_one_row_under_its_best_name(tmp_path):
    snapshot = tmp_path / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    files.minimal_h5(tmp_path / "blobs" / "9f86d081")
    (snapshot / "model.h5").symlink_to("../../blobs/9f86d081")
    os.link(tmp_path / "blobs" / "9f86d081", tmp_path / "zz")
    (row,) = discover(tmp_path).candidates
    assert row.relative == "snapshots/main/model.h5"
    assert row.aliases == ("blobs/9f86d081", "zz")


def test_equal_content_in_two_files_is_two_rows(tmp_path):
    shutil.copy(files.minimal_h5(tmp_path / "a.h5"), tmp_path / "b.h5")
    assert list(rows(tmp_path)) == ["a.h5", "b.h5"]


def test_links_neither_leave_nor_loop(tmp_path):
    outside = files.minimal_h5(tmp_path / "outside.h5")
    scope = tmp_path / "scope"
    (scope / "runs" / "3").mkdir(parents=True)
    files.minimal_h5(scope / "runs" / "3" / "model.h5")
    (scope / "latest").symlink_to("runs/3")
    (scope / "runs" / "up").symlink_to("..")
    (scope / "stolen.h5").symlink_to(outside)
    found = discover(scope)
    assert [row.relative for row in found.candidates] == ["runs/3/model.h5"]
    assert [named.path for named in found.named] == ["latest", "runs/up"]
    assert "enclosing" in found.named[1].reason
    assert [(p.kind, p.file) for p in found.problems] == [(ProblemKind.UNSAFE_PATH, "stolen.h5")]
    assert rows(scope / "stolen.h5").keys() == {"outside.h5"}  # asked for by name: followed


def test_directories_that_are_not_searched_are_listed(tmp_path):
    for place in (".git/lfs", "venv/lib"):
        (tmp_path / place).mkdir(parents=True)
        files.minimal_h5(tmp_path / place / "model.h5")
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    assert set(reasons(tmp_path)) == {".git", "venv"}
    assert rows(tmp_path) == {}
    assert list(rows(tmp_path / "venv")) == ["lib/model.h5"]  # asked for by name: searched


def test_the_number_of_entries_is_limited_and_reported(tmp_path):
    for number in range(6):
        (tmp_path / f"d{number}").mkdir()
        files.minimal_h5(tmp_path / f"d{number}" / "m.h5")
    found = discover(tmp_path, Limits(files=8))
    assert [row.relative for row in found.candidates] == ["d0/m.h5", "d1/m.h5"]
    assert [(p.kind, p.file) for p in found.problems] == [(ProblemKind.LIMIT_EXCEEDED, "d2")]
    assert discover(tmp_path, Limits(files=12)).problems == ()


def test_unreadable_entries_are_a_problem_or_a_row(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    files.minimal_h5(tmp_path / "m.h5")
    (tmp_path / "plain").touch()
    forbidden = {tmp_path / name for name in ("closed", "m.h5", "plain")}
    for name in ("open", "scandir"):  # permissions do not restrict root
        monkeypatch.setattr(os, name, refusing(getattr(os, name), forbidden))
    found = discover(tmp_path)
    assert {row.relative: row.format for row in found.candidates} == {"m.h5": Format.UNREADABLE}
    assert [(p.kind, p.file, p.detail) for p in found.problems] == [
        (ProblemKind.UNREADABLE, "closed", "Permission denied"),
        (ProblemKind.UNREADABLE, "plain", "Permission denied"),
    ]


def refusing(call, forbidden):
    def refuse(path, *args, **kwargs):
        if path in forbidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return call(path, *args, **kwargs)

    return refuse


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("m/saved_model.pb", {"m"}),
        ("m/variables", {"m"}),
        ("m/variables/variables.index", {"m"}),
        ("c/model.ckpt", {"model.ckpt"}),
        ("c/model.ckpt.index", {"model.ckpt"}),
        ("c/model.ckpt.data-00000-of-00001", {"model.ckpt"}),
        ("c/checkpoint", {"model.ckpt", "other"}),
        ("c/other", {"other"}),
        ("one.h5", {"one.h5"}),
        ("labels.txt", {"labels.txt"}),
        ("m/../c/../one.h5", {"one.h5"}),
    ],
)
def test_a_path_inside_a_model_selects_that_model(tmp_path, asked, meant):
    saved_model(tmp_path / "m")
    checkpoint(tmp_path / "c")
    checkpoint(tmp_path / "c", "other")
    files.minimal_h5(tmp_path / "one.h5")
    (tmp_path / "labels.txt").write_bytes(b"x")
    found = discover(tmp_path / asked)
    assert {row.relative for row in found.candidates} == meant
    assert all(row.path == found.root / row.relative for row in found.candidates)


@pytest.mark.parametrize("asked", ["gone", "gone/m.h5", "c/model", "c/model.ckp", "one.h5/x"])
def test_a_missing_path_is_a_usage_error(tmp_path, asked):
    checkpoint(tmp_path / "c")
    files.minimal_h5(tmp_path / "one.h5")
    with pytest.raises(UsageError, match="no such"):
        discover(tmp_path / asked)


def test_names_that_are_not_valid_text_can_be_shown(tmp_path):
    name = os.fsdecode(b"model \xff\n.h5")
    files.minimal_h5(tmp_path / "m.h5").rename(tmp_path / name)
    (row,) = discover(tmp_path).candidates
    assert row.path.name == name
    assert row.relative == "model \\xff\n.h5"


@pytest.mark.slow
def test_models_of_tensorflow_and_keras_are_one_row_each(made):
    assert formats(made) == {
        "frozen_graph.pb": Format.FROZEN_GRAPH,
        "keras2_nested.h5": Format.LEGACY_H5_FULL,
        "keras2_savedmodel": Format.SAVEDMODEL_TF2,
        "keras2_sequential.h5": Format.LEGACY_H5_FULL,
        "keras2_sequential.keras": Format.KERAS_ARCHIVE,
        "keras2_weights.h5": Format.WEIGHTS_H5_LEGACY,
        "keras3_branches.keras": Format.KERAS_ARCHIVE,
        "keras3_export": Format.SAVEDMODEL_TF2,
        "keras3_nested.h5": Format.LEGACY_H5_FULL,
        "keras3_nested.keras": Format.KERAS_ARCHIVE,
        "keras3_sequential.h5": Format.LEGACY_H5_FULL,
        "keras3_sequential.keras": Format.KERAS_ARCHIVE,
        "keras3_sequential.weights.h5": Format.WEIGHTS_H5_V3,
        "keras3_shared.keras": Format.KERAS_ARCHIVE,
        "module_savedmodel": Format.SAVEDMODEL_TF2,
        "tf1_checkpoint/model.ckpt": Format.TF1_CHECKPOINT,
        "tf1_savedmodel": Format.SAVEDMODEL_TF1,
        "tf2_checkpoint/ckpt-1": Format.TF2_CHECKPOINT,
    }


def test_an_architecture_that_is_read_with_weights_names_them(tmp_path):
    for name in ("net", "other"):
        (tmp_path / f"{name}.json").write_text('{"class_name": "Sequential", "config": []}')
    with h5py.File(tmp_path / "net.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = [1.0]
    told = reasons(tmp_path)
    assert told["net.json"] == "read with net.weights.h5"
    assert "without weights" in told["other.json"]
