"""Training data, architecture and restoration: which is ruled out, and by what."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Collapse
from modelaudit.audit_types.kernels import KernelSymmetry
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.suspects import CLEARED, GUILTY, OPEN
from modelaudit.findings import Outcome, RuleResult
from modelaudit.measures.summary import Measurements
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.structs import replace
from modelaudit.thresholds.training import SHORT_REACH
from tests.diagnosis.cases import (
    behaviour,
    check,
    diagnosed,
    facts,
    fit,
    labelled,
    measurements,
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


SENSITIVE = {"transforms": (mirror(0.5, 0.2), replace(mirror(0.5), name="V"))}


@pytest.mark.parametrize(
    ("seen", "cause", "training", "words"),
    [
        (output(**SENSITIVE), "orientation-sensitive-data", GUILTY, "a single orientation"),
        (
            output(**SENSITIVE, floor={"H": 0.4}),
            "orientation-sensitive-architecture",
            OPEN,
            "The training images may contribute.",
        ),
        (output(), "learned-invariance", CLEARED, "The model handles the flip."),
        (
            output(transforms=(mirror(0.1, None, action="odd"),)),
            "output-follows-flip",
            CLEARED,
            "The model handles the flip.",
        ),
        (
            output(transforms=(mirror(1e-12),)),
            "invariant-by-construction",
            CLEARED,
            "does not depend",
        ),
        (output(transforms=()), "healthy", OPEN, "No flip of the input or output can be judged."),
    ],
)
def test_what_the_training_data_have_to_do_with_the_flip(seen, cause, training, words):
    found = diagnosed(behaviour(seen))
    assert found.causes[0].cause == cause
    assert found.suspects[0].state == training
    assert words in found.suspects[0].text


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ((), "No filter has two sides to compare."),
        ((0.2,), "The symmetry score of the one spatial kernel is 0.20"),
        ((0.2, 0.4), "The symmetry score of 2 spatial kernels averages 0.30"),
        ((0.2, 1.0), "1 of 2 spatial kernels are mirror-symmetric."),
    ],
)
def test_the_symmetry_of_the_filters_is_told_with_their_number(scores, text):
    known = tuple(KernelSymmetry("conv", "conv", (3, 3, 1, 8), 8, score={"H": s}) for s in scores)
    found = diagnosed(behaviour(output(**SENSITIVE)), measurements(symmetry=known))
    assert text in found.suspects[1].text


@pytest.mark.parametrize(
    ("batchnorm", "user", "told"),
    [
        ((fit(),), True, True),
        ((fit(0.9),), True, False),
        ((fit(),), False, False),
        ((), True, False),
    ],
)
def test_statistics_that_match_their_input_are_told(batchnorm, user, told):
    restoration = diagnosed(behaviour(batchnorm=batchnorm, user=user)).suspects[2]
    assert ("match these statistics" in restoration.text) is told


@pytest.mark.parametrize(("compared", "state"), [(True, CLEARED), (False, OPEN)])
def test_without_a_testable_kernel_only_the_comparison_clears_the_restoration(compared, state):
    proof = RestoreProof("here", "load_model", WeightComparison(6, 6)) if compared else None
    found = replace(facts(measured=Measurements()), restore=proof)
    assert diagnose(found, ()).suspects[2].state == state


def test_labels_that_are_recognised_show_that_the_weights_are_in_place():
    """Of a weak network: information is low, but chance does not explain the right answers."""
    weak = output(
        collapse=Collapse(False, 1.2, 10, 1, 0.3, 0.3), accuracy={"e": 0.5, "H": 0.5}, chance_p=1e-6
    )
    seen = labelled(behaviour(weak))
    restoration = diagnosed(seen).suspects[2]
    assert restoration.state == CLEARED
    assert "Only inputs that the model recognises" not in restoration.text
    unknown = labelled(behaviour(replace(weak, accuracy={"e": 0.2}, chance_p=0.5)))
    assert diagnosed(unknown).suspects[2].state == OPEN


@pytest.mark.parametrize("several", [True, False])
def test_of_several_outputs_the_one_that_handles_the_flip_is_named(several):
    other = output(name="box", kind="regression", transforms=(mirror(0.9, None),))
    found = diagnosed(behaviour(output(), *([other] if several else [])))
    training = found.suspects[0].text
    assert training.startswith("Output 'digit' handles" if several else "The model handles")


@pytest.mark.parametrize("few", [True, False])
def test_layers_that_hardly_moved_are_said_to_have_moved_little(few):
    """What MA432 says of a model must not contradict that its layers have moved."""
    rule = next(rule for rule in CATALOGUE if rule.code == "MA432")
    unit = SHORT_REACH.unit if few else "training steps"
    said = rule.finding("No bias has moved far.", evidence={"measured": 0.1, "unit": unit})
    result = RuleResult(rule.code, rule.name, Outcome.FAIL, findings=(said,))
    restoration = diagnose(facts(), (result,)).suspects[-1].text
    assert ("initial values, none of them far (MA432)." in restoration) is few
    assert "2 of 2 testable layers have moved away from their initial values" in restoration
