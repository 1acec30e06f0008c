"""Outcomes and verdicts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import (
    Document,
    Endpoint,
    Format,
    Problem,
    ProblemKind,
    Signature,
    TensorStats,
)
from modelaudit.findings import Finding, Outcome, RuleResult, Severity, Verdict
from modelaudit.measures.summary import Measurements
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import (
    UNFINISHED,
    judge,
    missing_need,
    partial_audit_reason,
    rules_digest,
    run_rule,
    run_rules,
)
from modelaudit.rules.model import Facts, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.security.graph.examples import harmless
from modelaudit.settings import Settings
from modelaudit.structs import replace

RULE = CATALOGUE[0]


def _verdict(facts: Facts, fail_on: Severity = Severity.HIGH) -> Verdict:
    return judge(run_rules(CATALOGUE, facts), facts, fail_on)[0]


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
    assert len(found) == 2001
    assert found[-1].detail.startswith("3,001 more findings")
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


def test_findings_at_the_threshold_fail() -> None:
    facts = examples.with_problem(ProblemKind.TRUNCATED)()
    assert _verdict(facts) is Verdict.FAIL
    assert _verdict(facts, Severity.CRITICAL) is Verdict.WARN


def test_an_unchecked_rule_makes_the_verdict_incomplete() -> None:
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
def test_a_reason_counts_findings_of_equal_severity_only(severities, said) -> None:
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


def test_a_verdict_needs_no_more_than_low_to_warn() -> None:
    finding = RULE.finding("file: cut off")
    for severity, expected in (
        (Severity.INFO, Verdict.PASS),
        (Severity.LOW, Verdict.WARN),
        (Severity.MEDIUM, Verdict.FAIL),
    ):
        findings = (replace(finding, severity=severity),)
        result = replace(run_rule(RULE, examples.healthy()), findings=findings)
        assert judge([result], examples.healthy(), Severity.MEDIUM)[0] is expected


def test_the_worst_finding_gives_the_reason() -> None:
    findings = tuple(
        replace(RULE.finding(f"it is {severity}"), severity=severity)
        for severity in (Severity.LOW, Severity.HIGH, Severity.MEDIUM)
    )
    result = replace(run_rule(RULE, examples.healthy()), findings=findings)
    assert judge([result], examples.healthy(), Severity.CRITICAL)[1] == "it is high"
    waived = tuple(replace(each, waived_by="known") for each in findings)
    verdict, reason = judge([replace(result, findings=waived)], examples.healthy(), Severity.LOW)
    assert verdict is Verdict.PASS
    assert f"Waived: {RULE.code}, high (known), and 2 more." in reason
    one = replace(result, findings=waived[:1])
    assert judge([one], examples.healthy(), Severity.LOW)[1].endswith("low (known).")


def test_a_waived_finding_hides_no_other() -> None:
    high, low = (
        replace(RULE.finding(f"it is {severity}"), severity=severity)
        for severity in (Severity.HIGH, Severity.LOW)
    )
    result = run_rule(RULE, examples.healthy())
    result = replace(result, findings=(replace(high, waived_by="known"), low))
    verdict = judge([result], examples.healthy(), Severity.HIGH)
    assert verdict == (Verdict.WARN, "it is low")


@pytest.mark.parametrize("end", [".", "…", "!", "?"])
def test_a_reason_ends_once(end: str) -> None:
    findings = (replace(RULE.finding(f"cut off{end}"), severity=Severity.HIGH),) * 2
    result = replace(run_rule(RULE, examples.healthy()), findings=findings)
    reason = judge([result], examples.healthy(), Severity.HIGH)[1]
    assert reason == f"cut off{end} (1 more finding of the same severity.)"


def test_names_are_shortened_from_73_characters() -> None:
    for length, shown in ((72, "n" * 72), (73, "n" * 40 + "…" + "n" * 20)):
        finding = RULE.finding(f"Output {'n' * length} never changes.")
        result = replace(run_rule(RULE, examples.healthy()), findings=(finding,))
        reason = judge([result], examples.healthy(), Severity.CRITICAL)[1]
        assert reason == f"Output {shown} never changes."


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


def test_the_last_line_of_an_error_is_the_reason() -> None:
    facts = examples.observed(Status.CRASHED, error="Traceback\n  a frame\nValueError: bad")()
    assert partial_audit_reason(facts).endswith(" (ValueError: bad)")
    facts = examples.observed(Status.CRASHED)()
    assert not partial_audit_reason(facts).endswith(")")


@pytest.mark.parametrize("status", [*Status])
def test_which_endings_leave_a_model_partially_audited(status: Status) -> None:
    facts = examples.observed(status)()
    assert bool(partial_audit_reason(facts)) is (status in UNFINISHED)
    elsewhere = Observation("other", "load_model", status, error="not installed")
    reason = partial_audit_reason(replace(examples.healthy(), elsewhere=(elsewhere,)))
    assert bool(reason) is (status is Status.UNAVAILABLE)


@pytest.mark.parametrize("kind", [*ProblemKind])
def test_which_problems_leave_a_model_partially_audited(kind: ProblemKind) -> None:
    unread = {ProblemKind.UNREADABLE, ProblemKind.UNSUPPORTED, ProblemKind.LIMIT_EXCEEDED}
    reason = partial_audit_reason(examples.with_problem(kind)())
    assert reason == ("example.keras: what the reader saw" if kind in unread else "")


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


@pytest.mark.parametrize(("file", "named"), [("part.bin", "part.bin"), ("", "example.keras")])
def test_the_file_that_was_not_read_is_named(file: str, named: str) -> None:
    problem = Problem(ProblemKind.UNREADABLE, file, "no permission")
    facts = Facts(examples.model(problems=(problem,)))
    assert partial_audit_reason(facts) == f"{named}: no permission"


@pytest.mark.parametrize("form", [Format.WEIGHTS_H5_V3, Format.TF2_CHECKPOINT])
def test_weights_without_an_architecture_are_never_a_pass(form: Format) -> None:
    """Nothing shows whether they are complete; a finding that fails the model still does."""
    weights = (examples.tensor("dense/kernel"), examples.tensor("dense/bias", (2,)))
    bare = Facts(examples.model(tensors=weights, kind=form))
    assert "no architecture" in partial_audit_reason(bare)
    assert _verdict(bare) is Verdict.INCOMPLETE
    bound = Facts(examples.model(examples.layer(), tensors=weights, kind=form))
    assert partial_audit_reason(bound) == ""
    broken = replace(weights[0], stats=TensorStats(0.0, 1.0, 0.5, 0.5, 0, 3))
    failing = replace(bare, artifact=replace(bare.artifact, tensors=(broken,)))
    assert _verdict(failing) is Verdict.FAIL


def test_a_model_that_was_loaded_but_not_run_does_not_pass() -> None:
    """A graph that feeds itself with constants has no inputs that could be varied."""
    loaded = examples.observed(Status.LOADED)()
    unrun = replace(loaded, probe_skipped="the restored model has no inputs")
    assert _verdict(unrun) is Verdict.INCOMPLETE
    assert "not run: the restored model has no inputs" in partial_audit_reason(unrun)
    run = replace(unrun, behaviour=examples_behaviour.sound_behaviour().behaviour)
    assert _verdict(run) is not Verdict.INCOMPLETE
    unasked = replace(examples.healthy(), probe_skipped="running models is disabled (--no-probe)")
    assert _verdict(unasked) is not Verdict.INCOMPLETE


def test_what_keeps_a_model_from_loading_heads_findings_of_its_severity() -> None:
    found = [
        RuleResult(code, "", Outcome.FAIL, findings=(rule(code).finding(code),))
        for code in ("MA115", "MA715")
    ]
    unrun = examples.observed(Status.FAILED)()
    assert judge(found, unrun, Severity.HIGH) == (Verdict.WARN, "MA715")
    assert judge(found, examples.healthy(), Severity.HIGH) == (Verdict.WARN, "MA115")


def test_a_graph_that_was_not_audited_does_not_pass() -> None:
    """A SavedModel's graph under another name: its suffix is all that was judged."""
    damaged = replace(
        examples.with_problem(ProblemKind.SUFFIX_MISMATCH)().artifact,
        format=Format.CORRUPT_SAVEDMODEL,
        complete=False,
    )
    assert _verdict(Facts(damaged)) is Verdict.INCOMPLETE
    assert _verdict(examples.with_problem(ProblemKind.SUFFIX_MISMATCH)()) is Verdict.WARN
