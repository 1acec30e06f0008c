"""Outcomes and verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Problem, ProblemKind
from modelaudit.findings import Finding, Outcome, Severity, Verdict
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import judge, rules_digest, run_rule, run_rules
from modelaudit.rules.model import Facts, Need, Rule

RULE = CATALOGUE[0]


def _verdict(facts: Facts, fail_on: Severity = Severity.HIGH) -> Verdict:
    return judge(run_rules(CATALOGUE, facts), facts, fail_on)[0]


def test_an_exception_in_a_check_is_an_outcome() -> None:
    def explode(rule: Rule, facts: Facts) -> Iterator[Finding]:
        raise RuntimeError("boom")

    result = run_rule(replace(RULE, check=explode), examples.healthy())
    assert result.outcome is Outcome.ERROR
    assert "RuntimeError: boom" in result.reason


def test_a_missing_need_gives_its_reason() -> None:
    result = run_rule(replace(RULE, needs=(Need.BEHAVIOUR,)), examples.healthy())
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert result.reason == "the model produced no output"


def test_the_probe_s_own_reason_is_given() -> None:
    facts = replace(examples.healthy(), probe_skipped="switched off")
    result = run_rule(replace(RULE, needs=(Need.OBSERVATION,)), facts)
    assert result.reason == "switched off"


def test_every_rule_ends_somehow() -> None:
    for facts in (examples.healthy(), Facts(examples.model())):
        results = run_rules(CATALOGUE, facts)
        assert [result.code for result in results] == [rule.code for rule in CATALOGUE]
        assert all(r.findings if r.outcome is Outcome.FAIL else r.reason for r in results)


def test_findings_at_the_threshold_fail() -> None:
    facts = examples.with_problem(ProblemKind.TRUNCATED)()
    assert _verdict(facts) is Verdict.FAIL
    assert _verdict(facts, Severity.CRITICAL) is Verdict.WARN


def test_what_could_not_be_looked_at_is_incomplete() -> None:
    assert _verdict(examples.with_problem(ProblemKind.UNREADABLE)()) is Verdict.INCOMPLETE
    for status in (Status.CRASHED, Status.TIMEOUT, Status.MEMORY):
        assert _verdict(examples.observed(status)()) is Verdict.INCOMPLETE


def test_findings_outrank_incompleteness() -> None:
    problems = (
        Problem(ProblemKind.UNREADABLE, "a", "no permission"),
        Problem(ProblemKind.TRUNCATED, "b", "cut"),
    )
    facts = Facts(examples.model(examples.layer(), problems=problems))
    assert _verdict(facts) is Verdict.FAIL


def test_an_error_in_a_rule_is_never_a_pass() -> None:
    def explode(rule: Rule, facts: Facts) -> Iterator[Finding]:
        raise RuntimeError("boom")

    facts = examples.healthy()
    broken = run_rule(replace(RULE, check=explode), facts)
    assert judge([broken], facts, Severity.HIGH)[0] is Verdict.INCOMPLETE


def test_info_does_not_warn() -> None:
    assert _verdict(examples.healthy()) is Verdict.PASS


def test_waived_findings_do_not_count() -> None:
    facts = examples.with_problem(ProblemKind.TRUNCATED)()
    results = [
        replace(result, findings=tuple(replace(f, waived_by="known") for f in result.findings))
        for result in run_rules(CATALOGUE, facts)
    ]
    verdict, reason = judge(results, facts, Severity.HIGH)
    assert verdict is Verdict.PASS
    waived = [finding for result in results for finding in result.findings]
    assert any(f"{f.code}, {f.severity.value} (known)" in reason for f in waived)
    assert (f"and {len(waived) - 1} more" in reason) is (len(waived) > 1)


@pytest.mark.parametrize(
    ("severities", "said"),
    [
        ([Severity.HIGH], ""),
        ([Severity.HIGH, Severity.LOW], ""),
        ([Severity.HIGH] * 2, ". (1 more finding of the same severity.)"),
        ([Severity.HIGH, Severity.CRITICAL], ". (1 more finding also fails the model.)"),
        ([Severity.CRITICAL, *[Severity.HIGH] * 2], ". (2 more findings also fail the model.)"),
    ],
)
def test_a_reason_calls_findings_as_serious_only_where_they_are(severities, said) -> None:
    finding = RULE.finding("file: cut off")
    findings = tuple(replace(finding, severity=each) for each in severities)
    result = replace(run_rule(RULE, examples.healthy()), findings=findings)
    reason = judge([result], examples.healthy(), Severity.HIGH)[1]
    assert reason == f"file: cut off{said}"


def test_an_overlong_name_does_not_hide_the_point_of_a_reason() -> None:
    digest, name = "f" * 64, "block_" * 40
    finding = RULE.finding(f"Output {name} of {digest} never changes.")
    result = replace(run_rule(RULE, examples.healthy()), findings=(finding,))
    reason = judge([result], examples.healthy(), Severity.CRITICAL)[1]
    assert len(reason) < 160
    assert reason.startswith("Output block_block_")
    assert reason.endswith(f"block_ of {digest} never changes.")


def test_digest_follows_the_declarations() -> None:
    changed = (replace(RULE, severity=Severity.INFO), *CATALOGUE[1:])
    assert rules_digest(CATALOGUE) == rules_digest(tuple(CATALOGUE))
    assert rules_digest(changed) != rules_digest(CATALOGUE)


def test_a_missing_sandbox_that_was_required_is_incomplete() -> None:
    facts = examples.observed(Status.REFUSED, error="sandbox layers are missing here")()
    bare = replace(facts.observations[0], sandbox={"landlock": "not in this kernel"})
    whole = replace(facts.observations[0], sandbox={"landlock": True})
    assert _verdict(replace(facts, observations=(bare,))) is Verdict.INCOMPLETE
    assert _verdict(replace(facts, observations=(whole,))) is not Verdict.INCOMPLETE
