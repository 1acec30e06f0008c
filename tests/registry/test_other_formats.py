from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.registry.other_formats import unsupported_reason


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("model.bin", b"GGUF\x03\x00\x00\x00", "GGUF"),
        ("model.onnx", b"", "ONNX"),
        ("host.xplane.pb", b"\n\x0b", "profile of TensorBoard, no model"),
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
