"""What is a URL, and how reports show one."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.registry.remote.address import Url, full_name, is_url, place_of
from modelaudit.registry.remote.library import path_below


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/models", True),
        ("abfss://container@account.dfs.core.windows.net/x", True),
        ("simplecache::s3://bucket/x", True),
        ("models/a.h5", False),
        ("./s3:/x", False),
        ("C:/models", False),
    ],
)
def test_a_scheme_makes_a_url(text, expected):
    assert is_url(text) is expected


def test_what_the_user_gives_is_a_path_or_a_url(tmp_path):
    assert place_of("models") == Path("models")
    assert place_of(tmp_path) is tmp_path
    assert place_of(f"file://{tmp_path}") == tmp_path
    assert place_of("s3://bucket/models/") == Url("s3://bucket/models/")


def test_a_url_is_accepted_where_a_path_is():
    assert place_of(Url("s3://bucket/a?versionId=1")) == Url("s3://bucket/a?versionId=1")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/models/", "s3://bucket/models"),
        ("sftp://user:secret@host/a/b", "sftp://host/a/b"),
        ("https://host/m.h5?X-Amz-Signature=secret", "https://host/m.h5"),
        ("memory://", "memory://"),
    ],
)
def test_passwords_and_queries_are_not_shown(text, shown):
    assert str(Url(text)) == shown


def test_parts_are_those_of_the_place():
    assert Url("s3://bucket/a/b").parts == ("bucket", "a", "b")


def test_one_place_has_one_name(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    assert full_name(Path("models")) == full_name(tmp_path / "models")
    assert full_name(Url("s3://a/b/")) == full_name(Url("s3://a/b"))


def test_containers_of_one_account_are_different_places():
    models, reports = (
        Url(f"abfs://{name}@team.dfs.core.windows.net/x") for name in ("models", "reports")
    )
    assert path_below(Url(str(models / "a")), models) == "a"
    assert full_name(models) != full_name(reports)
    assert path_below(reports / "a", models) is None
    assert path_below(Url("s3a://b/x"), Url("s3://b")) == "x"
