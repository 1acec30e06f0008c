"""Evidence in words: every number has its meaning, and no internal key is shown."""

from __future__ import annotations

import re

import pytest
import report_samples as samples

from modelaudit.report.wording import evidence
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace


def shown(found, code="MA602"):
    finding = replace(samples.failing().findings[0], code=code, evidence=found)
    return dict(evidence.rows(finding)), evidence.short(finding)


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_every_measured_number_has_its_meaning(rule):
    for finding in run_rule(rule, rule.bad()).findings:
        measured = finding.evidence.get("measured")
        if isinstance(measured, int | float) and not isinstance(measured, bool):
            unit = finding.evidence["unit"]
            one = re.sub(r"^(\w+)s\b", r"\1", unit) if measured == 1 else unit
            assert dict(evidence.rows(finding))["measured"].endswith((unit, one))
            assert unit.split()[0].removesuffix("s") in evidence.short(finding)


@pytest.mark.parametrize(
    ("count", "unit", "told"),
    [
        (1, "layers", "1 layer"),
        (2, "layers", "2 layers"),
        (1, "weights in the file", "1 weight in the file"),
        (0, "tensors", "0 tensors"),
        (1, "times what another input changes", "1 times what another input changes"),
    ],
)
def test_one_of_a_kind_is_in_the_singular(count, unit, told):
    assert shown({"measured": count, "unit": unit})[0]["measured"] == told


def test_a_number_is_shown_with_its_unit():
    found = {"measured": 3.127, "unit": "bits more than as given", "threshold": 0.3, "n": 128}
    rows, line = shown(found)
    assert rows == {
        "measured": "3.13 bits more than as given",
        "threshold": "0.3",
        "sample size (n)": "128",
    }
    assert line == "measured 3.13 bits more than as given, threshold 0.3, n 128"


def test_tests_of_a_kernel_are_described_in_words():
    tests = {"bias_initial": True, "ks_p": 0.5777, "batchnorm_initial": None, "odd_key": 1}
    rows, _ = shown({"tests": tests})
    told = rows["tests of the weights"]
    assert "p-value of the Kolmogorov–Smirnov test against the initializer: 0.578" in told
    assert "bias at its initial value: yes" in told
    assert "_" not in told
    assert "batch normalization" not in told  # there is none


def test_capabilities_of_code_are_not_shown_as_json():
    rows, _ = shown({"abilities": {"runs other code": ["__import__"], "runs programs": ["system"]}})
    assert rows == {
        "capabilities of the code": "runs other code: __import__; runs programs: system"
    }


def test_shares_and_their_intervals_have_the_usual_format():
    rows, _ = shown({"agreement": 0.4140625, "agreement_ci": [0.96, 0.999], "top_share": 1.0})
    assert list(rows.values()) == ["41\u00a0%", "96\u00a0% to 100\u00a0%", "100\u00a0%"]
