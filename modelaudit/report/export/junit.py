"""JUnit XML, as CI servers read it: a model is a test suite, a rule a test case."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from modelaudit.findings import Finding, Outcome, RuleResult, Severity, Verdict
from modelaudit.report.rule_info import Rules
from modelaudit.report.wording import evidence, text
from modelaudit.schema import Audit

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
START = f'{_DECLARATION}<testsuites name="modelaudit"'
"""The beginning of each file."""


def _describe(finding: Finding) -> str:
    lines = [f"{finding.severity.value}: {finding.title}", finding.detail]
    if str(finding.location):
        lines.append(f"where: {finding.location}")
    lines += [f"{what}: {value}" for what, value in evidence.rows(finding)]
    if finding.fix:
        lines.append(f"fix: {finding.fix}")
    # Jenkins and GitLab publish the file named by `[[ATTACHMENT|path]]` in an output: a name in a
    # model could make them publish a file of the server.
    return text.printable("\n".join(lines)).replace("[[ATTACHMENT", r"\u{005B}[ATTACHMENT")


def _case(
    suite: ET.Element, result: RuleResult, rules: Rules, classname: str, fail_on: Severity
) -> str:
    """Add one test case and say how it counts: failure, error, skipped or passed."""
    info = rules.get(result.code)
    name = f"{result.code} {result.name or (info.name if info else '')}".strip()
    case = ET.SubElement(suite, "testcase", name=name, classname=classname)
    if result.outcome is Outcome.ERROR:
        ET.SubElement(case, "error", message=text.cut(result.reason, 300)).text = text.printable(
            result.reason
        )
        return "errors"
    if result.outcome in (Outcome.NOT_APPLICABLE, Outcome.WAIVED):
        waived = "; ".join(filter(None, (f.waived_by for f in result.findings)))
        ET.SubElement(case, "skipped", message=text.cut(result.reason or f"waived: {waived}", 300))
        return "skipped"
    still_open = [f for f in result.findings if f.outcome is not Outcome.WAIVED]
    said = "\n\n".join(map(_describe, still_open))
    if any(finding.severity.rank >= fail_on.rank for finding in still_open):
        worst = max(still_open, key=lambda finding: finding.severity.rank)
        failure = ET.SubElement(
            case, "failure", type=worst.severity.value, message=text.cut(worst.title, 300)
        )
        failure.text = said
        return "failures"
    if said:
        ET.SubElement(case, "system-out").text = said
    return "passed"


def _suite(audit: Audit, rules: Rules, fail_on: Severity | None) -> ET.Element:
    fail_on = fail_on or audit.fail_on or Severity.HIGH
    path = text.printable(audit.model.path or audit.model.slug)
    suite = ET.Element("testsuite", name=path)
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped", "passed"), 0)
    for result in audit.results:
        counts[_case(suite, result, rules, path, fail_on)] += 1
        counts["tests"] += 1
    if audit.verdict is Verdict.INCOMPLETE:
        case = ET.SubElement(suite, "testcase", name="complete", classname=path)
        ET.SubElement(case, "error", message=text.cut(audit.reason, 300))
        counts["errors"] += 1
        counts["tests"] += 1
    for key in ("tests", "failures", "errors", "skipped"):
        suite.set(key, str(counts[key]))
    if audit.created:
        suite.set("timestamp", text.printable(audit.created))
    return suite


def render(audits: Sequence[Audit], rules: Rules, fail_on: Severity | None = None) -> str:
    """All audits as JUnit XML.

    Findings that fail their model, or those of severity `fail_on` and higher if it is given, fail
    their rule; lesser ones pass it and appear in its output. An unanswered question is skipped, or
    an error if the rule crashed, never a pass.
    """
    root = ET.Element("testsuites", name="modelaudit")
    root.extend(_suite(audit, rules, fail_on) for audit in audits)
    for key in ("tests", "failures", "errors"):  # `skipped` exists only on suites
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    return f"{_DECLARATION}{ET.tostring(root, encoding='unicode')}\n"
