"""Findings on security that were made before the model ran, which nothing later removes.

What a model does while it runs must not decide what is said about its files: not by changing them,
and not by ending the process that reads them.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.facts import ProblemKind
from modelaudit.findings import Finding, Outcome, RuleResult, Severity
from modelaudit.formats.io.problems import limit_problem
from modelaudit.formats.io.work_allowance import WORK, is_of_work
from modelaudit.rules.catalogue import all_rules
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.integrity.files import DAMAGES
from modelaudit.rules.model import Facts, Family, Need
from modelaudit.rules.security.observed_actions import CHANGED
from modelaudit.structs import replace
from modelaudit.work_budget import Phase

_OF_A_RUN = frozenset((Need.OBSERVATION, Need.BEHAVIOUR, Need.DIAGNOSIS))
_OF_JUDGING = frozenset((Phase.PREDICTING, Phase.SECURITY, Phase.JUDGING))


def security_results(facts: Facts) -> tuple[RuleResult, ...]:
    """Outcomes of the rules on security, but of those that judge how the model ran."""
    family = (rule for rule in all_rules() if rule.family is Family.SECURITY)
    return run_rules([rule for rule in family if _OF_A_RUN.isdisjoint(rule.needs)], facts)


def severe(results: Sequence[RuleResult]) -> tuple[RuleResult, ...]:
    """The findings of high severity or above; others of a file that has changed are outdated."""
    return tuple(
        replace(result, findings=found)
        for result in results
        if (found := tuple(f for f in result.findings if f.severity.rank >= Severity.HIGH.rank))
    )


def reason_not_to_run(found: Sequence[RuleResult], facts: Facts) -> str:
    """Which of the findings on security keeps the model from being run; "" if none does.

    A model is not run either if there was too little work left to look for all of them.
    """
    unsafe = {rule.code for rule in all_rules() if rule.keeps_from_running}
    for finding in (finding for result in found for finding in result.findings):
        stops = finding.severity is Severity.CRITICAL or finding.code in unsafe
        if stops and not finding.waived_by:
            kind = finding.severity.value
            return f"a {kind} finding ({finding.code} {finding.name}) prevents running it"
    return security_not_judged(facts)


def security_not_judged(facts: Facts) -> str:
    """Why not every rule on security was judged on all of the model; "" if each was."""
    if facts.work is None or {Phase.READING, Phase.SECURITY}.isdisjoint(facts.work.cut):
        return ""
    return "judging its security took more work than a model of its size may take (setting work)"


def with_limit_told(results: Sequence[RuleResult], facts: Facts) -> tuple[RuleResult, ...]:
    """The results; if there was too little work left for some, the rule on limits says so too."""
    artifact = facts.artifact
    told = any(is_of_work(problem) for problem in artifact.problems)
    later = facts.work and not _OF_JUDGING.isdisjoint(facts.work.cut)
    if not facts.work or not facts.work.cut or (told and not later):
        return tuple(results)
    detail = "judging it took more work than a model of its size may take"
    problem = limit_problem(artifact.root.name, detail, WORK)
    facts = replace(facts, artifact=replace(artifact, problems=(*artifact.problems, problem)))
    of_limits = {each.code for each in DAMAGES if each.kind is ProblemKind.LIMIT_EXCEEDED}
    again = {rule.code: run_rule(rule, facts) for rule in all_rules() if rule.code in of_limits}
    return tuple(again.get(result.code, result) for result in results)


def changed_while_run_result(facts: Facts) -> tuple[RuleResult, ...]:
    """The finding on a model whose files changed while it ran."""
    return (run_rule(CHANGED, replace(facts, changed_while_run=True)),)


def with_kept(results: Sequence[RuleResult], kept: Sequence[RuleResult]) -> tuple[RuleResult, ...]:
    """The results, with the earlier findings that they lack."""
    return tuple(_merged(result, kept) for result in results) if kept else tuple(results)


def _merged(result: RuleResult, kept: Sequence[RuleResult]) -> RuleResult:
    known = {finding.fingerprint for finding in result.findings}
    lost: dict[str, Finding] = {}
    for each in kept:
        for finding in each.findings if each.code == result.code else ():
            if finding.fingerprint not in known:
                lost[finding.fingerprint] = finding
    if not lost:
        return result
    findings = (*result.findings, *lost.values())
    return RuleResult(result.code, result.name, Outcome.FAIL, findings=findings)
