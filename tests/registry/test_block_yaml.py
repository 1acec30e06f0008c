"""The small YAML reader against PyYAML, which writes what MLflow stores."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.registry.block_yaml import DEEPEST, MOST_LINES, parse

# What PyYAML itself can write and read back.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"))
    | st.sampled_from("\n\t ':\"#-[]{}"),
    max_size=120,
)
TREES = st.recursive(
    st.none() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def plain_keys(tree):
    """Keys of a description are words; a key over several lines is none."""
    if isinstance(tree, dict):
        return {str(i) + "key": plain_keys(value) for i, value in enumerate(tree.values())}
    return [plain_keys(item) for item in tree] if isinstance(tree, list) else tree


@settings(max_examples=40, deadline=None)
@given(TREES)
@example("\xa0")
@example({"a": '\'[{"name": "x"}]\' ' * 12})
@example({"a": 'line\n\n  indented\nlast \\ "quoted"' * 9})
@example("- a")
@example(["-", [[], {}], {"a": ["b"]}])
def test_whatever_pyyaml_writes_is_read_as_it_was(tree):
    tree = plain_keys(tree)
    text = yaml.safe_dump(tree, default_flow_style=False)
    assert parse(text.removesuffix("...\n"), "MLmodel") == tree
    wide = yaml.safe_dump(tree, default_flow_style=False, allow_unicode=True, sort_keys=False)
    assert parse(wide.removesuffix("...\n"), "MLmodel") == tree


@given(st.text(st.sampled_from("ab:- '\"\n#[]{}\\|>&*!?%\t"), max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text, "MLmodel")
    except ReadError as error:
        assert error.file == "MLmodel"


def test_comments_and_values_of_other_kinds():
    text = (
        "---\n# by hand\na: 3.10 # why\n'b c': \"d\\te\"\nf: [1, true, null]\ng:\n- h\n\n- i: ~\n"
    )
    assert parse(text, "MLmodel") == {
        "a": "3.10",
        "b c": "d\te",
        "f": ["1", "true", None],
        "g": ["h", {"i": None}],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!python/object/apply:os.system ['id']\n", "line 1: a tag"),
        ("a: b\nc: &x y\n", "line 2: an anchor"),
        ("a: *x\n", "line 1: an alias"),
        ("a: |\n  text\n", "line 1: a literal block"),
        ("a: 'open\n  and on\n", "line 1: a quoted text without an end"),
        ("a: b\na: c\n", "line 2: the key 'a' for the second time"),
        ("a: b\n  c: d\n", "line 2: a key where a value goes on"),
        ("a: {b: c}\n", "line 1: a collection in brackets"),
        ("a: b\n\tc: d\n", "line 2: a tab in the indentation"),
        ("- a\nb: c\n", "line 2: a line that belongs to nothing before it"),
    ],
)
def test_what_is_not_taken_is_named_with_its_line(text, said):
    with pytest.raises(ReadError, match=said):
        parse(text, "MLmodel")


def test_size_and_depth_are_bounded():
    with pytest.raises(LimitExceeded):
        parse("a: b\n" * (MOST_LINES + 1), "MLmodel")
    with pytest.raises(LimitExceeded):
        parse("- " * (DEEPEST + 2) + "a", "MLmodel")
    with pytest.raises(ReadError):
        parse("a: " + "[" * 100_000, "MLmodel")
