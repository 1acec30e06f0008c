"""Bounded reads and bounded JSON."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import FileEntry
from modelaudit.formats.io import bounded
from modelaudit.settings import Limits
from tests.growth import LINEAR, growth
from tests.probe.host.test_disk_limit import nested

LIMITS = Limits()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    # Text without lone surrogates: UTF-8 cannot carry those.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=30,
)


def depth(value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(JSON, st.booleans())
def test_json_agrees_with_the_standard_parser(value, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert bounded.json_loads(data, LIMITS, "config.json") == json.loads(data)


@given(JSON, st.integers(0, 6))
def test_depth_limit_is_exact(value, allowed):
    data = json.dumps(value).encode()
    limits = Limits(json_depth=allowed)
    if depth(value) > allowed:
        with pytest.raises(LimitExceeded, match="depth"):
            bounded.json_loads(data, limits, "config.json")
    else:
        assert bounded.json_loads(data, limits, "config.json") == value


@given(st.binary(max_size=200))
def test_json_of_any_bytes_parses_or_raises_read_error(data):
    try:
        bounded.json_loads(data, LIMITS, "config.json")
    except ReadError as error:
        assert error.kind in {"config-invalid", "limit-exceeded"}


def test_deep_json_is_rejected_before_the_recursive_parser():
    with pytest.raises(LimitExceeded):
        bounded.json_loads(b"[" * 500_000, LIMITS, "config.json")


def test_structure_check_is_linear_on_unterminated_strings():
    def refused(data):
        with pytest.raises(LimitExceeded):
            bounded.json_loads(data, LIMITS, "config.json")

    assert growth(lambda n: b"[" * 250 + b'\\"' * n, refused, 100_000) < LINEAR


def test_many_tiny_elements_are_rejected():
    with pytest.raises(LimitExceeded, match="elements"):
        bounded.json_loads(b"[" + b"0," * 50 + b"0]", Limits(json_nodes=20), "config.json")


def test_brackets_inside_strings_do_not_count():
    data = json.dumps(["[" * 1000, '"' + "{" * 1000]).encode()
    assert bounded.json_loads(data, LIMITS, "c")[0] == "[" * 1000


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rb'"a\ud800b"', "a�b"),
        (rb'"\udc00"', "�"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\\ud800"', "\\ud800"),
        (rb'"\\\ud800"', "\\�"),
    ],
)
def test_lone_surrogates_are_replaced_and_nothing_else(data, expected):
    assert bounded.json_loads(data, LIMITS, "c") == expected


def test_duplicate_keys_are_named_and_the_last_wins():
    names: list[str] = []
    value = bounded.json_loads(b'{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}', LIMITS, "c", names)
    assert value == {"a": 3, "b": {"c": 2}}
    assert sorted(names) == ["a", "c"]


def test_invalid_text_is_a_read_error():
    for data in (b'"\xff"', b"{", b"", b'"\0', b"\xff\xfe{"):
        with pytest.raises(ReadError):
            bounded.json_loads(data, LIMITS, "c")


def test_huge_integers_do_not_hide_other_values():
    data = b'{"a": ' + b"9" * 10_000 + b', "b": -1}'
    assert bounded.json_loads(data, LIMITS, "c") == {"a": float("inf"), "b": -1}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_every_encoding_that_python_detects_is_read(encoding: str):
    """Keras passes the bytes to `json.loads`, which accepts all of these."""
    data = '{"class_name": "Lämbda", "n": [1]}'.encode(encoding)
    assert bounded.json_loads(data, LIMITS, "c") == json.loads(data)
    deep = ("[" * 1000).encode(encoding)
    with pytest.raises(LimitExceeded, match="depth"):
        bounded.json_loads(deep, LIMITS, "c")


def test_surrogates_in_utf8_are_replaced_as_python_would_read_them():
    data = b'{"a": "x\xed\xa0\x80y"}'
    assert json.loads(data) == {"a": "x\ud800y"}
    assert bounded.json_loads(data, LIMITS, "c") == {"a": "x\ufffdy"}


def test_read_bytes_is_bounded(tmp_path: Path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100)
    assert bounded.read_bytes(path, 100) == b"x" * 100
    with pytest.raises(LimitExceeded):
        bounded.read_bytes(path, 99)


def test_special_files_do_not_block(tmp_path: Path):
    fifo = tmp_path / "model.h5"
    os.mkfifo(fifo)
    with pytest.raises(ReadError, match="not a regular file"):
        bounded.read_bytes(fifo, 10)
    assert bounded.file_entry(fifo, tmp_path, "weights", LIMITS).sha256 is None


def test_file_entry_hashes_and_names_relative_to_the_root(tmp_path: Path):
    path = tmp_path / "variables" / "a b.bin"
    path.parent.mkdir()
    path.write_bytes(b"abc" * 1000)
    entry = bounded.file_entry(path, tmp_path, "weights", LIMITS)
    assert entry == FileEntry(
        "variables/a b.bin", 3000, hashlib.sha256(b"abc" * 1000).hexdigest(), "weights"
    )
    assert bounded.file_entry(path, path, "", LIMITS).path == "a b.bin"
    assert bounded.file_entry(path, path, "", Limits(total_bytes=10)).sha256 is None


def test_names_that_are_not_utf8_become_text(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.h5"))
    path.write_bytes(b"")
    assert bounded.display_path(path, tmp_path) == "m\\xff.h5"


def test_model_digest_ignores_order_and_a_lone_files_name():
    a, b = FileEntry("a", 1, "00"), FileEntry("b", 2, "11")
    assert bounded.model_digest([a, b]) == bounded.model_digest([b, a])
    assert bounded.model_digest([a]) == bounded.model_digest([FileEntry("z", 1, "00")])
    assert bounded.model_digest([a, b]) != bounded.model_digest([a, FileEntry("c", 2, "11")])
    assert bounded.model_digest([a, FileEntry("b", 2, None)]) is None
    assert bounded.model_digest([]) is None


def test_files_below_are_those_of_a_recursive_walk_however_deep(tmp_path: Path):
    for place in ("a/b/c", "a/d", "e"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "file").touch()
    (tmp_path / "e" / "linked").symlink_to(tmp_path / "a")
    found = list(bounded.files_below(tmp_path))
    walked = {Path(at, name) for at, _, names in os.walk(tmp_path) for name in names}
    assert set(found) == walked | {tmp_path / "e" / "linked"}
    assert len(found) == len(set(found))
    assert len(list(bounded.files_below(tmp_path, 0))) < len(found)
    with nested(tmp_path, "d", 1500):
        (deep,) = set(bounded.files_below(tmp_path)) - set(found)
    assert len(deep.relative_to(tmp_path).parts) == 1501
