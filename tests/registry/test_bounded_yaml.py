"""YAML is read as strings only; aliases, tags and oversized documents are rejected."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.registry.bounded_yaml import DEEPEST, MOST_EVENTS, parse


@given(st.text(st.sampled_from("ab:- '\"\n#[]{}\\|>&*!?%\t"), max_size=60) | st.text(max_size=60))
@example("\x00")
@example("? - a")
@example("2001-13-45")
@example("- 1\n%YAML 9.9\n---\n- 2")
def test_any_text_is_read_or_rejected(text):
    try:
        parse(text, "MLmodel")
    except ReadError as error:
        assert error.file == "MLmodel"


def test_files_of_mlflow_are_read_as_strings():
    description = {
        "flavors": {"tensorflow": {"keras_version": 3.1, "save_format": None}},
        "signature": {"inputs": '[{"type": "tensor"}]' * 20},
        "list": [1, True, ["deep"]],
    }
    assert parse(yaml.safe_dump(description), "MLmodel") == {
        "flavors": {"tensorflow": {"keras_version": "3.1", "save_format": "null"}},
        "signature": {"inputs": '[{"type": "tensor"}]' * 20},
        "list": ["1", "true", ["deep"]],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!python/object/apply:os.system ['id']\n", "line 1: the tag .*os.system"),
        ("a: !!str b\n", "line 1: the tag"),
        ("a: b\nc: &x y\nd: *x\n", "line 3: an alias"),
        ("a: 'open\n  and on\n", "while scanning|line 3: found unexpected end of stream"),
        ("a: b\n\tc: d\n", "line 2: found character"),
        ("- a\nb: c\n", "line 2: expected"),
        ("a: \x00", "is not valid YAML"),
    ],
)
def test_unsupported_syntax_is_reported_with_its_line(text, said):
    with pytest.raises(ReadError, match=said):
        parse(text, "MLmodel")


def test_size_and_depth_are_bounded():
    with pytest.raises(LimitExceeded):
        parse("- a\n" * MOST_EVENTS, "MLmodel")
    with pytest.raises(LimitExceeded):
        parse("- " * (DEEPEST + 2) + "a", "MLmodel")
    with pytest.raises(LimitExceeded):
        parse("a: " + "[" * 100_000, "MLmodel")
