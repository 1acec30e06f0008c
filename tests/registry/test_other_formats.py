from __future__ import annotations

import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.registry.other_formats import archived_models, unsupported_reason
from modelaudit.settings import Limits


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("model.bin", b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        ("model.onnx", b"", "ONNX"),
        ("model.PTH", b"PK\x03\x04", "PyTorch"),
        ("model.json", b'{"format": "layers-model", "generatedBy"', "TensorFlow.js"),
        ("model.json", b'  {"class_name": "Sequential", "config": [', "without weights"),
    ],
)
def test_models_of_other_frameworks_are_named(name, head, words):
    assert words in str(unsupported_reason(name, head))


@pytest.mark.parametrize(
    ("name", "head"),
    [("labels.txt", b"0 cat"), ("a.json", b'{"config": 1}'), ("a.png", b"\x89PNG"), ("a", b"")],
)
def test_files_that_are_not_models_are_not_named(name, head):
    assert unsupported_reason(name, head) is None


@given(st.text(), st.binary(max_size=64))
def test_any_name_and_content_is_handled(name, head):
    unsupported_reason(name, head)


def archive(path, *names):
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, b"x" * 10)
    return path


def test_a_zip_is_named_by_the_model_inside(tmp_path):
    path = archive(tmp_path / "converted_keras.zip", "labels.txt", "keras_model.h5")
    assert archived_models(path, Limits()) == (
        "zip archive that contains keras_model.h5; unpack it to audit it"
    )


def test_a_zip_of_a_saved_model_counts_its_models(tmp_path):
    path = archive(tmp_path / "a.zip", "m/saved_model.pb", "m/variables/variables.index")
    assert "m/saved_model.pb and 1 more" in str(archived_models(path, Limits()))


def test_a_zip_without_a_model_is_nothing(tmp_path):
    path = archive(tmp_path / "a.docx", "word/document.xml")
    assert archived_models(path, Limits()) is None


@given(st.binary(max_size=200), st.integers(0, 120), st.binary(max_size=22))
def test_a_damaged_zip_directory_is_reported_or_read(tmp_path_factory, noise, at, end):
    path = archive(tmp_path_factory.mktemp("zip") / "a.zip", "keras_model.h5")
    good = path.read_bytes()
    path.write_bytes(good[:at] + noise + good[at : len(good) - len(end)] + end)
    told = archived_models(path, Limits())
    assert told is None or told.startswith("zip ")


def test_a_truncated_zip_is_reported(tmp_path):
    path = archive(tmp_path / "a.zip", "keras_model.h5")
    path.write_bytes(path.read_bytes()[:-30])
    assert "cannot be read" in str(archived_models(path, Limits()))
