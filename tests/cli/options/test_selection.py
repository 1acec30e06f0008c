"""`--include`, `--exclude`, `--select` and `--ignore`, as the commands act on them."""

from __future__ import annotations

import json
import tarfile

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.errors import UsageError
from tests.made import files


@pytest.fixture
def registry(tmp_path):
    for name in ("new/a.h5", "new/b.h5", "old/c.h5"):
        (tmp_path / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        files.minimal_h5(tmp_path / "models" / name)
    files.truncated_h5(tmp_path / "models" / "old")
    with tarfile.open(tmp_path / "models" / "kept.tar", "w") as archive:
        archive.add(tmp_path / "models" / "new", "inside")
    return tmp_path / "models"


def scan(registry, *words, code=0):
    kept = registry.parent / "cache"
    line = ["scan", str(registry), "--json", "--cache-dir", str(kept), *words]
    done = CliRunner().invoke(cli, line)
    assert done.exit_code == code, done.output
    return {row["path"]: row for row in json.loads(done.stdout)}


INSIDE = ["kept.tar/inside/a.h5", "kept.tar/inside/b.h5"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--include", "a.h5"], [INSIDE[0], "new/a.h5"]),
        (["--include", "new", "--include", "c.h5"], ["new/a.h5", "new/b.h5", "old/c.h5"]),
        (["--exclude", "old"], [*INSIDE, "new/a.h5", "new/b.h5"]),
        (["--exclude", "old", "--exclude", "*.tar"], ["new/a.h5", "new/b.h5"]),
        (["--exclude", "old", "--exclude", "inside/"], ["new/a.h5", "new/b.h5"]),
        (["--exclude", "old", "--include", "kept.tar"], INSIDE),
    ],
)
def test_models_are_chosen_by_globs(registry, words, expected):
    assert sorted(scan(registry, *words)) == expected


def test_an_archive_that_is_excluded_is_not_unpacked(registry):
    scan(registry, "--exclude", "*.tar", "--exclude", "old")
    assert not (registry.parent / "cache").exists()


def test_what_is_left_out_is_named(registry):
    done = CliRunner().invoke(
        cli, ["scan", str(registry), "--exclude", "old", "--exclude", "*.tar"]
    )
    assert "skipped: kept.tar, old (left out by --exclude)" in done.output


@pytest.mark.parametrize("words", [["--ignore", "MA1"], ["--select", "security,behaviour"]])
def test_rules_that_are_not_reported_decide_nothing(registry, words):
    found = scan(registry, "--include", "old", code=1)
    assert found["old/truncated.h5"]["verdict"] == "fail"
    rest = scan(registry, "--include", "old", *words, code=3)["old/truncated.h5"]
    assert rest["verdict"] == "incomplete"
    assert "is damaged, which the selected rules do not report" in rest["reason"]


def test_a_pass_of_some_rules_says_so(registry):
    (row,) = scan(registry, "--include", "c.h5", "--select", "MA7").values()
    assert row["verdict"] == "pass"
    assert row["reason"] == "The selected rules found nothing; the others are not reported."


@pytest.mark.parametrize("word", ["MA9", "load-fail", "x"])
def test_a_rule_that_does_not_exist_is_an_error(registry, word):
    done = CliRunner().invoke(cli, ["scan", str(registry), "--select", word])
    assert isinstance(done.exception, UsageError)
    assert f"--select: unknown rule '{word}'" in str(done.exception)


def test_the_settings_file_chooses_too(registry, monkeypatch):
    monkeypatch.chdir(registry.parent)
    (registry.parent / "modelaudit.toml").write_text('include = "a.h5"\nexclude = ["kept.tar"]\n')
    assert sorted(scan(registry)) == ["new/a.h5"]
