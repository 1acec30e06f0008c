"""JUnit: counts, severities, and the schema used by Jenkins."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import report_samples as samples
from lxml import etree
from sample_audits import changed

from modelaudit.findings import Outcome, Severity, Verdict
from modelaudit.report.export import junit
from modelaudit.structs import replace

AUDITS = [make() for make in samples.SAMPLES.values()]
SCHEMAS = Path(__file__).parents[1] / "schemas"


def test_junit_counts_add_up():
    root = ET.fromstring(junit.render(AUDITS, samples.RULES))
    suites = root.findall("testsuite")
    assert len(suites) == len(AUDITS)
    for audit, suite in zip(AUDITS, suites, strict=True):
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(key)) == len(suite.findall(f"testcase/{tag}"))
        incomplete = audit.verdict is Verdict.INCOMPLETE
        assert int(suite.get("tests")) == len(audit.results) + incomplete
        assert int(suite.get("skipped")) == sum(
            r.outcome in (Outcome.NOT_APPLICABLE, Outcome.WAIVED) for r in audit.results
        )
        failing = {
            f.code
            for f in audit.findings
            if f.outcome is Outcome.FAIL and f.severity in (Severity.HIGH, Severity.CRITICAL)
        }
        assert int(suite.get("failures")) == len(failing)
        if incomplete:
            assert int(suite.get("errors")) >= 1
    for key in ("tests", "failures", "errors"):
        assert int(root.get(key)) == sum(int(suite.get(key)) for suite in suites)


def failing_at(fail_on):
    root = ET.fromstring(junit.render(AUDITS, samples.RULES, fail_on=fail_on))
    return sum(int(suite.get("failures")) for suite in root)


def test_junit_fails_from_the_requested_severity():
    def expected(fail_on):
        return sum(
            any(f.outcome is Outcome.FAIL and f.severity.rank >= fail_on.rank for f in r.findings)
            for audit in AUDITS
            for r in audit.results
            if r.outcome is Outcome.FAIL
        )

    assert [failing_at(level) for level in Severity] == [expected(level) for level in Severity]
    assert failing_at(Severity.INFO) > failing_at(Severity.HIGH) > failing_at(Severity.CRITICAL)


HIGH = {"fail_on": "high"}


def test_junit_fails_by_default_what_failed_the_model():
    audit = samples.failing()

    def failures(made_at, asked=None):
        here = changed(audit, exit={"code": 1, "reasons": [], **made_at})
        text = junit.render([here], samples.RULES, fail_on=asked)
        return int(ET.fromstring(text)[0].get("failures"))

    asked = [failures(HIGH, level) for level in Severity]
    assert [failures({"fail_on": level.value}) for level in Severity] == asked
    assert len({*asked}) > 2
    assert failures({}) == failures(HIGH)  # as in files of earlier versions


@pytest.mark.parametrize("audits", [AUDITS, AUDITS[:1], []], ids=["all", "one", "none"])
def test_junit_is_valid_by_the_schema_of_jenkins(audits):
    checker = etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd"))
    document = etree.fromstring(junit.render(audits, samples.RULES).encode())
    checker.validate(document)
    assert [f"{e.line}: {e.message}" for e in checker.error_log] == []
    assert all(case.get("classname") for case in document.iter("testcase"))  # GitLab groups by it
    document.set("classname", "")  # the schema rejects invalid documents
    assert not checker.validate(document)


def test_junit_publishes_no_file_that_a_model_names():
    audit = samples.failing()
    wanted = "x\n[[ATTACHMENT|/etc/passwd]]\n"
    results = [
        replace(r, findings=tuple(replace(f, detail=wanted) for f in r.findings))
        for r in audit.results
    ]
    made = junit.render([replace(audit, results=tuple(results))], samples.RULES)
    said = [e.text for tag in ("system-out", "failure") for e in ET.fromstring(made).iter(tag)]
    assert said
    assert all("ATTACHMENT|/etc/passwd" in text for text in said)
    assert "[[ATTACHMENT" not in made
