"""Applies the settings to findings: configured severities, the baseline and waivers.

A waived finding is marked, never removed.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from functools import partial

from modelaudit.findings import Finding, Outcome, RuleResult, Severity
from modelaudit.rules.model import Rule
from modelaudit.settings import Waiver
from modelaudit.settings.known_models import KnownModel
from modelaudit.settings.selection import Selection
from modelaudit.structs import replace

NOT_SELECTED = "not selected (options --select and --ignore)"


def apply_severities(
    results: Sequence[RuleResult], severities: Sequence[tuple[str, Severity]]
) -> tuple[RuleResult, ...]:
    """Results whose findings have the severities that the settings configure.

    Args:
        severities: (rule's code or name, severity); the first entry for a rule wins.
    """
    return tuple(_result(each, severities) for each in results) if severities else tuple(results)


def _result(result: RuleResult, chosen: Sequence[tuple[str, Severity]]) -> RuleResult:
    names = (result.code, result.name)
    severity = next((severity for rule, severity in chosen if rule in names), None)
    if severity is None:
        return result
    findings = tuple(replace(finding, severity=severity) for finding in result.findings)
    return replace(result, findings=findings)


def apply_selection(
    results: Sequence[RuleResult], rules: Sequence[Rule], selection: Selection
) -> tuple[RuleResult, ...]:
    """Results without those of rules that the user does not want to see; they say so."""
    if not (selection.select or selection.ignore):
        return tuple(results)
    families = {rule.code: rule.family.value for rule in rules}
    return tuple(
        result
        if selection.reports(result.code, result.name, families[result.code])
        else RuleResult(result.code, result.name, Outcome.NOT_APPLICABLE, NOT_SELECTED)
        for result in results
    )


def apply_baseline(
    results: Sequence[RuleResult], known: KnownModel | None, created: str
) -> tuple[RuleResult, ...]:
    """Results in which findings that are in the baseline are waived, unless they got worse.

    Args:
        known: the same model in the baseline, if it is there.
        created: when the baseline was made.
    """
    if known is None:
        return tuple(results)
    severities: dict[str, int] = {}
    for fingerprint, severity in known.findings:
        severities[fingerprint] = max(severity.rank, severities.get(fingerprint, 0))
    reason = f"in the baseline of {created}"

    def change(finding: Finding) -> Finding:
        covered = finding.severity.rank <= severities.get(finding.fingerprint, -1)
        return replace(finding, waived_by=reason) if covered and not finding.waived_by else finding

    return tuple(_with_findings(result, change) for result in results)


def apply_waivers(
    results: Sequence[RuleResult], waivers: Sequence[Waiver], today: datetime.date
) -> tuple[RuleResult, ...]:
    """Results in which covered findings carry the waiver's reason.

    A rule whose findings are all waived ends as waived. An expired waiver covers nothing; the
    finding that it covered mentions it.

    Args:
        waivers: those that concern this model.
    """
    change = partial(_with_waiver, waivers=waivers, today=today)
    return tuple(_with_findings(result, change) for result in results)


def _with_findings(result: RuleResult, change: Callable[[Finding], Finding]) -> RuleResult:
    """A result with changed findings: if all are waived, so is the result."""
    if not result.findings:
        return result
    findings = tuple(change(finding) for finding in result.findings)
    outcome = Outcome.WAIVED if all(each.waived_by for each in findings) else Outcome.FAIL
    return replace(result, findings=findings, outcome=outcome)


def _with_waiver(finding: Finding, waivers: Sequence[Waiver], today: datetime.date) -> Finding:
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
