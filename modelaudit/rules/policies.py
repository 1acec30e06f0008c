"""Severities that the settings give to the findings of some rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modelaudit.findings import RuleResult, Severity


def apply_severities(
    results: Sequence[RuleResult], severities: Sequence[tuple[str, Severity]]
) -> tuple[RuleResult, ...]:
    """Results whose findings have the severities that the settings ask for.

    Args:
        results: of one model.
        severities: (rule's code or name, severity); of several for one rule the first counts.
    """
    chosen = dict(reversed(severities))
    return tuple(_result(result, chosen) for result in results) if chosen else tuple(results)


def _result(result: RuleResult, chosen: dict[str, Severity]) -> RuleResult:
    severity = chosen.get(result.code) or chosen.get(result.name)
    if severity is None:
        return result
    findings = tuple(replace(finding, severity=severity) for finding in result.findings)
    return replace(result, findings=findings)
