"""The library's front door."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import modelaudit
from modelaudit import api
from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.settings import Policy, Waiver
from tests.made import files

SAMPLES = Path(__file__).parents[1] / "sample_models"


def _static() -> modelaudit.Settings:
    settings = modelaudit.Settings()
    return replace(settings, probe=replace(settings.probe, enabled=False))


def test_one_audit_a_model() -> None:
    audits = list(modelaudit.audit(SAMPLES / "digits_partial_restore.keras", _static()))
    assert [audit.model["path"] for audit in audits] == ["digits_partial_restore.keras"]
    assert audits[0].verdict is modelaudit.Verdict.FAIL
    assert "MA405" in {finding.code for finding in audits[0].findings}


def test_policies_and_waivers_hold_for_the_models_that_their_path_fits() -> None:
    def verdict(path: str) -> modelaudit.Verdict:
        settings = replace(
            _static(),
            base=str(SAMPLES.parent),
            policies=(Policy("*", fail_on=Severity.CRITICAL),),
            waivers=(Waiver("", "known", path=path),),
        )
        (audit,) = modelaudit.audit(SAMPLES / "digits_partial_restore.keras", settings)
        return audit.verdict

    assert verdict("sample_models/digits_p*") is modelaudit.Verdict.PASS
    assert verdict("sample_models/digits_q*") is modelaudit.Verdict.WARN


@pytest.mark.parametrize(("writes", "verdict"), [(1, "pass"), (2, "incomplete")])
def test_a_model_that_is_written_to_meanwhile(tmp_path, monkeypatch, writes, verdict):
    """Looked at again it is whole, or another half: it is called damaged in neither case."""
    model = files.minimal_h5(tmp_path / "a.h5")
    whole = model.read_bytes()
    model.write_bytes(whole[:-64])
    real, seen = api.audit_model, []

    def audit_model(*arguments):
        audit = real(*arguments)
        seen.append(audit.verdict.value)
        if len(seen) <= writes:
            model.write_bytes(whole if writes == 1 else whole[: len(seen) - 64])
        return audit

    monkeypatch.setattr(api, "audit_model", audit_model)
    (audit,) = modelaudit.audit(model, _static())
    assert seen == ["fail", "pass" if writes == 1 else "fail"]
    assert audit.verdict.value == verdict
    assert {finding.code for finding in audit.findings} <= {"MA204"}


def test_nothing_there_is_said() -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(modelaudit.audit(SAMPLES / "absent"))


def test_every_public_name_is_there() -> None:
    for name in modelaudit.__all__:
        assert getattr(modelaudit, name) is not None
    with pytest.raises(AttributeError):
        modelaudit.absent  # noqa: B018 - looking it up is the test


def test_importing_costs_nothing_heavy() -> None:
    code = (
        "import sys, modelaudit; print([m for m in ('numpy', 'h5py', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_guides_python_runs_as_it_stands(tmp_path):
    guide = (SAMPLES.parent / "docs" / "guide.md").read_text(encoding="utf-8")
    section = guide.partition("\n## From Python\n")[2]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "models").mkdir()
    shutil.copy(SAMPLES / "digits_partial_restore.keras", tmp_path / "models")
    told = subprocess.run(
        [sys.executable, "-c", "\n".join([*blocks, "print(len(audits), audits[0].verdict)"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told[0].startswith("digits_partial_restore.keras fail")
    assert any("MA405" in line for line in told)
    assert told[-1] == "1 fail"
