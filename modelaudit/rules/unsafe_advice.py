"""Withholds advice that would help to load a file while a critical security finding is open."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.findings import Finding, RuleResult, Severity
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Family, Rule
from modelaudit.structs import replace

WITHHELD = (
    "Withheld because a critical security finding is open for this file: nothing should help to "
    "load it. Resolve that finding first."
)


def withhold_unsafe_fixes(
    results: Sequence[RuleResult], rules: Sequence[Rule]
) -> tuple[RuleResult, ...]:
    """Results in which no fix helps to load a dangerous file.

    Advice of rules from elsewhere, such as plug-ins, is held as well, but for security: it may not
    say that it is about loading the file.

    Args:
        results: of one model, after waivers.
        rules: the rules that were run.
    """
    if loading_danger(results, rules) is None:
        return tuple(results)
    trusted = {each.code for each in CATALOGUE}
    trusted |= {each.code for each in rules if each.family is Family.SECURITY}
    return tuple(_held(result, known=result.code in trusted) for result in results)


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


def _held(result: RuleResult, *, known: bool) -> RuleResult:
    findings = tuple(
        replace(finding, fix=WITHHELD, repair="", loads=False)
        if finding.loads or not known
        else finding
        for finding in result.findings
    )
    return replace(result, findings=findings)
