"""Rules whose work is spent: what was found stays, and what was not judged does not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.findings import Finding, Outcome, Severity, Verdict
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import WORK_SPENT, judge, run_rules
from modelaudit.rules.kept import with_limit_told
from modelaudit.rules.model import Facts, Family, NotApplicable, Rule
from modelaudit.structs import PerObject, replace
from modelaudit.work_budget import UNIT_SECONDS, Phase, current_budget, spend
from tests.work_clock import UNITS, Clock, facts_with

Check = Callable[[Rule, Facts], Iterator[Finding]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def facts(clock: Clock) -> Facts:
    return facts_with(clock)


def rule_of(family: Family, code: str, check: Check) -> Rule:
    base = next(each for each in CATALOGUE if each.family is family)
    return replace(base, code=code, check=check, needs=())


def nothing(_rule: Rule, _facts: Facts) -> Iterator[Finding]:
    yield from ()


def test_rules_on_security_and_integrity_run_first_and_results_keep_their_order(facts, clock):
    ran = []

    def noted(rule: Rule, _facts: Facts) -> Iterator[Finding]:
        ran.append(rule.code)
        yield from ()

    families = (Family.WEIGHTS, Family.INTEGRITY, Family.SYMMETRY, Family.SECURITY)
    rules = [rule_of(each, f"MA{n}", noted) for n, each in enumerate(families)]
    results = run_rules(rules, facts)
    assert ran == ["MA3", "MA1", "MA0", "MA2"]
    assert [each.code for each in results] == ["MA0", "MA1", "MA2", "MA3"]
    assert {each.outcome for each in results} == {Outcome.PASS}
    assert facts.work.cut == []
    assert current_budget() is None


def test_what_is_behind_the_end_is_not_determined_and_does_not_pass(facts, clock):
    def slow(_rule: Rule, _facts: Facts) -> Iterator[Finding]:
        clock.reach(Phase.JUDGING)
        yield from ()

    rules = [
        rule_of(Family.COMPATIBILITY, "MA0", nothing),
        rule_of(Family.WEIGHTS, "MA1", slow),
        rule_of(Family.SYMMETRY, "MA2", nothing),
        rule_of(Family.SECURITY, "MA3", nothing),
    ]
    results = run_rules(rules, facts)
    passed, cut = Outcome.PASS, Outcome.NOT_APPLICABLE
    assert [each.outcome for each in results] == [passed, cut, cut, passed]
    assert results[1].reason == results[2].reason == WORK_SPENT
    assert not results[2].moot
    verdict, reason = judge(results, facts, Severity.HIGH)
    assert verdict is Verdict.INCOMPLETE
    assert "(setting work)" in reason


def test_other_rules_have_work_left_when_security_took_its_own(facts, clock):
    def slow(_rule: Rule, _facts: Facts) -> Iterator[Finding]:
        clock.reach(Phase.SECURITY)
        spend()
        yield from ()

    rules = [rule_of(Family.WEIGHTS, "MA0", nothing), rule_of(Family.SECURITY, "MA1", slow)]
    results = run_rules(rules, facts)
    assert [each.outcome for each in results] == [Outcome.PASS, Outcome.NOT_APPLICABLE]
    assert judge(results, facts, Severity.HIGH)[0] is Verdict.INCOMPLETE


def test_findings_of_a_rule_that_runs_out_stay_and_it_says_so(facts, clock):
    def slow(rule: Rule, _facts: Facts) -> Iterator[Finding]:
        yield rule.finding("the first", severity=Severity.HIGH)
        yield rule.finding("the second", severity=Severity.LOW)
        clock.reach(Phase.SECURITY)
        spend()
        yield rule.finding("the third")

    (result,) = run_rules([rule_of(Family.SECURITY, "MA0", slow)], facts)
    assert result.outcome is Outcome.FAIL
    first, second, rest = result.findings
    assert (first.detail, second.detail) == ("the first", "the second")
    assert "(setting work)" in rest.detail
    assert rest.severity is Severity.LOW
    assert judge([result], facts, Severity.HIGH)[0] is Verdict.FAIL
    assert judge([result], facts, Severity.CRITICAL)[0] is Verdict.INCOMPLETE


def test_many_cheap_findings_count_as_work(facts, clock):
    def many(rule: Rule, _facts: Facts) -> Iterator[Finding]:
        for number in range(100):
            clock.now += 0.02 * UNITS * UNIT_SECONDS
            yield rule.finding(str(number))

    (result,) = run_rules([rule_of(Family.SECURITY, "MA0", many)], facts)
    assert 30 < len(result.findings) < 60
    assert "(setting work)" in result.findings[-1].detail


def swallowed(how: type[Exception] | None) -> Check:
    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        clock = facts.work._clock
        clock.reach(Phase.SECURITY)
        try:
            spend()
        except LimitExceeded:
            if how is not None:
                raise how("less was looked at") from None
        yield from ()

    return check


@pytest.mark.parametrize("how", [None, NotApplicable, ValueError])
def test_a_rule_that_goes_on_with_less_does_not_pass(facts, how):
    (result,) = run_rules([rule_of(Family.SECURITY, "MA0", swallowed(how))], facts)
    assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, WORK_SPENT)


def test_a_shared_result_that_was_cut_short_is_not_kept(facts, clock):
    made = []
    shared = PerObject(lambda artifact: made.append(artifact) or len(made))
    with facts.work.during(Phase.SECURITY):
        clock.reach(Phase.SECURITY)
        with pytest.raises(WorkSpent):
            shared(facts.artifact)
    with facts.work.during(Phase.JUDGING):
        assert shared(facts.artifact) == 1


def test_the_rule_on_limits_says_so(facts, clock):
    def slow(_rule: Rule, _facts: Facts) -> Iterator[Finding]:
        clock.reach(Phase.JUDGING)
        yield from ()

    (late,) = (each for each in CATALOGUE if each.code == "MA410")
    late = replace(late, check=slow, needs=())
    rules = [late if each.code == late.code else each for each in CATALOGUE]
    results = run_rules(rules, facts)
    before = {each.code: each.outcome for each in results}
    after = with_limit_told(results, facts)
    changed = [each for each in after if before[each.code] is not each.outcome]
    assert [each.code for each in changed] == ["MA118"]
    assert "(setting work)" in changed[0].findings[0].detail
