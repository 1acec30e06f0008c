"""Steps on the statistics of batch normalization."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from modelaudit.audit_types.behaviour import Intervention
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.diagnosis.steps.statistics import (
    unconverged_statistics,
    unsettled_statistics,
    wrong_weights,
)
from modelaudit.rules import examples
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    facts,
    fit,
    labelled,
    measurements,
    norm,
    output,
    quiet,
    silent,
)
from tests.thresholds.edges import case

pytestmark = pytest.mark.usefixtures("steps_alone")


@pytest.mark.parametrize(
    ("momentum", "settled", "steps"),
    [
        # (1 - 0.3) = 0.9^n gives n = 3.4.
        (0.9, 0.3, ", as after about 3 steps with a momentum of 0.9."),
        (0.5, 0.5, ", as after about 1 step with a momentum of 0.5."),
        (0.0, 0.3, ""),
        (1.0, 0.3, ""),
        (-0.1, 0.3, ""),
        (1.1, 0.3, ""),
        (None, 0.3, ""),
        (0.9, 1.0, ""),
    ],
)
def test_steps_follow_from_the_momentum_of_this_layer(momentum, settled, steps):
    layers = (
        examples.layer("other", "BatchNormalization", {}, {"momentum": 0.99}),
        examples.layer("bn", "BatchNormalization", {}, {"momentum": momentum}),
    )
    bad = fit(0.9, settled=settled, settled_misfit=0.01)
    seen = replace(facts(behaviour(batchnorm=(bad,))), artifact=examples.model(*layers))
    found = unsettled_statistics(Case(seen, ()))
    assert found.evidence[0].text.endswith(steps or "at the end).")
    assert ("steps with" in found.evidence[0].text) is ("steps" in steps)


@pytest.mark.parametrize(
    ("fits", "said"),
    [
        ((fit(0.6),), "either the images differ"),
        ((fit(), fit(0.6, "later")), "the weights in between"),
    ],
)
def test_at_the_first_layer_inputs_cannot_be_told_from_weights(fits, said):
    first = diagnosed(behaviour(batchnorm=fits)).causes[0]
    assert first.cause == "wrong-weights-upstream"
    assert said in first.evidence[1].text


def test_a_layer_before_that_matches_badly_is_named():
    """Of inputs with equal predictions, sound models reach a misfit of 0.7."""
    alike = quiet()
    seen = behaviour(alike, batchnorm=(fit(), fit(0.5, "early"), fit(1.2, "later")))
    found = wrong_weights(case(seen))
    assert found.where == "later"
    assert "'early' before it do not match well either (misfit 0.50; " in found.evidence[1].text


def test_statistics_do_not_follow_from_the_design_of_the_head():
    step = {each.cause: each for each in PROCEDURE}
    for cause in ("bn-statistics-unsettled", "wrong-weights-upstream"):
        assert "constant-by-construction" not in step[cause].explained_by
        assert "partial-restore" in step[cause].explained_by


def test_models_without_batch_normalization_are_not_said_to_have_matching_statistics():
    excluded = unsettled_statistics(case(behaviour()))
    assert excluded.by == "the model has no batch normalization whose input was measured"
    assert "match" in unsettled_statistics(case(behaviour(batchnorm=(fit(),)))).by


def refitted(one, every, scores, given=0.35):
    """A model whose second batch normalization does not match, alone and all recomputed."""
    names = ("recalibrate_one_batchnorm", "recalibrate_batchnorm")
    right = scores or (UNSET, UNSET)
    tried = {
        name: Intervention(output="digit", layer=layer, before=0.1, after=after, score=score)
        for name, layer, after, score in zip(
            names, ("later", UNSET), (one, every), right, strict=True
        )
    }
    seen = output(accuracy={"e": given}) if scores else output()
    return case(behaviour(seen, batchnorm=(fit(), fit(0.6, "later")), interventions=tried))


@pytest.mark.parametrize(
    ("one", "every", "scores", "said"),
    [
        (3.1, 3.2, (), "carry 3.10 instead of 0.10 bits; with those of all such layers 3.20"),
        (0.4, 0.5, (), "so weights are wrong as well."),
        (
            3.1,
            3.2,
            (0.8, 0.9),
            "The accuracy on your 128 labels is then 80% and 90%, and 35% as given.",
        ),
        (
            3.1,
            3.2,
            (0.35, 0.39),
            "the answers differ more, but are not right, so weights are wrong.",
        ),
    ],
)
def test_the_statistics_of_one_layer_are_compared_with_all(one, every, scores, said):
    found = wrong_weights(refitted(one, every, scores))
    assert said in found.evidence[2].text


@pytest.mark.parametrize("layers", [(), (norm(),)])
def test_without_batch_normalization_its_statistics_are_no_open_question(layers):
    found = diagnosed(behaviour(output(), user=False), measurements(batchnorm=layers))
    asked = {each.cause for each in found.undecidable}
    assert ("bn-statistics-unsettled" in asked) is bool(layers)


def test_labels_that_are_not_met_show_no_wrong_weights_where_other_statistics_repair():
    repaired = unconverged_statistics(refitted(3.1, 3.2, (0.35, 0.39)))
    assert repaired.evidence[1].text.endswith("35% and 39%, and 35% as given.")
    kept = wrong_weights(refitted(3.1, 3.2, (0.9, 0.9), given=0.9))
    assert kept.evidence[2].text.endswith("and 90% as given.")


@pytest.mark.parametrize(
    ("forms", "score", "n", "cause"),
    [
        # Statistics of other data, of which values from -1 to 1 undo a part.
        ({"e": 0.22, "2x-1": 0.36}, 0.96, 250, "bn-statistics-lost"),
        # The right values, with which other statistics do as well.
        ({"e": 0.22, "2x-1": 0.93}, 0.96, 250, "input-domain"),
        ({"e": 0.22, "V": 0.36}, 0.96, 250, "bn-statistics-lost"),
        ({"e": 0.22, "V": 0.93}, 0.96, 250, "orientation-mismatch"),
        # A difference that chance explains, of few labels.
        ({"e": 0.22, "2x-1": 0.7}, 0.85, 48, "input-domain"),
        ({"e": 0.22, "2x-1": 0.7}, 0.85, 250, "bn-statistics-lost"),
        # Other statistics restore nothing.
        ({"e": 0.22, "2x-1": 0.36}, 0.48, 250, "input-domain"),
    ],
)
def test_other_statistics_that_restore_more_than_other_inputs_are_the_cause(forms, score, n, cause):
    tried = Intervention(output="digit", before=0.3, after=1.6, score=score)
    wrong = output(accuracy=forms)
    seen = behaviour(
        wrong, n=n, batchnorm=(fit(2.3),), interventions={"recalibrate_batchnorm": tried}
    )
    first = diagnosed(labelled(seen)).causes[0]
    assert first.cause == cause
    if cause == "bn-statistics-lost":
        assert f"the accuracy on your labels is {score:.0%}, 22% as given" in first.evidence[0].text


@pytest.mark.parametrize("responsible", [True, False])
@pytest.mark.parametrize("fits", [(), (fit(0.9),)])
def test_exchanged_layers_that_meet_labels_need_no_odds(responsible, fits):
    tried = Intervention(
        *(), output="digit", layer="b", other="d",
        before=0.1, after=2.9, score=0.94, responsible=responsible,
    )  # fmt: skip
    wrong = silent(0.1, accuracy={"e": 0.2})
    seen = behaviour(wrong, batchnorm=fits, interventions={"exchange_layers": tried})
    found = diagnosed(labelled(seen))
    first = found.causes[0]
    assert ("Two layers hold each other's weights" in found.answer) is responsible
    assert first.form == ("exchanged-layers" if responsible else "")
    code = " ".join(step.code for step in first.next_steps)
    assert ("first, second = [layers[name] for name in ['b', 'd']]" in code) is responsible
    if responsible:
        assert (first.cause, first.belief) == ("wrong-weights-upstream", None)
        assert "is 94%, 20% as given" in first.evidence[0].text
        assert [each.cause for each in found.causes] == ["wrong-weights-upstream"]
        assert {each.name: each.state for each in found.suspects}["restoration"] == "explains it"
