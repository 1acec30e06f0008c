"""One model from path to audit: what was not checked is never a pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ProbeError
from modelaudit.findings import Verdict
from modelaudit.pipeline import audit_model, static_facts, why_not_run
from modelaudit.probe.protocol import Observation
from modelaudit.probe.result import ProbeResult
from modelaudit.rules import catalogue
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Need
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace
from tests.made import files

CREATED = "2026-01-02T03:04:05Z"


@pytest.fixture
def target(tmp_path):
    path = files.minimal_h5(tmp_path / "a.h5")
    return AuditTarget(path, tmp_path, "a.h5", "a.h5")


def ended(status):
    return lambda *_: ProbeResult((Observation("here", "load_model", status),))


def test_a_healthy_model_passes_without_a_requested_probe(target):
    settings = Settings(probe=ProbeSettings(enabled=False))
    audit = audit_model(target, settings, CREATED)
    assert (audit.verdict, audit.exit.code) == (Verdict.PASS, 0)
    assert audit.behaviour.skipped_reason


@pytest.mark.parametrize(
    "status", [Status.UNAVAILABLE, Status.CRASHED, Status.TIMEOUT, Status.MEMORY]
)
def test_an_incomplete_probe_is_not_a_pass(target, status):
    audit = audit_model(target, Settings(), CREATED, ended(status))
    assert audit.verdict is not Verdict.PASS
    assert audit.exit.code in {1, 3}


def test_a_runtime_that_does_not_start_makes_it_incomplete(target):
    audit = audit_model(target, Settings(), CREATED, ended(Status.UNAVAILABLE))
    assert (audit.verdict, audit.exit.code) == (Verdict.INCOMPLETE, 3)


def test_an_error_in_the_probe_makes_it_incomplete(target):
    def probe(*_):
        raise ProbeError("the channel broke")

    audit = audit_model(target, Settings(), CREATED, probe)
    assert (audit.verdict, audit.exit.code) == (Verdict.INCOMPLETE, 3)
    assert "the channel broke" in audit.reason


def test_outputs_that_fill_the_memory_do_not_make_the_file_unreadable(target):
    def probe(*_):
        raise MemoryError

    audit = audit_model(target, Settings(), CREATED, probe)
    assert (audit.verdict, audit.model.complete) == (Verdict.INCOMPLETE, True)
    assert "out of memory for the outputs" in audit.reason


def test_no_file_content_raises(tmp_path):
    for make in files.ALONE:
        path = make(tmp_path)
        audit = audit_model(AuditTarget(path, tmp_path, path.name, path.name), Settings(), CREATED)
        assert audit.reason
        if audit.verdict is Verdict.PASS:
            assert audit.model.complete


def test_a_removed_path_is_reported(tmp_path):
    gone = AuditTarget(tmp_path / "gone.h5", tmp_path, "gone.h5", "gone.h5")
    audit = audit_model(gone, Settings(), CREATED)
    assert audit.verdict in {Verdict.FAIL, Verdict.INCOMPLETE}


def test_a_report_names_runtimes_in_words(target):
    audit = audit_model(target, Settings(), CREATED, ended(Status.FAILED))
    said = "it did not load in the installed TensorFlow and Keras"
    assert audit.behaviour.skipped_reason == said
    assert "does not load in the installed TensorFlow and Keras. First error" in audit.reason


def test_what_cannot_be_read_or_run_says_so(tmp_path: Path) -> None:
    damaged = tmp_path / "m.keras"
    damaged.write_bytes(b"no archive")
    settings = Settings(probe=ProbeSettings(enabled=True))
    assert why_not_run(static_facts(damaged, settings)) == "it could not be read as a model"


@pytest.mark.parametrize(("probe", "times"), [(None, 1), (ended(Status.CRASHED), 2)])
def test_rules_on_security_judge_again_only_what_was_run(target, monkeypatch, probe, times):
    judged = []

    def check(rule, facts):
        judged.append(facts.observations)
        yield rule.finding("found")

    rules = [replace(each, check=check) if each.code == "MA701" else each for each in CATALOGUE]
    monkeypatch.setattr(catalogue, "CATALOGUE", tuple(rules))
    audit = audit_model(target, Settings(), CREATED, probe)
    assert len(judged) == times
    (found,) = [each for each in audit.results if each.code == "MA701"]
    assert [each.detail for each in found.findings] == ["found"]


@pytest.mark.parametrize("need", [Need.OBSERVATION, Need.BEHAVIOUR])
def test_a_rule_on_security_that_judges_a_run_says_why_there_is_none(target, monkeypatch, need):
    """As a plugin may have."""
    rules = [replace(each, needs=(need,)) if each.code == "MA701" else each for each in CATALOGUE]
    monkeypatch.setattr(catalogue, "CATALOGUE", tuple(rules))
    audit = audit_model(target, Settings(), CREATED)
    (found,) = [each for each in audit.results if each.code == "MA701"]
    assert found.reason == "running models is disabled (--no-probe)"
