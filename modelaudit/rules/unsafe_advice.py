"""Withholds advice that would help to load a file while a critical security finding is open."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.findings import Finding, RuleResult, Severity
from modelaudit.rules.model import Family, Rule
from modelaudit.structs import replace

WITHHELD = (
    "Withheld because a critical security finding is open for this file: nothing should help to "
    "load it. Resolve that finding first."
)
UNSAFE = ("safe_mode=False", "load_model(", "model_from_json(")


def withhold_unsafe_fixes(
    results: Sequence[RuleResult], rules: Sequence[Rule]
) -> tuple[RuleResult, ...]:
    """Results in which no fix helps to load a dangerous file.

    Args:
        results: of one model, after waivers.
        rules: the rules that were run.
    """
    if loading_danger(results, rules) is None:
        return tuple(results)
    families = {rule.code: rule.family for rule in rules}
    return tuple(_held(result, families.get(result.code)) for result in results)


def loading_danger(results: Sequence[RuleResult], rules: Sequence[Rule]) -> Finding | None:
    """The first open finding because of which the file must not be loaded, if there is one."""
    found = [
        (result.code, finding)
        for result in results
        for finding in result.findings
        if finding.severity is Severity.CRITICAL and not finding.waived_by
    ]
    security = {rule.code for rule in rules if rule.family is Family.SECURITY} if found else ()
    return next((finding for code, finding in found if code in security), None)


def _held(result: RuleResult, family: Family | None) -> RuleResult:
    findings = tuple(
        replace(finding, fix=WITHHELD)
        if family is Family.COMPATIBILITY or any(each in finding.fix for each in UNSAFE)
        else finding
        for finding in result.findings
    )
    return replace(result, findings=findings)
