"""What is not advised while a critical security finding is open: anything that helps a file to load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modelaudit.findings import Finding, RuleResult, Severity
from modelaudit.rules.model import Family, Rule

HELD = (
    "Held back, because a critical finding on what this file can do is open: nothing should help "
    "it to load. Settle that one first."
)
UNSAFE = "safe_mode=False"


def hold_back(results: Sequence[RuleResult], rules: Sequence[Rule]) -> tuple[RuleResult, ...]:
    """Results in which no remedy makes a dangerous file load.

    Args:
        results: of one model, after waivers.
        rules: those asked.
    """
    if danger(results, rules) is None:
        return tuple(results)
    families = {rule.code: rule.family for rule in rules}
    return tuple(_held(result, families.get(result.code)) for result in results)


def danger(results: Sequence[RuleResult], rules: Sequence[Rule]) -> Finding | None:
    """The first open finding that forbids to load the file, if there is one."""
    security = {rule.code for rule in rules if rule.family is Family.SECURITY}
    found = (
        finding
        for result in results
        if result.code in security
        for finding in result.findings
        if finding.severity is Severity.CRITICAL and not finding.waived_by
    )
    return next(found, None)


def _held(result: RuleResult, family: Family | None) -> RuleResult:
    findings = tuple(
        replace(finding, fix=HELD)
        if family is Family.COMPATIBILITY or UNSAFE in finding.fix
        else finding
        for finding in result.findings
    )
    return replace(result, findings=findings)
