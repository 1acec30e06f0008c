"""What was predicted against what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelaudit.audit_types.loading import Agreement, LoadOutcome, Status
from modelaudit.findings import Outcome
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.model import Prediction, Reason

OTHERWISE = rule("MA223")
SEEN = Observation("here", "load_model", Status.LOADED, target="tf==2.21.0")
CALL = ("tf==2.16.1", "saved_model.load")


def loaded_against(*codes: str):
    """How the rule ends where a model was to fail for these reasons, and loaded."""
    reasons = tuple(Reason(code, LoadOutcome.FAILS, f"because of {code}") for code in codes)
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
        # Holds only where tf-keras is not installed, and that it is the runtime's name hides.
        (("optimizer-slots",), Outcome.PASS),
    ],
)
def test_only_what_holds_in_every_installation_can_be_contradicted(codes, outcome):
    assert loaded_against(*codes) is outcome


def test_runtimes_that_nobody_asked_for_are_an_open_question():
    """It depends on the user, not on the model, that they were not compared."""
    result = run_rule(rule("MA224"), replace(examples.healthy(), observations=(SEEN,)))
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, False)
    assert "--runtime" in result.reason
