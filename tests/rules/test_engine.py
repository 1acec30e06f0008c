"""Outcomes and verdicts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import (
    Document,
    Endpoint,
    Format,
    Signature,
)
from modelaudit.findings import Finding, Outcome, Severity, Verdict
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import (
    judge,
    missing_need,
    rules_digest,
    run_rule,
    run_rules,
)
from modelaudit.rules.model import Facts, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.security.graph.examples import harmless
from modelaudit.settings import Settings
from modelaudit.structs import replace

RULE = CATALOGUE[0]


def test_an_exception_in_a_check_is_an_outcome() -> None:
    def explode(rule: Rule, facts: Facts) -> Iterator[Finding]:
        raise RuntimeError("boom")

    result = run_rule(replace(RULE, check=explode), examples.healthy())
    assert result.outcome is Outcome.ERROR
    assert "RuntimeError: boom" in result.reason


def test_the_most_severe_of_too_many_findings_are_listed() -> None:
    def flood(rule: Rule, facts: Facts) -> Iterator[Finding]:
        for number in range(5000):
            yield rule.finding(str(number), severity=Severity.LOW)
        yield rule.finding("the last", severity=Severity.CRITICAL)

    found = run_rule(replace(RULE, check=flood), examples.healthy()).findings
    assert [each.detail for each in found[:2]] == ["the last", "0"]
    assert len(found) == 501
    assert found[-1].detail.startswith("4,501 more findings")
    assert found[-1].severity is Severity.LOW


def test_a_missing_need_gives_its_reason() -> None:
    result = run_rule(replace(RULE, needs=(Need.BEHAVIOUR,)), examples.healthy())
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert result.reason == "the model produced no output"


def test_the_probe_s_own_reason_is_given() -> None:
    facts = replace(examples.healthy(), probe_skipped="switched off")
    result = run_rule(replace(RULE, needs=(Need.OBSERVATION,)), facts)
    assert result.reason == "switched off"


def test_every_rule_has_an_outcome() -> None:
    for facts in (examples.healthy(), Facts(examples.model())):
        results = run_rules(CATALOGUE, facts)
        assert [result.code for result in results] == [rule.code for rule in CATALOGUE]
        assert all(r.findings if r.outcome is Outcome.FAIL else r.reason for r in results)


def test_digest_follows_the_declarations() -> None:
    changed = (replace(RULE, severity=Severity.INFO), *CATALOGUE[1:])
    assert rules_digest(CATALOGUE) == rules_digest(tuple(CATALOGUE))
    assert rules_digest(changed) != rules_digest(CATALOGUE)


def _raising(error: Exception):
    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        raise error

    return replace(RULE, check=check)


def test_a_rule_without_a_result_says_why() -> None:
    facts = examples.healthy()
    for error, moot in ((NotApplicable("too few"), False), (NotRelevant("too few"), True)):
        result = run_rule(_raising(error), facts)
        assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, "too few")
        assert result.moot is moot
    long = run_rule(_raising(ValueError("x" * 900)), facts)
    assert len(long.reason) == 500
    assert not long.moot


def test_a_model_that_was_not_audited_runs_no_rule() -> None:
    facts = replace(examples.healthy(), unseen="no permission")
    result = run_rule(_raising(ValueError()), facts)
    assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, "no permission")
    verdict, reason = judge([result], facts, Severity.HIGH)
    assert verdict is Verdict.INCOMPLETE
    assert reason.endswith(": no permission")


@pytest.mark.parametrize("need", [*Need])
def test_a_need_that_is_met_has_no_reason(need: Need) -> None:
    vector = Signature("serve", "", (Endpoint("x", "x:0", "float32", (None, 4)),), ())
    bare = Facts(replace(examples.model(tensors=()), signatures=(vector,)))
    assert bool(missing_need(need, bare)) is (need is not Need.ARTIFACT)
    seen = examples.observed(Status.LOADED)()
    full = replace(
        examples_behaviour.sound_behaviour(),
        observations=seen.observations,
        measurements=Measurements(),
        artifact=replace(
            examples.healthy().artifact,
            graphs=harmless().artifact.graphs,
            documents=(Document("config.json", "", {}),),
        ),
    )
    assert missing_need(need, full) == ""


def test_only_formats_without_graphs_make_a_graph_moot() -> None:
    for kind, moot in ((Format.KERAS_ARCHIVE, True), (Format.SAVEDMODEL_TF2, False)):
        facts = Facts(examples.model(examples.layer(), kind=kind))
        assert run_rule(replace(RULE, needs=(Need.GRAPH,)), facts).moot is moot
        assert not run_rule(replace(RULE, needs=(Need.BEHAVIOUR,)), facts).moot


def test_a_pass_names_the_threshold_that_was_set() -> None:
    chosen = rule("MA604")
    facts = chosen.good()
    assert run_rule(chosen, facts).reason == chosen.pass_title
    facts = replace(facts, settings=Settings(thresholds=(("MA604", 0.3),)))
    assert run_rule(chosen, facts).reason == f"{chosen.pass_title} (threshold set to 0.3)"


def test_the_first_rule_that_failed_to_run_is_named() -> None:
    facts = examples.healthy()
    broken = [
        run_rule(replace(_raising(ValueError(code)), code=code), facts) for code in ("A", "B")
    ]
    reason = judge(broken, facts, Severity.HIGH)[1]
    assert reason == "Rule A failed to run: the rule raised ValueError: A"


def test_a_digest_has_sixteen_digits_and_leaves_out_functions() -> None:
    assert len(rules_digest(CATALOGUE)) == 16
    other = replace(RULE, check=lambda *_: (), bad=examples.healthy, good=examples.healthy)
    assert rules_digest([other]) == rules_digest([RULE])


@pytest.mark.parametrize("collapsed", [True, False])
def test_a_pass_says_that_the_output_was_constant_on_made_up_inputs(collapsed: bool) -> None:
    facts = examples_behaviour.sound_behaviour()
    seen = facts.behaviour
    assert seen is not None
    state = replace(seen.outputs[0].collapse, collapsed=collapsed)
    outputs = (replace(seen.outputs[0], collapse=state),)
    inputs = replace(seen.inputs, kind="synthetic")
    facts = replace(facts, behaviour=replace(seen, outputs=outputs, inputs=inputs))
    result = run_rule(rule("MA602"), facts)
    assert result.outcome is (Outcome.NOT_APPLICABLE if collapsed else Outcome.PASS)
    verdict, reason = judge([result], facts, Severity.HIGH)
    assert verdict is Verdict.PASS
    assert ("nearly the same for all inputs" in reason) is collapsed
