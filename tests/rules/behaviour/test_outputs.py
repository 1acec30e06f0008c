"""MA608: declared properties of an output compared with the measured ones."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import TransformEffect
from modelaudit.diagnosis import diagnose
from modelaudit.findings import Outcome
from modelaudit.restore.golden_check import GoldenCheck, OutputReplay, with_tolerance
from modelaudit.rules import examples_behaviour
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.settings import Expectation, Settings
from modelaudit.structs import replace
from modelaudit.thresholds.flips import SENSITIVE


def seen(action, nfv, transform="H", **left):
    effect = TransformEffect(transform, 128, nfv=nfv, action=action, detail=left)
    return examples_behaviour.with_behaviour(
        replace(examples_behaviour.HEALTHY, name="out", transforms=(effect,))
    )


def judged(facts, declared, transform="H", **settings):
    expectation = Expectation(declared, transform=transform)
    facts = replace(facts, settings=Settings(expectations=(expectation,), **settings))
    return run_rule(rule("MA608"), facts)


LIMIT = f"(limit {SENSITIVE.value:g})"
FAR = "times as much as from one input to another"
TURNED = {"nfv_invariant": 2.0, "nfv_odd": 0.01}


@pytest.mark.parametrize(
    ("declared", "facts", "what", "but"),
    [
        (
            "invariant",
            seen("invariant", 0.489, nfv_invariant=0.489),
            "stay the same",
            f"it changes 0.49 {FAR} {LIMIT}",
        ),
        (
            "invariant",
            seen("odd", 0.01, **TURNED),
            "stay the same",
            f"it changes 2 {FAR} {LIMIT}; instead it changes sign",
        ),
        (
            "odd",
            seen("invariant", 0.02, nfv_invariant=0.02),
            "change sign",
            f"it does not, and changes 0.02 {FAR}; instead it stays the same",
        ),
        (
            "odd",
            seen("invariant", 0.9, nfv_invariant=0.9, nfv_odd=0.7),
            "change sign",
            f"after undoing this it still changes 0.7 {FAR} {LIMIT}",
        ),
        (
            "swap",
            seen("invariant", 0.6, nfv_invariant=0.6),
            "swap classes",
            f"it does not, and changes 0.6 {FAR}",
        ),
        (
            "equivariant",
            seen("spatial", 0.3, nfv_invariant=0.9, nfv_spatial=0.3),
            "transform with the input",
            f"after undoing this it still changes 0.3 {FAR} {LIMIT}",
        ),
    ],
)
def test_a_violated_expectation_shows_declared_and_measured_values(declared, facts, what, but):
    (finding,) = judged(facts, declared).findings
    told = f"Output `out` is declared to {what} when the input is mirrored left-right; {but}."
    assert finding.detail == told
    assert finding.evidence["threshold"] == SENSITIVE.value


@pytest.mark.parametrize(
    ("declared", "facts"),
    [
        ("invariant", seen("invariant", 0.1, nfv_invariant=0.1)),
        ("odd", seen("odd", 0.1, nfv_invariant=2.0, nfv_odd=0.1)),
        ("swap", seen("swap", 0.1, nfv_invariant=1.0, nfv_swap=0.1)),
        ("equivariant", seen("spatial", 0.1, nfv_invariant=1.0, nfv_spatial=0.1)),
    ],
)
def test_outputs_that_follow_as_declared_pass(declared, facts):
    assert judged(facts, declared).outcome is Outcome.PASS


def test_the_transform_is_named_in_words_whichever_it_is():
    (finding,) = judged(seen("invariant", 0.5, "x1", nfv_invariant=0.5), "invariant", "x1").findings
    assert "when the input is mirrored along height;" in finding.detail


def test_an_output_of_unknown_variation_is_not_checked():
    assert judged(seen("invariant", None), "invariant").outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("code", "name", "facts", "measured"),
    [
        ("MA604", "flip-sensitive-output", examples_behaviour.flip_sensitive(), 0.47),
        ("MA606", "dead-layer", examples_behaviour.with_behaviour(dead_share=0.8), 0.8),
        ("MA608", "declared-expectation-broken", examples_behaviour.flip_sensitive(), 0.47),
    ],
)
def test_a_threshold_of_the_settings_is_the_one_in_force(code, name, facts, measured):
    for word in (code, name):
        for share, outcome in ((0.9, Outcome.FAIL), (1.1, Outcome.PASS)):
            limit = measured * share
            settings = Settings(
                thresholds=((word, limit), (code, 0.1)), expectations=(Expectation("invariant"),)
            )
            effects = tuple(
                replace(each, detail={"nfv_invariant": each.nfv})
                for each in facts.behaviour.outputs[0].transforms
            )
            output = replace(facts.behaviour.outputs[0], transforms=effects)
            behaviour = replace(facts.behaviour, outputs=(output,))
            result = run_rule(rule(code), replace(facts, settings=settings, behaviour=behaviour))
            assert result.outcome is outcome
            if outcome is Outcome.FAIL:
                assert result.findings[0].evidence["threshold"] == limit
            else:
                assert result.reason.endswith(f"(threshold set to {limit:g})")


def test_the_diagnosis_mentions_a_threshold_from_the_settings():
    def told(limit):
        facts = examples_behaviour.flip_sensitive()
        if limit:
            facts = replace(facts, settings=Settings(thresholds=(("MA604", limit),)))
        causes = diagnose(facts, run_rules(CATALOGUE, facts)).causes
        return [each.text for each in causes[0].evidence if "settings" in each.text]

    assert told(None) == []
    assert told(0.6) == ["The settings set the threshold to 0.6 (MA604), so this is not a finding."]
    assert told(0.3) == [
        "The settings set the threshold to 0.3 (MA604), so this is a finding anyway."
    ]


def test_a_golden_record_is_reproduced_up_to_the_share_that_is_allowed():
    def reproduced(difference, relative, share):
        golden = GoldenCheck("g", outputs=(OutputReplay("o", difference, 1e-5, relative),))
        return with_tolerance(golden, share).outputs[0].reproduced

    inf = float("inf")
    assert reproduced(0.4, 0.01, 0.011)  # an output of up to 40
    assert not reproduced(0.4, 0.01, 0.009)
    assert reproduced(0.0, 0.0, 0.0)
    assert not reproduced(1e-9, 1e-10, 0.0)
    assert not reproduced(inf, inf, 1.0)


def test_missing_user_input_is_unanswered_and_not_not_applicable():
    plain = run_rule(rule("MA608"), replace(seen("invariant", 0.1), settings=Settings()))
    assert (plain.outcome, plain.moot) == (Outcome.NOT_APPLICABLE, False)
    assert "[[expect]]" in plain.reason
