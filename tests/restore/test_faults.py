"""Seven restore faults, five architectures, four formats: exactly the changed weights are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.restore.golden_check import GoldenCheck, read_golden
from modelaudit.rules.engine import run_rules
from modelaudit.rules.integrity.golden import RULES
from modelaudit.settings import Limits, Settings
from tests.sharing import with_tensorflow

ARCHITECTURES = ("plain", "residual", "nested", "recurrent", "shared")
FORMATS = ("model.h5", "model.keras", "export", "ckpt")
FAULTS = ("drop", "swap", "redraw", "epoch", "transpose", "skip_mismatch", "by_name")
EXPORTED = ("drop", "swap", "redraw", "transpose")  # each kind of change

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    with_tensorflow("-m", "tests.restore.fault_models", folder)
    return folder


@pytest.fixture(scope="module")
def expected(models: Path) -> dict[str, dict[str, dict[str, str]]]:
    return json.loads((models / "expected.json").read_text())


def said(golden: GoldenCheck) -> dict[str, str]:
    """The change of each weight, without numbers."""
    assert golden.weights is not None
    found = {}
    for each in golden.weights.differing:
        name, _, what = str(each).partition(": ")
        found[name] = what.partition(" (")[0]
    return found | dict.fromkeys(golden.weights.missing, "missing")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_faults_are_named_exactly(
    models: Path, expected: dict[str, dict[str, dict[str, str]]], architecture: str, name: str
) -> None:
    faults = FAULTS
    if name == "export":  # which take as long as all other formats
        faults = EXPORTED if architecture == "plain" else ("swap",)
    for fault in faults:
        done = expected[architecture][fault]
        assert done
        golden = read_golden(read(models / architecture / fault / name, Limits()), Limits())
        assert golden is not None
        assert said(golden) == done, fault
        assert golden.weights is not None
        assert golden.weights.unexpected == ()
        assert golden.same_files is False


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_healthy_models_are_as_recorded(models: Path, architecture: str, name: str) -> None:
    facts = static_facts(models / architecture / "healthy" / name, Settings())
    assert facts.golden is not None
    assert facts.golden.weights is not None
    assert facts.golden.weights.equal
    assert facts.golden.weights.compared > 5
    assert facts.golden.same_files is True
    assert [finding for each in run_rules(RULES, facts) for finding in each.findings] == []


def test_an_edited_record_is_detected(models: Path, tmp_path: Path) -> None:
    healthy = models / "plain" / "healthy"
    (tmp_path / "model.h5").write_bytes((healthy / "model.h5").read_bytes())
    text = (healthy / "model.h5.golden.json").read_text()
    edited = json.loads(text)
    edited["tensors"][0]["sha256"] = "0" * 64
    (tmp_path / "model.h5.golden.json").write_text(json.dumps(edited))
    facts = static_facts(tmp_path / "model.h5", Settings())
    (finding,) = [f for each in run_rules(RULES, facts) for f in each.findings]
    assert finding.name == "golden-record-unusable"
    (tmp_path / "model.h5.golden.json").write_text(text)
    facts = static_facts(tmp_path / "model.h5", Settings())
    assert [f for each in run_rules(RULES, facts) for f in each.findings] == []
