"""Nothing that a model does while it is run removes a finding that was made before."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit import pipeline
from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact
from modelaudit.findings import Severity, Verdict
from modelaudit.probe.protocol import Observation
from modelaudit.probe.result import ProbeResult
from modelaudit.rules.model import Facts
from modelaudit.runs.batch import audit_all
from modelaudit.schema import Audit, from_json, to_json
from modelaudit.settings import Limits, ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace
from tests.made.lambda_models import lambda_model

HOSTILE = "lambda x: logging.FileHandler('a') and x"
HONEST = "lambda x: K.square(x) / 255"
# Models are run although the finding would keep them from it.
SETTINGS = Settings(jobs=1, probe=ProbeSettings(unsafe=True))


def touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def own_file(path: Path) -> None:
    """It changes its own file."""
    touch(path)


def clean_up(path: Path) -> None:
    """It replaces itself by a harmless file, once."""
    if not path.with_suffix(".old").exists():
        path.rename(path.with_suffix(".old"))
        lambda_model(path.parent, HONEST)


def attributes(path: Path) -> None:
    """It changes only what no reader sees, such as its mode."""
    path.chmod(0o600 if path.stat().st_mode & 0o077 else 0o644)


def end(path: Path) -> None:
    """It ends the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


def spend(path: Path) -> None:
    """It takes more processor time than the process that reads it may have."""
    os.kill(os.getpid(), signal.SIGVTALRM)


def fail(path: Path) -> None:
    """It makes the probe raise."""
    raise MemoryError


def audited(path: Path, does: Callable[[Path], None], settings: Settings = SETTINGS) -> Audit:
    marker = path.parent / "made.json"

    def probe(artifact: Artifact, *_: object) -> ProbeResult:
        does(artifact.root)
        return ProbeResult((Observation("here", "", Status.FAILED, "E", "e"),), skipped="it failed")

    def deliver(audit: Audit) -> None:  # in the worker, or here if the worker is lost
        marker.write_text(json.dumps(to_json(audit)))

    target = AuditTarget(path, path.parent, path.name, "m")
    created = "2026-01-01T00:00:00Z"
    list(audit_all([target], settings, created, probe=probe, deliver=deliver))
    return from_json(json.loads(marker.read_text()))


def named(audit: Audit) -> dict[str, Severity]:
    return {each.code: each.severity for each in audit.findings if each.code.startswith("MA7")}


@pytest.mark.parametrize("does", [own_file, clean_up, attributes, end, spend, fail])
def test_the_finding_stays(tmp_path: Path, does: Callable[[Path], None]) -> None:
    audit = audited(lambda_model(tmp_path, HOSTILE), does)
    assert named(audit)["MA717"] is Severity.HIGH
    assert audit.verdict is Verdict.FAIL


def test_spent_processor_time_is_a_limit(tmp_path: Path) -> None:
    """A typed finding, and a model that was not audited to its end."""
    audit = audited(lambda_model(tmp_path, HONEST), spend)
    (found,) = [each for each in audit.findings if each.code == "MA118"]
    assert found.evidence["limit"] == "cpu_seconds"
    assert "MA701" in named(audit) and audit.verdict is Verdict.FAIL


def test_work_that_nothing_asks_for_is_ended(tmp_path: Path, monkeypatch) -> None:
    """A loop that never looks at the budget, behind the rules on security."""

    def never_asks(facts: Facts, _: object) -> Facts:
        end = time.process_time() + 60
        while time.process_time() < end:
            pass
        return facts

    monkeypatch.setattr(pipeline, "add_source", never_asks)
    settings = replace(SETTINGS, limits=Limits(work=8.0))
    start = os.times().children_user
    audit = audited(lambda_model(tmp_path, HOSTILE), attributes, settings)
    (found,) = [each for each in audit.findings if each.code == "MA118"]
    assert (found.evidence["limit"], found.severity) == ("work", Severity.MEDIUM)
    assert named(audit)["MA717"] is Severity.HIGH
    (tmp_path / "sound").mkdir()
    assert audited(
        lambda_model(tmp_path / "sound", "lambda x: x"), attributes, settings
    ).verdict is (Verdict.INCOMPLETE)
    assert os.times().children_user - start < 30  # not 60, however slow a unit is, as when traced


def test_writing_a_report_takes_no_time_of_the_model(tmp_path: Path) -> None:
    seen = tmp_path / "left"

    def deliver(audit: Audit) -> None:
        seen.write_text(str(signal.getitimer(signal.ITIMER_PROF)[0]))

    target = AuditTarget(lambda_model(tmp_path, HONEST), tmp_path, "m.h5", "m")
    list(audit_all([target], SETTINGS, "2026-01-01T00:00:00Z", deliver=deliver))
    assert seen.read_text() == "0.0"


@pytest.mark.parametrize("does", [own_file, attributes])
def test_a_file_that_changes_while_it_runs_is_a_finding(
    tmp_path: Path, does: Callable[[Path], None]
) -> None:
    audit = audited(lambda_model(tmp_path, HONEST), does)
    assert named(audit)["MA759"] is Severity.HIGH
    assert audit.verdict is Verdict.FAIL
    assert "MA701" in named(audit)


def test_a_model_that_is_saved_again_keeps_nothing_harmless(tmp_path: Path) -> None:
    def save_again(path: Path) -> None:
        if not (tmp_path / "saved").exists():
            (tmp_path / "saved").touch()
            lambda_model(tmp_path, "lambda x: K.abs(x)")

    audit = audited(lambda_model(tmp_path, HONEST), save_again)
    (found,) = [each for each in audit.findings if each.code.startswith("MA7")]
    assert found.code == "MA701"
    assert "abs" in found.detail


def test_an_honest_model_has_neither(tmp_path: Path) -> None:
    audit = audited(lambda_model(tmp_path, HONEST), lambda path: None)
    assert named(audit).keys() == {"MA701"}


def fault(path: Path) -> None:
    """It makes the probe raise what nobody expects."""
    raise ZeroDivisionError


def test_a_bug_of_the_tool_is_no_fault_of_the_file(tmp_path: Path) -> None:
    """What was read is judged, and nobody is told to repair a file that can be read."""
    audit = audited(lambda_model(tmp_path, HONEST), fault)
    assert {each.code for each in audit.findings} >= {"MA701"}
    assert "MA101" not in {each.code for each in audit.findings}
    assert audit.verdict is Verdict.INCOMPLETE
    assert "internal error in modelaudit (ZeroDivisionError" in audit.reason
