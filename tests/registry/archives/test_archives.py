"""Archives of every kind are searched like directories, within limits and without surprises."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import pytest
import zstandard

from modelaudit.errors import UsageError
from modelaudit.facts import Format, ProblemKind
from modelaudit.file_formats import HDF5_SIGNATURE
from modelaudit.registry.archives.contents import holds_models, is_archive, leads_to_a_model, stem
from modelaudit.settings import Limits
from tests.made import files, lite_files
from tests.registry.archives.packed import relatives, tar
from tests.registry.trees import saved_model


def test_a_zip_of_teachable_machine_is_one_model_with_its_labels(look, registry):
    with zipfile.ZipFile(registry / "converted_keras.zip", "w") as archive:
        archive.write(files.minimal_h5(registry / "m.h5"), "keras_model.h5")
        archive.writestr("labels.txt", "0 cat\n1 dog\n")
    (registry / "m.h5").unlink()
    found = look(registry)
    (model,) = found.candidates
    assert (model.relative, model.format) == (
        "converted_keras.zip/keras_model.h5",
        Format.LEGACY_H5_FULL,
    )
    assert (model.path.parent / "labels.txt").read_text() == "0 cat\n1 dog\n"
    assert found.root == registry
    assert found.others == {".txt": 1}


def test_models_in_a_task_file(look, registry):
    """As MediaPipe distributes the models of one task."""
    with zipfile.ZipFile(registry / "hands.task", "w") as archive:
        for name in ("detector.tflite", "landmarks.tflite"):
            archive.writestr(name, lite_files.packed(lite_files.conv_model()))
    found = {each.relative: each.format for each in look(registry).candidates}
    assert found["hands.task/detector.tflite"] is Format.TFLITE
    assert found["hands.task/landmarks.tflite"] is Format.TFLITE


COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_saved_model_in_a_tar_archive(look, registry, tmp_path, suffix):
    made = tar(tmp_path / "a.tar", ("digits", saved_model(tmp_path / "m")))
    (registry / f"a.tar{suffix}").write_bytes(COMPRESS[suffix](made.read_bytes()))
    (model,) = look(registry).candidates
    assert model.relative == f"a.tar{suffix}/digits"
    assert (model.path / "assets" / "vocabulary.txt").read_bytes() == b"x"


@pytest.mark.parametrize("suffix", [each for each in COMPRESS if each])
def test_a_compressed_model(look, registry, tmp_path, suffix):
    plain = files.minimal_h5(tmp_path / "m.h5")
    (registry / f"m.h5{suffix}").write_bytes(COMPRESS[suffix](plain.read_bytes()))
    (model,) = look(registry).candidates
    assert model.relative == f"m.h5{suffix}/m.h5"
    assert model.path.read_bytes() == plain.read_bytes()


def test_a_model_at_the_top_of_an_archive_is_called_like_the_archive(look, registry, tmp_path):
    model = saved_model(tmp_path / "m")
    tar(registry / "digits.tgz", *((each.name, each) for each in model.iterdir()), mode="w:gz")
    (row,) = look(registry).candidates
    assert row.relative == "digits.tgz"
    assert row.path.name == "digits"


def test_versions_in_an_archive_are_versions(look, registry, tmp_path):
    model = saved_model(tmp_path / "m")
    tar(registry / "served.tar", ("digits/1", model), ("digits/2", model))
    assert [each.series for each in look(registry).candidates] == ["served.tar/digits"] * 2
    newest = look(registry, all_versions=False)
    assert relatives(newest) == ["served.tar/digits/2"]
    assert [each.path for each in newest.named] == ["served.tar/digits/1"]


def test_archives_in_archives_are_opened_twice(look, registry, tmp_path):
    inner = tar(tmp_path / "c.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    data = tmp_path / "table.csv.gz"
    data.write_bytes(gzip.compress(b"1,2"))
    middle = tar(
        *(tmp_path / "b.tar", ("c.tar", inner), ("n.h5", tmp_path / "m.h5")), (data.name, data)
    )
    tar(registry / "a.tar", ("b.tar", middle))
    found = look(registry)
    assert relatives(found) == ["a.tar/b.tar/n.h5"]
    (problem,) = found.problems  # it may hold a model, other than `table.csv.gz`
    assert (problem.kind, problem.file, problem.detail) == (
        ProblemKind.LIMIT_EXCEEDED,
        "a.tar/b.tar/c.tar",
        "archive in an archive in an archive, not unpacked",
    )


def test_an_archive_of_other_things_is_another_file(look, registry, tmp_path):
    tar(registry / "photos.tar.gz", *((f"{n}.png", b"x") for n in range(50)), mode="w:gz")
    (registry / "table.csv.gz").write_bytes(gzip.compress(b"1,2"))
    found = look(registry, Limits(archive_members=20))
    assert not found.candidates
    assert not found.problems
    assert found.others == {".gz": 2}
    kept = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    assert {each.name for each in kept} == {"bytes", "unpacked.json"}


def test_an_archive_that_is_given_is_searched(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    path = tar(registry / "a.tar", ("x/m.h5", model), ("y/n.h5", model))
    found = look(path)
    assert (relatives(found), found.root) == (["a.tar/x/m.h5", "a.tar/y/n.h5"], registry)


def test_a_path_inside_an_archive_is_one_model(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    path = tar(registry / "a.tar", ("x/m.h5", model), ("x/m.h5.h5", model))
    assert relatives(look(path / "x" / "m.h5")) == ["a.tar/x/m.h5"]
    with pytest.raises(UsageError, match="no such file"):
        look(path / "x" / "other.h5")


def test_an_archive_without_a_model_that_is_given_is_a_row(look, registry):
    path = tar(registry / "a.tar", ("photo.png", b"x"))
    (row,) = look(path).candidates
    assert row.format is Format.UNKNOWN


@pytest.mark.parametrize(
    ("name", "expected"),
    [("m.tar.gz", "m"), ("m.h5.gz", "m.h5"), ("m.zip", "m"), (".zip", ".zip"), ("m", "m")],
)
def test_the_stem_is_without_suffixes_of_archives(name, expected):
    assert stem(name) == expected


def test_what_is_no_archive_is_not_opened():
    assert not is_archive("photo.png", gzip.compress(b"x"))
    assert not is_archive("a.tar", b"x" * 600)
    assert is_archive("a.gz", gzip.compress(b"x"))
    assert is_archive("a", b"PK\x03\x04")


@pytest.mark.parametrize(
    ("member", "expected"),
    [("m/saved_model.pb", True), ("inner.zip", True), ("m/readme.md", False)],
)
def test_names_tell_whether_there_may_be_a_model(tmp_path, member, expected):
    assert holds_models(tar(tmp_path / "a.tar", (member, b"x")), Limits()) is expected


def test_a_zip_archive_without_models_is_not_kept(look, registry, tmp_path):
    with zipfile.ZipFile(registry / "a.docx", "w") as archive:
        archive.writestr("word/document.xml", "x")
    assert look(registry).others == {".docx": 1}
    assert not (tmp_path / "cache").exists()


def test_a_tar_archive_that_begins_with_an_hdf5_file_is_one(look, registry, tmp_path):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5").read_bytes()))
    assert path.read_bytes()[512:].startswith(HDF5_SIGNATURE)
    assert relatives(look(path)) == relatives(look(path / "m.h5")) == ["a.tar/m.h5"]


def test_an_hdf5_file_whose_user_block_is_a_tar_archive_is_a_model(look, registry, tmp_path):
    path = tar(registry / "m.h5", ("m.h5", files.minimal_h5(tmp_path / "m.h5").read_bytes()))
    (model,) = look(path).candidates
    assert (model.relative, model.format) == ("m.h5", Format.LEGACY_H5_FULL)


def test_models_of_formats_whose_suffix_is_that_of_data_are_found_by_their_names(look, registry):
    layers = b'{"format": "layers-model", "modelTopology": {}, "weightsManifest": []}'
    tar(registry / "web.tgz", ("site/model.json", layers), mode="w:gz")
    with zipfile.ZipFile(registry / "data.zip", "w") as archive:
        archive.writestr("table.npz", b"x")
        archive.writestr("settings.json", b"{}")
    found = look(registry)
    assert relatives(found) == ["web.tgz/site/model.json"]
    assert not found.problems
    assert found.others == {".zip": 1}


@pytest.mark.parametrize(
    "name",
    ["model.json", "a/model.json", "m.weights.npz", "a/model.npz", "m.h5.gz", "m.gz", "a.tar.gz"],
)
def test_a_name_that_savers_give_leads_to_a_model(name):
    assert leads_to_a_model(name)


@pytest.mark.parametrize(
    "name", ["data.npz", "package.json", "model.json.txt", "car_model.json", "a/table.csv.gz"]
)
def test_a_name_of_data_does_not(name):
    assert not leads_to_a_model(name)
