"""The figures of a run, as Prometheus' own parser reads them."""

from __future__ import annotations

import shutil
import time

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from modelaudit.cli import cli
from modelaudit.errors import UsageError
from tests.made import files


@pytest.fixture
def night(tmp_path):
    """A night over a registry whose name needs escapes; gives its metrics by name and label."""
    registry = tmp_path / 'of "us"\\n'
    registry.mkdir()
    files.minimal_h5(registry / "a.h5")

    def run(file=tmp_path / "metrics" / "modelaudit.prom"):
        words = ["nightly", str(registry), "--out", str(tmp_path / "out"), "--metrics", str(file)]
        done = CliRunner().invoke(cli, [*words, "--no-probe", "-f", "json"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        families = text_string_to_metric_families(file.read_text())
        samples = [sample for family in families for sample in family.samples]
        assert {sample.labels.pop("registry") for sample in samples} == {str(registry)}
        return {(x.name.removeprefix("modelaudit_"), *x.labels.values()): x.value for x in samples}

    run.registry = registry
    return run


def test_the_figures_are_those_of_the_run(night):
    before = time.time()
    files.truncated_h5(night.registry)
    found = night()
    verdicts = {key[1]: value for key, value in found.items() if key[0] == "models"}
    assert verdicts == {"pass": 1, "warn": 0, "fail": 1, "incomplete": 0}
    assert found["findings", "high"] >= 1
    assert found["findings", "critical"] == 0
    assert (found["models_audited",], found["run_exit_code",]) == (2, 1)
    assert before <= found["run_end_timestamp_seconds",] <= time.time()
    assert 0 < found["run_duration_seconds",] <= time.time() - before


def test_a_night_without_changes_still_writes_them(night):
    night()
    shutil.copy(night.registry / "a.h5", night.registry / "b.h5")
    assert night()["models_changed",] == 1
    found = night()
    assert (found["models_changed",], found["models_audited",], found["models", "pass"]) == (
        0,
        0,
        2,
    )


def test_a_file_that_cannot_be_written_is_an_error(night, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot write to"):
        night(tmp_path / "file" / "x.prom")
