"""The record of a repair beside a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelaudit.audit_types.repair import SUFFIX, Repair, RepairedFile, RepairStatus
from modelaudit.findings import Outcome, RuleResult, Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from modelaudit.store.typed_json import encode

SAMPLE = Path(__file__).resolve().parents[2] / "sample_models" / "digits_one_unit.keras"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(SAMPLE, tmp_path / "digits.keras"))


def judged(model: Path) -> RuleResult:
    return run_rule(rule("MA227"), static_facts(model, Settings()))


def record(model: Path, digest: str | None) -> None:
    made = RepairedFile(model.name, "keras-archive", digest)
    repair = Repair("old.h5", "tf==2.21.0", RepairStatus.REPAIRED, made, made)
    Path(f"{model}{SUFFIX}").write_text(json.dumps(encode(repair)))


def test_no_record_is_no_finding(model: Path) -> None:
    assert judged(model).outcome is Outcome.PASS


def test_a_repaired_file_is_recognised_by_its_digest(model: Path) -> None:
    record(model, static_facts(model, Settings()).artifact.sha256)
    (found,) = judged(model).findings
    assert (found.severity, found.evidence["unit"]) == (Severity.INFO, "changes")
    assert "tf==2.21.0" in found.detail


@pytest.mark.parametrize("digest", ["0" * 64, None])
def test_the_record_of_another_file_is_said(model: Path, digest: str | None) -> None:
    record(model, digest)
    (found,) = judged(model).findings
    assert found.severity is Severity.LOW
    assert "another file" in found.detail


@pytest.mark.parametrize("text", ["", "[]", '{"status": "fine"}', "\x00", '{"path": 1}'])
def test_a_record_that_cannot_be_read_is_said(model: Path, text: str) -> None:
    Path(f"{model}{SUFFIX}").write_text(text)
    (found,) = judged(model).findings
    assert found.severity is Severity.LOW
    assert "cannot be read" in found.detail
