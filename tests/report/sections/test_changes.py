"""The changes since the previous audit, in a report."""

from __future__ import annotations

import pytest
import report_samples as samples
from sample_audits import changed, json_of

from modelaudit.findings import Outcome, RuleResult, Severity, Verdict
from modelaudit.report import report
from modelaudit.report.sections import changes
from modelaudit.structs import replace


def audit(*found, verdict=Verdict.PASS, outcome=Outcome.PASS, accuracy=None, n=64):
    """An audit with these findings, whose rules without one ended in `outcome`."""
    codes = {finding.code for finding in found}
    results = [
        RuleResult(code, "", Outcome.FAIL, "", tuple(f for f in found if f.code == code))
        for code in codes
    ]
    results += [RuleResult(code, "", outcome) for code in ("MA405", "MA602") if code not in codes]
    base = samples.healthy()
    behaviour = json_of(base)["behaviour"]
    behaviour["inputs"] |= {"kind": "user", "n": n}
    behaviour["outputs"][0]["accuracy"] = {} if accuracy is None else {"e": accuracy}
    return changed(base, results=tuple(results), verdict=verdict, behaviour=behaviour)


def finding(code, **more):
    found = samples.failing().findings[0]
    return replace(found, code=code, key=code, waived_by=None, **more)


def told(now, before):
    found = changes.build(now, before)
    text = "".join(span.text for span in found.text)
    return text, ["".join(span.text for span in line) for line in found.findings]


def test_both_verdicts_are_shown():
    said, _ = told(audit(verdict=Verdict.FAIL), audit(verdict=Verdict.WARN))
    assert "The verdict changed from Pass with warnings to Fail." in said
    said, _ = told(audit(), audit())
    assert "The verdict is still Pass. Findings: none before and none now." in said


def test_new_and_resolved_findings_are_listed_worst_first():
    low = finding("MA602", title="It hardly matters", severity=Severity.LOW)
    high = finding("MA405", title="A layer is untrained", severity=Severity.HIGH)
    said, lines = told(audit(low, high), audit())
    assert "Findings: 2 new." in said
    assert [line.split(":")[:2] for line in lines] == [
        ["New", " High, MA405"],
        ["New", " Low, MA602"],
    ]
    assert "A layer is untrained" in lines[0]
    said, lines = told(audit(low), audit(low, high))
    assert "Findings: 1 fixed, 1 unchanged." in said
    assert [line[:18] for line in lines] == ["Fixed: High, MA405"]


def test_unchecked_findings_are_not_called_fixed():
    said, lines = told(audit(outcome=Outcome.NOT_APPLICABLE), audit(finding("MA602")))
    assert "fixed" not in said
    assert "1 not checked this time" in said
    assert lines[0].startswith("Not checked: ")


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (
            (0.98, 64),
            (0.9, 64),
            "The accuracy on your labels changed from 98.0\u00a0% to 90.0\u00a0%.",
        ),
        ((0.98, 64), (0.98, 64), "The accuracy on your labels is still 98.0\u00a0%."),
        ((0.98, 64), (0.9, 32), "to 90.0\u00a0%, on different inputs."),
        ((0.98, 64), (None, 64), ""),
    ],
)
def test_accuracy_is_compared_where_both_have_one(then, now, said):
    found, _ = told(audit(accuracy=now[0], n=now[1]), audit(accuracy=then[0], n=then[1]))
    assert said in found
    assert ("accuracy" in found) == bool(said)


def test_many_findings_are_counted_and_not_all_named():
    many = [finding("MA602", title=f"Fault {i}") for i in range(9)]
    many = [replace(each, key=str(i)) for i, each in enumerate(many)]
    _, lines = told(audit(*many), audit())
    assert len(lines) == changes.LISTED + 1
    assert lines[-1] == "New: and 6 more"


def test_a_first_audit_is_called_so_only_if_audits_are_kept():
    def compared(page):
        return [cell.text for title, cell in page.identity if title == "Compared with"]

    kept = report.build(audit(), samples.RULES, first=True).verdict
    assert "no earlier audit of this model" in compared(kept)[0]
    plain = report.build(audit(), samples.RULES).verdict
    again = report.build(audit(), samples.RULES, audit()).verdict
    assert compared(plain) == compared(again) == []
    assert (kept.changes, plain.changes) == (None, None)
    assert again.changes.title.startswith("Since the audit of ")
