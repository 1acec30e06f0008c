"""Waived findings: marked, never removed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from modelaudit.findings import Finding, Outcome, RuleResult
from modelaudit.settings import Waiver
from modelaudit.structs import replace


def apply_waivers(
    results: Sequence[RuleResult], waivers: Sequence[Waiver], today: datetime.date
) -> tuple[RuleResult, ...]:
    """Results in which covered findings carry the waiver's reason.

    A rule whose findings are all waived ends as waived. An expired waiver covers nothing; the
    finding that it covered mentions it.

    Args:
        results: of one model.
        waivers: those that concern this model.
        today: the date of the run.
    """
    return tuple(_result(result, waivers, today) for result in results)


def _result(result: RuleResult, waivers: Sequence[Waiver], today: datetime.date) -> RuleResult:
    if not result.findings:
        return result
    findings = tuple(_finding(finding, waivers, today) for finding in result.findings)
    waived = all(finding.waived_by for finding in findings)
    outcome = Outcome.WAIVED if waived else Outcome.FAIL
    return replace(result, findings=findings, outcome=outcome)


def _finding(finding: Finding, waivers: Sequence[Waiver], today: datetime.date) -> Finding:
    codes = (finding.code, finding.name)
    covering = [waiver for waiver in waivers if waiver.covers(codes, finding.fingerprint)]
    holding = next((waiver for waiver in covering if not waiver.expired(today)), None)
    if holding:
        owner = f" ({holding.owner})" if holding.owner else ""
        until = f", until {holding.expires}" if holding.expires else ""
        return replace(finding, waived_by=f"{holding.reason}{owner}{until}")
    if covering:
        last = max(waiver.expires for waiver in covering if waiver.expires)
        # At the front, because a mail or a table truncates a long detail.
        detail = f"A waiver for this expired on {last}. {finding.detail}"
        return replace(finding, detail=detail)
    return finding
