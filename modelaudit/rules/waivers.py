"""Findings that somebody answers for: marked, never removed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace

from modelaudit.findings import Finding, Outcome, RuleResult
from modelaudit.settings import Waiver


def apply_waivers(
    results: Sequence[RuleResult],
    waivers: Sequence[Waiver],
    path: str,
    today: datetime.date,
) -> tuple[RuleResult, ...]:
    """Results in which covered findings carry the waiver's reason.

    A rule whose findings are all waived ends as waived. An expired waiver covers nothing; the
    finding that it would have covered says so.

    Args:
        results: of one model.
        waivers: from the settings.
        path: of the model, relative to the root of the audit.
        today: of the run.
    """
    return tuple(_result(result, waivers, path, today) for result in results)


def _result(
    result: RuleResult, waivers: Sequence[Waiver], path: str, today: datetime.date
) -> RuleResult:
    if not result.findings:
        return result
    findings = tuple(_finding(finding, waivers, path, today) for finding in result.findings)
    waived = all(finding.waived_by for finding in findings)
    outcome = Outcome.WAIVED if waived else Outcome.FAIL
    return replace(result, findings=findings, outcome=outcome)


def _finding(
    finding: Finding, waivers: Sequence[Waiver], path: str, today: datetime.date
) -> Finding:
    covering = [
        waiver
        for waiver in waivers
        if waiver.covers((finding.code, finding.name), path, finding.fingerprint)
    ]
    holding = next((waiver for waiver in covering if not waiver.expired(today)), None)
    if holding:
        owner = f" ({holding.owner})" if holding.owner else ""
        until = f", until {holding.expires}" if holding.expires else ""
        return replace(finding, waived_by=f"{holding.reason}{owner}{until}")
    if covering:
        last = max(waiver.expires for waiver in covering if waiver.expires)
        detail = f"{finding.detail} (A waiver for this expired on {last}.)"
        return replace(finding, detail=detail)
    return finding


def unused_waivers(
    waivers: Sequence[Waiver], findings: Sequence[tuple[str, tuple[str, str], str]]
) -> tuple[Waiver, ...]:
    """Waivers that cover no finding of the whole run.

    Args:
        waivers: from the settings.
        findings: of every model: its path, the rule's code and name, the fingerprint.
    """
    return tuple(
        waiver
        for waiver in waivers
        if not any(waiver.covers(codes, path, mark) for path, codes, mark in findings)
    )
