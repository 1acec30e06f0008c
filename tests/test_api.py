"""The public API."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import modelaudit
from modelaudit import pipeline
from modelaudit.errors import SchemaError, UsageError
from modelaudit.exit_codes import ExitCode
from modelaudit.findings import Severity
from modelaudit.report.export.registry import FORMATS
from modelaudit.runs.run_result import RunResult
from modelaudit.schema import Audit
from modelaudit.settings import Policy, Waiver
from modelaudit.structs import replace
from tests.made import files
from tests.runs.nights import scale

FUNCTIONS = {"audit", "compare", "explain", "nightly", "repair", "scan", "write_report"}
SAMPLES = Path(__file__).parents[1] / "sample_models"


def _static() -> modelaudit.Settings:
    settings = modelaudit.Settings()
    return replace(settings, probe=replace(settings.probe, enabled=False))


def test_a_repair_lies_beside_the_original_by_default(tmp_path: Path) -> None:
    original = Path(shutil.copy(SAMPLES / "teachable_digits" / "keras_model.h5", tmp_path / "a.h5"))
    done = modelaudit.repair(original, "tf==2.21", settings=_static())
    assert (done.status, done.out) == ("repaired", str(tmp_path / "a-tf-2.21.h5"))
    assert (tmp_path / "a-tf-2.21.h5.repair.json").is_file()
    with pytest.raises(modelaudit.ModelAuditError, match="exists"):
        modelaudit.repair(original, "tf==2.21", settings=_static())


def test_one_audit_per_model() -> None:
    audits = list(modelaudit.audit(SAMPLES / "digits_partial_restore.keras", _static()))
    assert [audit.model.path for audit in audits] == ["digits_partial_restore.keras"]
    assert audits[0].verdict is modelaudit.Verdict.FAIL
    assert "MA405" in {finding.code for finding in audits[0].findings}


def test_policies_and_waivers_apply_to_matching_models() -> None:
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
def test_a_model_written_during_the_audit(tmp_path, monkeypatch, writes, verdict):
    """Read again it is complete or still incomplete; it is not called damaged in either case."""
    model = files.minimal_h5(tmp_path / "a.h5")
    whole = model.read_bytes()
    model.write_bytes(whole[:-64])
    real, seen = pipeline.audit_model, []

    def audit_model(*arguments):
        audit = real(*arguments)
        seen.append(audit.verdict.value)
        if len(seen) <= writes:
            model.write_bytes(whole if writes == 1 else whole[: len(seen) - 64])
        return audit

    monkeypatch.setattr(pipeline, "audit_model", audit_model)
    (audit,) = modelaudit.audit(model, _static())
    assert seen == ["fail", "pass" if writes == 1 else "fail"]
    assert audit.verdict.value == verdict
    assert {finding.code for finding in audit.findings} <= {"MA204"}


def test_a_missing_path_is_an_error() -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(modelaudit.audit(SAMPLES / "absent"))


def test_every_public_name_exists() -> None:
    for name in modelaudit.__all__:
        assert getattr(modelaudit, name) is not None
    with pytest.raises(AttributeError):
        modelaudit.absent  # noqa: B018 - looking it up is the test


def test_the_callback_of_golden_records_is_found_as_the_docs_say() -> None:
    code = "import modelaudit; print(modelaudit.golden.callback.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "modelaudit.golden"


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, modelaudit; print([m for m in ('numpy', 'h5py', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_dir_lists_the_public_names() -> None:
    code = "import modelaudit; print(set(modelaudit.__all__) <= set(dir(modelaudit)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_an_audit_is_shown_in_one_line(two_models: tuple[Path, Path]) -> None:
    (audit,) = modelaudit.audit(two_models[0], _static())
    assert repr(audit) == "<Audit 'old.h5': pass, 1 finding>"


@pytest.fixture
def two_models(tmp_path: Path) -> tuple[Path, Path]:
    """A model, and the same with its kernel scaled by 2."""
    old, new = files.minimal_h5(tmp_path / "old.h5"), tmp_path / "new.h5"
    shutil.copy(old, new)
    scale(new)
    return old, new


def test_scan_gives_a_row_for_each_model(two_models: tuple[Path, Path]) -> None:
    ran = modelaudit.scan(two_models)
    assert [row.path for row in ran.rows] == ["new.h5", "old.h5"]
    assert ran.code is ExitCode.OK
    assert modelaudit.scan(str(SAMPLES / "digits_partial_restore.keras")).code is ExitCode.FINDINGS


def test_explain_is_the_diagnosis_of_the_audit() -> None:
    model = SAMPLES / "digits_partial_restore.keras"
    (audit,) = modelaudit.audit(model, _static())
    assert modelaudit.explain(model, _static()) == audit.diagnosis


def test_explain_takes_one_model(two_models: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="contains 2 models"):
        modelaudit.explain(two_models[0].parent, _static())


def test_compare_is_equal_for_models_and_their_audits(
    two_models: tuple[Path, Path], tmp_path: Path
) -> None:
    audits = [next(iter(modelaudit.audit(model, _static()))) for model in two_models]
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for audit, path in zip(audits, paths, strict=True):
        modelaudit.write_report(audit, "json", path)
    for old, new in (two_models, audits, paths, (two_models[0], audits[1])):
        found = modelaudit.compare(old, new, _static())
        assert [change.section for change in found.changes] == ["weights"]
        (change,) = found.changes
        assert (change.difference.change, change.difference.factor) == ("scaled", 2.0)
        assert (found.equal, found.breaking) == (False, False)
        assert (found.weights.identical, found.weights.compared) == (1, 2)
        assert found.of_models is ((old, new) == two_models)
    assert modelaudit.compare(audits[0], audits[0]).equal


def test_compare_raises_for_what_it_cannot_read(two_models: tuple[Path, Path], tmp_path) -> None:
    with pytest.raises(UsageError, match="contains 2 models"):
        modelaudit.compare(tmp_path, two_models[0], _static())
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(SchemaError, match="not a modelaudit audit file"):
        modelaudit.compare(tmp_path / "no.json", two_models[0], _static())


@pytest.fixture(scope="module")
def sample_audit() -> Audit:
    (audit,) = modelaudit.audit(SAMPLES / "digits_partial_restore.keras", _static())
    return audit


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "pdf" else ())
        for name in sorted(FORMATS)
    ],
)
def test_write_report_writes_every_format(tmp_path: Path, name: str, sample_audit: Audit) -> None:
    audit = sample_audit
    path = tmp_path / "deep" / "report"
    modelaudit.write_report(audit, name, path)
    assert path.stat().st_size > 500
    if FORMATS[name].per_model:
        with pytest.raises(UsageError, match="shows one audit, not 2"):
            modelaudit.write_report([audit, audit], name, path)


def test_nightly_returns_the_changes_and_the_reports(
    two_models: tuple[Path, Path], tmp_path: Path
) -> None:
    finished = []

    def night() -> RunResult:
        return modelaudit.nightly(
            two_models[0].parent,
            tmp_path / "out",
            _static(),
            formats=["html", "junit"],
            log_file=tmp_path / "log",
            on_finish=finished.append,
        )

    first = night()
    assert [row.path for row in first.rows] == ["new.h5", "old.h5"]
    assert (first.since, first.changes, first.exit_code) == ("", (), ExitCode.OK)
    assert set(first.reports_of(first.rows[0])) == {"html", "json"}
    files = [*first.reports_of(first.rows[0]).values(), *first.run_reports.values(), first.index]
    assert all(file.is_file() for file in files)
    assert night().quiet
    two_models[1].unlink()
    third = night()
    assert [(change.kind, change.path) for change in third.changes] == [("gone", "new.h5")]
    assert len(finished) == 3
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [each["changed"] for each in events if each.get("event") == "run"] == [0, 0, 1]


@pytest.mark.slow
def test_the_guide_s_python_code_runs(tmp_path):
    guide = (SAMPLES.parent / "docs" / "guide.md").read_text(encoding="utf-8")
    section = guide.partition("\n## From Python\n")[2]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert {name for name in FUNCTIONS if f"modelaudit.{name}(" in section} == FUNCTIONS
    (tmp_path / "models").mkdir()
    shutil.copy(SAMPLES / "digits_partial_restore.keras", tmp_path / "models")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout
    assert told.startswith("digits_partial_restore.keras fail")
    assert "MA405" in told
    assert "FINDINGS ['digits_partial_restore.keras']" in told
    assert "True False ()" in told
    assert "repaired new.keras" in told
    assert "FINDINGS nights/index.html []" in told
    assert (tmp_path / "report" / "all.sarif").is_file()
