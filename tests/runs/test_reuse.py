"""Results that a later run reuses, and when it must not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.probe import run
from modelaudit.probe.protocol import Observation
from modelaudit.probe.result import ProbeResult
from modelaudit.registry.snapshot import SnapshotReader
from modelaudit.runs import batch, cache
from modelaudit.runs.found_models import find_models
from modelaudit.settings import Settings
from modelaudit.store import cache_keys
from tests.command_line import SAMPLES
from tests.runs.nights import audited, nightly, scale, written_to_once


def test_other_times_of_the_same_bytes_are_not_a_change(sound):
    nightly(sound)
    os.utime(sound / "a.h5", (1, 1))
    shutil.copy(sound / "b.keras", sound / "copy")
    (sound / "copy").replace(sound / "b.keras")
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def test_verify_finds_what_a_directory_entry_hides(sound, monkeypatch):
    """As on a file system without times: all snapshots look the same and old."""
    from modelaudit.registry import snapshot

    real = snapshot.SnapshotReader.snapshot

    def blind(looker, model):
        states = tuple(
            snapshot.FileState(state.name, state.size, 1, 1, 1)
            for state in real(looker, model).files
        )
        return snapshot.Snapshot(states, settled=True)

    monkeypatch.setattr(snapshot.SnapshotReader, "snapshot", blind)
    nightly(sound)
    scale(sound / "a.h5")
    assert nightly(sound).stdout == ""
    assert "saved again a.h5" in nightly(sound, "--verify").stdout


def seen(*_args) -> ProbeResult:
    return ProbeResult(
        (Observation("here", "load_model", Status.FAILED, "ValueError", "no such layer"),)
    )


@pytest.fixture
def probe(monkeypatch):
    """A probe that counts its calls and starts no runtime."""
    starts = []

    @contextmanager
    def started(settings, roots):
        starts.append(settings)
        yield seen

    monkeypatch.setattr(run, "local_probe", started)
    return starts


def observed(models: Path, name: str = "a.h5") -> list:
    path = models.parent / "out" / "models" / name / "audit.json"
    return json.loads(path.read_text())["observations"]


def test_changed_rules_are_applied_without_running_models(sound, monkeypatch, probe):
    first = nightly(sound, "--probe", code=1)
    assert (len(probe), "first run" in first.stdout) == (1, True)
    before = observed(sound)
    assert before[0]["error"] == "no such layer"
    real = cache_keys.code_digest

    def other_rules(rooms=("",)):
        return "other" if rooms == ("",) else real(rooms)

    cache_keys._general.cache_clear()
    monkeypatch.setattr(cache_keys, "code_digest", other_rules)
    nightly(sound, "--probe")
    cache_keys._general.cache_clear()
    assert (audited(sound), len(probe)) == (2, 1)
    assert observed(sound) == before


def test_changed_probe_settings_run_models_again(sound, probe):
    nightly(sound, "--probe", code=1)
    nightly(sound, "--probe", "--samples", "32")
    assert (audited(sound), len(probe)) == (2, 2)
    nightly(sound, "--probe", "--samples", "32", "--fail-on", "critical")
    assert len(probe) == 2  # only a threshold changed, so the observations are reused


@pytest.mark.parametrize(
    ("status", "number"),
    [
        *((each, None) for each in (Status.TIMEOUT, Status.MEMORY, Status.UNAVAILABLE)),
        (Status.CRASHED, signal.SIGKILL),  # as the kernel does when a cgroup is out of memory
    ],
)
def test_a_transient_failure_is_tried_again(sound, monkeypatch, probe, status, number):
    ended = Observation("here", "load_model", status, signal=number)
    monkeypatch.setattr(sys.modules[__name__], "seen", lambda *_: ProbeResult((ended,)))
    nightly(sound, "--probe", code=3)
    assert nightly(sound, "--probe").stdout == ""  # no change, but not reused either
    assert (audited(sound), len(probe)) == (2, 2)


def test_a_changed_mlmodel_file_is_checked_against_the_same_model(sound):
    """The file is not part of the model, but its signature is checked."""
    said = '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, %d]}}]'
    (sound / "b.keras").rename(sound.parent / "b.keras")
    for size, told in ((6, ""), (7, "MA802 mlflow-signature-differs (medium): "), (7, "")):
        text = f"flavors: {{keras: {{}}}}\nsignature:\n  inputs: '{said % size}'\n"
        (sound / "MLmodel").write_text(text)
        done = nightly(sound).stdout
        assert told in done if told else "MA802" not in done
    assert done == ""


def test_stored_observations_are_not_used_for_another_model(sound, probe, monkeypatch):
    """Between planning and auditing the file was replaced, so the stored results do not apply."""
    nightly(sound, "--probe", code=1)
    real = cache.AuditCache.plan

    def plan(self, *arguments, **options):
        planned = real(self, *arguments, **options)
        scale(sound / "a.h5")
        return planned

    with monkeypatch.context() as patch:
        patch.setattr(cache.AuditCache, "plan", plan)
        nightly(sound, "--probe", "--fail-on", "critical", code=3)
    assert len(probe) == 1  # no runtime for it, so partially audited
    assert "modified during the run" in observed(sound)[0]["error"]
    assert observed(sound, "b.keras")[0]["error"] == "no such layer"
    nightly(sound, "--probe", "--fail-on", "critical")
    assert (audited(sound), len(probe)) == (1, 2)
    assert observed(sound)[0]["error"] == "no such layer"


def test_stored_observations_are_dropped_on_a_change_during_the_audit(sound, probe, monkeypatch):
    nightly(sound, "--probe", code=1)
    with monkeypatch.context() as patch:
        patch.setattr(batch, "audit_model", written_to_once(sound))
        nightly(sound, "--probe", "--fail-on", "critical", code=3)
    assert "modified during the run" in observed(sound)[0]["error"]


@pytest.mark.slow
def test_observations_of_a_model_are_restored_completely(tmp_path, monkeypatch):
    """A real probe, and a second run with another threshold that must not run models."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(SAMPLES / "digits_robust.keras", models)
    nightly(models, "--probe")
    path = tmp_path / "out" / "models" / "digits_robust.keras" / "audit.json"
    first = json.loads(path.read_text())
    assert first["behaviour"]["outputs"]
    assert first["restore"]["identical"] > 0

    def refused(settings):
        raise AssertionError("no runtime is to be started")

    monkeypatch.setattr(run, "local_probe", refused)
    nightly(models, "--probe", "--fail-on", "low")
    second = json.loads(path.read_text())
    assert audited(models) == 1
    for each in (first, second):
        for key in ("created", "timings", "verdict", "reason", "exit"):
            del each[key]
    assert first == second


def test_a_scan_reads_no_file_again_for_later_runs(sound, monkeypatch):
    def content(*_):
        raise AssertionError("a file was read again")

    monkeypatch.setattr(SnapshotReader, "content", content)
    found = find_models((sound,), Settings())
    done = [*batch.audit_all(found.targets, Settings(jobs=1), "2026-01-02T03:04:05Z")]
    assert [(each.row.verdict, each.notes) for each in done] == [("pass", {})] * 2
