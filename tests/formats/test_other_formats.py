from __future__ import annotations

import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import ProblemKind
from modelaudit.formats.other_formats import APPLE_DOUBLE, other_archive, unsupported_reason
from modelaudit.formats.reader import read
from modelaudit.settings import Limits


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("model.bin", b"GGUF\x03\x00\x00\x00", "GGUF"),
        ("model.onnx", b"", "ONNX"),
        ("._model.h5", APPLE_DOUBLE.magic + b"Mac OS X", "AppleDouble"),
        ("host.xplane.pb", b"\n\x0b", "profile of TensorBoard, no model"),
        ("model.PTH", b"PK\x03\x04", "PyTorch"),
        ("model.json", b'  {"class_name": "Sequential", "config": [', "without weights"),
    ],
)
def test_models_of_other_frameworks_are_named(name, head, words):
    assert words in str(unsupported_reason(name, head))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("report.html", b"<!DOCTYPE html>"),
        ("labels.txt", b"0 cat"),
        ("a.json", b'{"config": 1}'),
        ("a.png", b"\x89PNG"),
        ("a", b""),
    ],
)
def test_files_that_are_not_models_are_not_named(name, head):
    assert unsupported_reason(name, head) is None


@given(st.text(), st.binary(max_size=64))
def test_any_name_and_content_is_handled(name, head):
    unsupported_reason(name, head)


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("m.onnx", b"\x08\x07", "ONNX"),
        ("m.pt", b"PK\x05\x06" + bytes(18), "PyTorch"),
        ("m.safetensors", b"\x10" + bytes(7) + b'{"a":1}', "safetensors"),
        ("m.mlmodel", b"\x08\x01", "Core ML"),
        ("m.xml", b'<?xml version="1.0"?>\n<net name="m" version="11">', "OpenVINO"),
        ("m.h5", b"\n\n<!DOCTYPE html>\n<html lang='en'>", "download the file itself"),
        ("m.keras", b"<html><body>", "download the file itself"),
    ],
)
def test_a_model_of_another_framework_that_is_given_directly_is_named(tmp_path, name, head, words):
    (tmp_path / name).write_bytes(head)
    (problem,) = read(tmp_path / name, Limits()).problems
    assert problem.kind is ProblemKind.UNSUPPORTED
    assert words in problem.detail


def test_other_files_stay_unknown(tmp_path):
    (tmp_path / "m.txt").write_bytes(b"no model")
    (problem,) = read(tmp_path / "m.txt", Limits()).problems
    assert problem.detail == "is not a known model format"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            ("data", "policy.pth", "_stable_baselines3_version"),
            "Stable-Baselines3 model of PyTorch",
        ),
        (("archive/data.pkl", "archive/version", "archive/data/0"), "PyTorch model"),
        (("notes.txt", "data.csv"), "is a zip archive without"),
        (
            ("m/config.json", "m/model.weights.h5", "__MACOSX/m/._config.json"),
            "archive in `m/`, but",
        ),
        (("m/config.json", "m/model.weights.h5", "n/config.json"), "is a zip archive without"),
        (("m/config.json", "m/tokenizer.json"), "is a zip archive without"),
    ],
)
def test_archives_of_other_frameworks_are_named_by_their_members(tmp_path, members, said):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(name, b"")
    (problem,) = read(path, Limits()).problems
    assert said in problem.detail


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"class_name": "Sequential", "config": {}}', "architecture"),
        (b'<?xml version="1.0"?>\n<net name="x">', ""),
    ],
)
def test_what_there_is_special_advice_for_has_a_code(tmp_path, content, code):
    path = tmp_path / "Keras architecture as JSON, without weights.pb"
    path.write_bytes(content)
    (problem,) = read(path, Limits()).problems
    assert problem.evidence.get("content", "") == code


def test_a_nested_archive_has_a_code():
    assert other_archive(["a/config.json", "a/model.weights.h5"]).content == "nested-archive"
    assert other_archive(["a/data.pkl"]).content == ""
