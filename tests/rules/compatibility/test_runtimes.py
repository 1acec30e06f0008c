"""Predictions compared with observations."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Agreement, LoadOutcome, Status
from modelaudit.findings import Outcome
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.structs import replace

OTHERWISE = rule("MA223")
SEEN = Observation("here", "load_model", Status.LOADED, target="tf==2.21.0")
CALL = ("tf==2.16.1", "saved_model.load")


def loaded_against(*codes: str):
    """The rule's outcome if a model was predicted to fail for these reasons, and loaded."""
    reasons = tuple(
        Reason(
            code,
            LoadOutcome.FAILS,
            f"because of {code}",
            unless="tf-keras is installed" if code == "optimizer-slots" else "",
        )
        for code in codes
    )
    agreement = Agreement("here", "load_model", "dense", 0.0, 0.0, 0.0, 1e-5, 16)
    seen = Observation(
        "tf216", CALL[1], Status.LOADED, target=CALL[0], agreement=agreement, versions={}
    )
    facts = replace(
        examples.healthy(),
        observations=(SEEN,),
        elsewhere=(seen,),
        predictions=(Prediction(*CALL, LoadOutcome.FAILS, because=reasons),),
    )
    return run_rule(OTHERWISE, facts).outcome


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        (("save-function-protocol",), Outcome.FAIL),
        (("optimizer-slots", "save-function-protocol"), Outcome.FAIL),
        ((), Outcome.FAIL),
        # True only without tf-keras; the runtime's name does not show whether it is installed.
        (("optimizer-slots",), Outcome.PASS),
    ],
)
def test_only_predictions_for_every_installation_can_be_contradicted(codes, outcome):
    assert loaded_against(*codes) is outcome


@pytest.mark.parametrize(
    ("predicted", "changes", "outcome"),
    [
        (LoadOutcome.FAILS, {"uncompiled": "ValueError: lr"}, Outcome.PASS),  # MA213 names it
        (LoadOutcome.FAILS, {"uncallable": "wrong rank"}, Outcome.PASS),
        (LoadOutcome.FAILS, {}, Outcome.FAIL),
        (LoadOutcome.LOADS, {"error": "The type 'tfp' has not been registered"}, Outcome.PASS),
        (LoadOutcome.LOADS, {"error": "something else"}, Outcome.FAIL),
    ],
)
def test_what_other_rules_tell_is_no_contradiction(predicted, changes, outcome):
    seen = replace(SEEN, status=Status.FAILED if "error" in changes else Status.LOADED, **changes)
    prediction = Prediction(SEEN.target, SEEN.call, predicted, (Reason("a", predicted, "a"),))
    behaviour = replace(examples_behaviour.sound_behaviour().behaviour, runtime="here")
    facts = replace(
        examples.healthy(), observations=(seen,), predictions=(prediction,), behaviour=behaviour
    )
    assert run_rule(OTHERWISE, facts).outcome is outcome


def test_runtimes_that_were_not_requested_are_unanswered():
    """They were not compared because of the user, not the model."""
    result = run_rule(rule("MA224"), replace(examples.healthy(), observations=(SEEN,)))
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, False)
    assert "--runtime" in result.reason


def test_a_failed_call_is_undecided_unless_another_runtime_calls_the_model():
    failed = examples.observed(Status.LOADED)()
    seen = replace(failed.observations[0], uncallable="no row per sample")
    alone = run_rule(rule("MA212"), replace(failed, observations=(seen,)))
    assert alone.outcome is Outcome.NOT_APPLICABLE
    assert "no row per sample" in alone.reason
    nowhere = run_rule(rule("MA212"), examples.observed(Status.FAILED)())
    assert nowhere.outcome is Outcome.NOT_APPLICABLE
