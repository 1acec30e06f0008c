"""The verdict on a model, and the sentence that gives its reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import (
    Format,
    Problem,
    ProblemKind,
    TensorStats,
)
from modelaudit.findings import Finding, Outcome, RuleResult, Severity, Verdict
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import (
    UNFINISHED,
    judge,
    partial_audit_reason,
    run_rule,
    run_rules,
)
from modelaudit.rules.model import Facts, Rule
from modelaudit.structs import replace

RULE = CATALOGUE[0]


def _verdict(facts: Facts, fail_on: Severity = Severity.HIGH) -> Verdict:
    return judge(run_rules(CATALOGUE, facts), facts, fail_on)[0]


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


def test_a_missing_sandbox_that_was_required_is_incomplete() -> None:
    facts = examples.observed(Status.REFUSED, error="sandbox layers are missing here")()
    bare = replace(facts.observations[0], sandbox={"landlock": "not in this kernel"})
    whole = replace(facts.observations[0], sandbox={"landlock": True})
    assert _verdict(replace(facts, observations=(bare,))) is Verdict.INCOMPLETE
    assert _verdict(replace(facts, observations=(whole,))) is not Verdict.INCOMPLETE


@pytest.mark.parametrize("form", [Format.TFJS_LAYERS, Format.TFJS_GRAPH])
@pytest.mark.parametrize("also", [Status.REFUSED, Status.LOADED])
def test_a_model_that_what_stands_in_for_its_runtime_does_not_take_is_not_sound(form, also) -> None:
    facts = examples.observed(Status.REFUSED, error="TensorFlow.js was not tried")()
    refused = replace(facts.observations[0], sandbox={"landlock": True})
    both = (refused, replace(refused, status=also, error=""))
    facts = replace(facts, artifact=replace(facts.artifact, format=form), observations=both)
    told = "TensorFlow.js was not tried" in partial_audit_reason(facts)
    assert told is (also is Status.REFUSED)


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
