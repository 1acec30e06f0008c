"""Training data, architecture and restoration: which is ruled out, and by what."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Collapse
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.suspects import CLEARED, OPEN
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.proof import RestoreProof
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    behaviour,
    check,
    diagnosed,
    facts,
    fit,
    mirror,
    output,
    silent,
)


def test_orientation_mismatch_clears_the_training_data_and_is_the_only_cause():
    turned = output(
        collapse=Collapse(False, 1.0, 10, 3, 0.4, 0.3),
        orientation={"e": 1.0, "H": 3.0},
        transforms=(mirror(0.47, 0.3),),
    )
    found = diagnosed(behaviour(turned, batchnorm=(fit(0.5),)))
    assert [cause.cause for cause in found.causes] == ["orientation-mismatch"]
    assert {each.cause for each in found.consequences} == {
        "wrong-weights-upstream",
        "orientation-sensitive-data",
    }
    training, filters, _ = found.suspects
    assert training.state == filters.state == CLEARED
    assert "differ in orientation" in training.text


@pytest.mark.parametrize(
    ("comparison", "state", "words"),
    [
        (WeightComparison(6, 6), CLEARED, "in the model that was loaded here, byte for byte;"),
        (
            WeightComparison(6, 5, missing=("head/bias",)),
            OPEN,
            "1 weight differs, first head/bias.",
        ),
        (
            WeightComparison(
                6, 5, differing=(TensorDifference("a", "a", TensorChange.ALTERED, "transposed"),)
            ),
            OPEN,
            "1 weight differs, first a.",
        ),
    ],
)
def test_the_restore_proof_rules_the_restoration_out_or_keeps_it(comparison, state, words):
    proof = RestoreProof("here", "load_model", comparison)
    _, _, restoration = diagnose(replace(facts(), restore=proof), ()).suspects
    assert restoration.state == state
    assert words in restoration.text


def test_suspects_of_a_model_that_was_not_run():
    found = replace(facts(), behaviour=None, probe_skipped="running was switched off")
    diagnosis = diagnose(found, ())
    check(diagnosis)
    assert "running was switched off" in diagnosis.suspects[0].text
    assert "running was switched off" in diagnosis.answer


def unsure():
    """Less than half of the possible information, in every orientation."""
    said = Collapse(False, 1.4, 10, 1, 0.3, 0.3)
    return output(collapse=said, orientation={"e": 1.4, "H": 1.4})


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (behaviour(), CLEARED),
        (behaviour(user=False), OPEN),  # synthetic inputs cannot show swapped weights
        (behaviour(silent()), OPEN),
        (behaviour(unsure()), OPEN),
        (behaviour(unsure(), batchnorm=(fit(),)), CLEARED),
    ],
)
def test_the_restoration_is_ruled_out_only_if_the_model_is_accurate(seen, state):
    suspect = diagnosed(seen).suspects[-1]
    assert suspect.state == state
    assert ("Only inputs that the model recognises" in suspect.text) == (state == OPEN)


def test_the_restoration_of_a_model_that_was_not_loaded_is_open():
    found = replace(facts(), behaviour=None, restore=None, probe_skipped="it holds code")
    _, _, restoration = diagnose(found, ()).suspects
    assert restoration.state == OPEN
    assert "were not compared (it holds code)" in restoration.text
