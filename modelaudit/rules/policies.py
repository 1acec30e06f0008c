"""Applies the settings to findings: configured severities and the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.findings import Finding, Outcome, RuleResult, Severity
from modelaudit.settings import KnownModel
from modelaudit.structs import replace


def apply_severities(
    results: Sequence[RuleResult], severities: Sequence[tuple[str, Severity]]
) -> tuple[RuleResult, ...]:
    """Results whose findings have the severities that the settings configure.

    Args:
        results: of one model.
        severities: (rule's code or name, severity); the first entry for a rule wins.
    """
    return tuple(_result(result, severities) for result in results)


def _result(result: RuleResult, chosen: Sequence[tuple[str, Severity]]) -> RuleResult:
    names = (result.code, result.name)
    severity = next((severity for rule, severity in chosen if rule in names), None)
    if severity is None:
        return result
    findings = tuple(replace(finding, severity=severity) for finding in result.findings)
    return replace(result, findings=findings)


def apply_baseline(
    results: Sequence[RuleResult], known: KnownModel | None, created: str
) -> tuple[RuleResult, ...]:
    """Results in which findings that are in the baseline are waived, unless they got worse.

    Args:
        results: of one model.
        known: the same model in the baseline, if it is there.
        created: when the baseline was made.
    """
    if known is None:
        return tuple(results)
    severities: dict[str, int] = {}
    for fingerprint, severity in known.findings:
        severities[fingerprint] = max(severity.rank, severities.get(fingerprint, 0))
    return tuple(_known(result, severities, f"in the baseline of {created}") for result in results)


def _known(result: RuleResult, severities: dict[str, int], reason: str) -> RuleResult:
    def covered(finding: Finding) -> bool:
        return finding.severity.rank <= severities.get(finding.fingerprint, -1)

    findings = tuple(
        replace(each, waived_by=reason) if covered(each) and not each.waived_by else each
        for each in result.findings
    )
    if not findings:
        return result
    outcome = Outcome.WAIVED if all(each.waived_by for each in findings) else Outcome.FAIL
    return replace(result, findings=findings, outcome=outcome)
