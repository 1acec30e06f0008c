"""Settings files on the command line: found, named, outranked by options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelaudit.cli import cli
from modelaudit.errors import UsageError

SAMPLE = Path(__file__).parents[2] / "sample_models" / "digits_partial_restore.keras"
WAIVER = '[[ignore]]\nrule = "MA405"\nreason = "random features by design"\n'


def _scan(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments], catch_exceptions=True)


def test_a_waiver_lets_a_model_pass(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(WAIVER)
    assert _scan("scan", str(SAMPLE)).exit_code == 1
    result = _scan("--config", str(config), "scan", "--json", str(SAMPLE))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["verdict"] == "pass"


def test_the_file_in_the_folder_is_found(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "modelaudit.toml").write_text(WAIVER)
    monkeypatch.chdir(tmp_path)
    assert _scan("scan", str(SAMPLE)).exit_code == 0


def test_options_outrank_the_file(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('fail_on = "critical"\n')
    assert _scan("--config", str(config), "scan", str(SAMPLE)).exit_code == 0
    assert _scan("--config", str(config), "scan", "--fail-on", "high", str(SAMPLE)).exit_code == 1


@pytest.mark.parametrize("text", ["jbos = 1", "jobs = 'x'", "not toml"])
def test_a_wrong_file_is_a_usage_error(tmp_path: Path, text: str) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(text)
    result = _scan("--config", str(config), "scan", str(SAMPLE))
    assert isinstance(result.exception, UsageError)
    assert str(config) in str(result.exception)


def test_runtimes_are_started_on_demand_only(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('[runtimes.old]\npython = "/nowhere/python"\n')
    out = ("--out", str(tmp_path / "out"))
    assert _scan("--config", str(config), "scan", str(SAMPLE)).exit_code == 1
    result = _scan("--config", str(config), "audit", "--runtime", "new", str(SAMPLE), *out)
    assert isinstance(result.exception, UsageError)
    assert "no [runtimes.new]" in str(result.exception)
    assert "there are: old" in str(result.exception)


def test_an_architecture_is_checked_before_the_work(tmp_path: Path) -> None:
    other = tmp_path / "model.json"
    other.write_text('{"epochs": 3}')
    result = _scan("scan", "--architecture", str(other), str(SAMPLE))
    assert isinstance(result.exception, UsageError)
    assert "no Keras architecture" in str(result.exception)


def test_a_file_that_is_no_profile_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"schema": 1, "name": "tf"}')
    config = tmp_path / "audit.toml"
    config.write_text('profiles = "mine.json"\n')
    result = _scan("--config", str(config), "scan", str(SAMPLE))
    assert isinstance(result.exception, UsageError)
    assert "mine.json: is no whole runtime profile" in str(result.exception)
