"""Settings files on the command line: found, named, overridden by options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner, Result

from modelaudit.baseline import dumps
from modelaudit.cli import cli
from modelaudit.cli.commands import audit as commands
from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.settings import MIB, Settings
from modelaudit.settings.file import OPTIONS
from modelaudit.settings.known_models import Baseline

SAMPLE = Path(__file__).parents[3] / "sample_models" / "digits_partial_restore.keras"
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


def test_options_override_the_file(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('fail_on = "critical"\n')
    assert _scan("--config", str(config), "scan", str(SAMPLE)).exit_code == 0
    assert _scan("--config", str(config), "scan", "--fail-on", "high", str(SAMPLE)).exit_code == 1


# The text of each option and the resulting setting. A flag has no text of its own.
SAID = {
    "fail_on": ("low", lambda made: made.fail_on is Severity.LOW),
    "jobs": (3, lambda made: made.jobs == 3),
    "target": ("tf==2.16", lambda made: made.targets == ("tf==2.16",)),
    "architecture": (SAMPLE, lambda made: made.architecture == str(SAMPLE)),
    "cache_dir": ("kept", lambda made: made.cache.directory.endswith("/kept")),
    "cache_size": (3, lambda made: made.cache.size == 3 * MIB),
    "include": ("a*", lambda made: made.selection.include == ("a*",)),
    "exclude": ("a*", lambda made: made.selection.exclude == ("a*",)),
    "select": ("MA7", lambda made: made.selection.select == ("MA7",)),
    "baseline": ("known.json", lambda made: made.baseline is not None),
    "no_probe": (True, lambda made: not made.probe.enabled),
    "probe_data": (SAMPLE, lambda made: made.probe.data == str(SAMPLE)),
    "resize": (True, lambda made: made.probe.resize),
    "task": ("map", lambda made: made.probe.tasks == (("*", "map"),)),
    "samples": (7, lambda made: made.probe.samples == 7),
    "timeout": (2.5, lambda made: made.probe.timeout == 2.5),
    "memory": (600, lambda made: made.probe.memory == 600 * MIB),
    "sandbox": ("bwrap", lambda made: made.probe.sandbox == "bwrap"),
    "require_sandbox": (True, lambda made: made.probe.require_sandbox),
}


def _settings(way: str, name: str, value: object, folder: Path, monkeypatch) -> Settings:
    """The settings of an audit with one setting given in one of three ways."""
    made: list[Settings] = []
    monkeypatch.delenv("MODELAUDIT_JOBS", raising=False)  # of tests/conftest.py

    def stop(**given: object) -> None:
        made.append(real(**given))
        raise UsageError("no further")

    real = commands.selected_settings
    monkeypatch.setattr(commands, "selected_settings", stop)
    option = ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
    if way == "variable":
        monkeypatch.setenv(f"MODELAUDIT_{name.upper()}", str(value))
    config = folder / "audit.toml"
    text = json.dumps(value, default=str)  # JSON and TOML have the same syntax for these
    config.write_text(f"{name} = {text}\n" if way == "file" else "")
    monkeypatch.chdir(folder)
    more = option if way == "option" else []
    _scan("--config", str(config), "audit", str(SAMPLE), "--out", str(folder / "out"), *more)
    return made[0]


@pytest.mark.parametrize("way", ["option", "variable", "file"])
@pytest.mark.parametrize("name", SAID)
def test_a_setting_can_be_given_in_three_ways(tmp_path, monkeypatch, way, name) -> None:
    (tmp_path / "known.json").write_text(dumps(Baseline("2026-01-01T00:00:00Z", ())))
    value, done = SAID[name]
    with monkeypatch.context() as without:
        assert not done(_settings("file", "quiet", True, tmp_path, without))
    assert done(_settings(way, name, value, tmp_path, monkeypatch))


def test_every_setting_with_an_option_is_tested() -> None:
    assert set(SAID) == set(OPTIONS) - {"quiet", "log_file", "docs_url"}  # of the run, not settings


# Not allowed in a settings file that comes with the models (which would choose the server that gets
# the user's credentials), or specific to one run.
ON_DEMAND_ONLY = {
    *("ignore", "all_versions", "runtimes", "probe_unsafe", "shard"),
    *("tracking_uri", "local_artifacts", "write_back", "engine", "ray_address"),
}


def test_every_shared_option_can_be_in_the_settings_file() -> None:
    shared = {parameter.name for parameter in cli.get_command(Context(cli), "audit").params}
    shared &= {parameter.name for parameter in cli.get_command(Context(cli), "nightly").params}
    shared -= {"paths", "out", "formats", "templates", "paper", "appendix"}
    assert shared - ON_DEMAND_ONLY == set(OPTIONS)


@pytest.mark.parametrize("text", ["jbos = 1", "jobs = 'x'", "not toml"])
def test_an_invalid_file_is_a_usage_error(tmp_path: Path, text: str) -> None:
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
    assert "it defines: old" in str(result.exception)


def test_an_architecture_is_checked_before_the_run(tmp_path: Path) -> None:
    other = tmp_path / "model.json"
    other.write_text('{"epochs": 3}')
    result = _scan("scan", "--architecture", str(other), str(SAMPLE))
    assert isinstance(result.exception, UsageError)
    assert "not a Keras architecture" in str(result.exception)


def test_a_file_that_is_not_a_profile_is_rejected_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"schema": 1, "name": "tf"}')
    config = tmp_path / "audit.toml"
    config.write_text('profiles = "mine.json"\n')
    result = _scan("--config", str(config), "scan", str(SAMPLE))
    assert isinstance(result.exception, UsageError)
    assert "mine.json: incomplete runtime profile" in str(result.exception)


def test_an_invalid_value_is_reported_with_its_source(tmp_path: Path, monkeypatch) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('fail_on = "hi"\nmemory = 1\n')
    said = _scan("--config", str(config), "scan", str(SAMPLE)).stderr
    assert f"Invalid value for fail_on in {config}: 'hi' is not one of" in said
    out = ("--out", str(tmp_path / "out"))
    said = _scan("--config", str(config), "audit", "--fail-on", "low", str(SAMPLE), *out).stderr
    assert f"Invalid value for memory in {config}: 1 is not in the range" in said
    said = _scan("--config", str(config), "scan", "--fail-on", "hi", str(SAMPLE)).stderr
    assert "Invalid value for '--fail-on': 'hi'" in said
    monkeypatch.setenv("MODELAUDIT_FAIL_ON", "bad")
    said = _scan("scan", str(SAMPLE)).stderr
    assert "Invalid value for environment variable MODELAUDIT_FAIL_ON: 'bad' is not one of" in said


@pytest.mark.parametrize(
    "named", ["--target", "environment variable MODELAUDIT_TARGET", "target in "]
)
def test_an_unknown_runtime_is_reported_with_its_source(
    tmp_path: Path, monkeypatch, named: str
) -> None:
    config, option = tmp_path / "audit.toml", []
    config.write_text("")
    if named == "--target":
        option = ["--target", "keras==7.1"]
    elif named == "target in ":
        config.write_text('target = "keras==7.1"')
        named += str(config)
    else:
        monkeypatch.setenv("MODELAUDIT_TARGET", "keras==7.1")
    result = _scan("--config", str(config), "scan", str(SAMPLE), *option)
    assert str(result.exception).startswith(f"{named}: 'keras==7.1': unknown keras version 7")
