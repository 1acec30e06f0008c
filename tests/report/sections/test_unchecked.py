"""Unchecked rules: counts that add up, reasons in words, and the limits of any audit."""

from __future__ import annotations

import re

import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st
from sample_audits import changed

from modelaudit.findings import Outcome, RuleResult
from modelaudit.report.sections import key_numbers, unchecked

LINES = 4


def skipping(reasons, skipped=None):
    """An audit with these unanswered rules (code -> reason) and one that passed."""
    rows = [
        RuleResult(code, "some-rule", Outcome.NOT_APPLICABLE, reason)
        for code, reason in reasons.items()
    ]
    passed = RuleResult("MA101", "readable", Outcome.PASS)
    audit = changed(samples.healthy(), results=(passed, *rows), observations=())
    return changed(audit, symmetry={}, behaviour={"skipped": skipped or {}})


def told(audit, limit=LINES):
    return ["".join(span.text for span in line) for line in unchecked.lines(audit, limit)]


def first_number(line):
    return int(re.match(r"(\d+)", line)[1])


@given(
    st.dictionaries(st.integers(110, 899).map("MA{}".format), st.sampled_from("abcdefgh")),
    st.dictionaries(st.text(min_size=1, max_size=9), st.just("no layers"), max_size=5),
)
def test_rules_and_measurements_are_counted_separately(reasons, skipped):
    audit = skipping(reasons, skipped)
    *lines, last = told(audit)
    assert len(lines) <= LINES
    assert last == unchecked.LIMIT
    questions = [line for line in lines if "question" in line and line[0].isdigit()]
    assert sum(map(first_number, questions)) == len(reasons)
    number = next(n for n in key_numbers.build(audit) if n.label == "checks passed")
    assert (f"{len(reasons)} more not answered" in number.note) == bool(reasons)
    measured = [line for line in lines if "measurement" in line]
    assert sum(map(first_number, measured)) == len(unchecked.measurements(audit))


def test_questions_of_one_kind_are_named_by_it():
    security = {f"MA{code}": "the model holds no config" for code in range(701, 717)}
    (line, _) = told(skipping(security))
    assert line == "16 security questions not answered (MA701–MA716): the model holds no config"
    (line, _) = told(skipping({**security, "MA112": "the model holds no config"}))
    assert line == "17 questions not answered: the model holds no config"
    (line, _) = told(skipping({"MA224": "no other runtime was asked for"}))
    assert line.startswith("1 compatibility question not answered (MA224): no other")


def test_limits_of_any_audit_are_on_the_first_page():
    assert told(skipping({})) == ["Every applicable question was answered.", unchecked.LIMIT]
    for word in ("accuracy on your task", "training data", "licence", "not a guarantee"):
        assert word in unchecked.LIMIT


def test_measurements_of_several_tensors_are_merged():
    audit = skipping({}, {f"twins:variables/{i}": "nothing feeds it" for i in (1, 7)})
    assert unchecked.measurements(audit) == (
        "Mirror pairs of filters in `variables/1` and `variables/7`: nothing feeds it",
    )
