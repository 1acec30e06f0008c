"""What only labels tell: how right the answers are, and classes in another order."""

from __future__ import annotations

import pytest

from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    labelled,
    mirror,
    output,
    quiet,
    regression,
    silent,
)


def test_labels_overrule_information_and_decide_where_there_is_none():
    contradicted = quiet(accuracy={"e": 0.95, "H": 0.3}, orientation={"e": 0.2, "H": 3.0})
    assert diagnosed(labelled(behaviour(contradicted))).causes[0].cause != "orientation-mismatch"
    road = regression(
        transforms=(mirror(0.02, None, action="odd"),), fit={"e": -0.9, "H": 0.97, "V": -2.0}
    )
    first = diagnosed(labelled(behaviour(road))).causes[0]
    assert (first.cause, first.transform) == ("orientation-mismatch", "H")
    scaled = quiet(accuracy={"e": 0.2, "/255": 0.95}, domain={"/255": 3.0})
    assert diagnosed(labelled(behaviour(scaled))).causes[0].transform == "/255"
    lost = quiet(accuracy={"e": 0.1, "H": 0.12})
    assert diagnosed(labelled(behaviour(lost))).causes[0].cause == "not-understood"


WRONG = {"e": 0.1, "H": 0.12}


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        # Sure, different from image to image, and wrong: no weights in this place, or none there.
        ("not-understood", output(accuracy=WRONG)),
        ("not-understood", output(accuracy=WRONG, renumbered=0.4)),
        ("not-understood", regression(fit={"e": -0.9, "H": -1.2})),
        ("labels-renumbered", output(accuracy=WRONG, renumbered=0.98)),
        ("labels-renumbered", output(accuracy={"e": 0.8, "H": 0.7}, renumbered=0.97)),
        ("learned-invariance", output(accuracy={"e": 0.9}, renumbered=0.95)),
        ("learned-invariance", output(accuracy={"e": 0.6, "H": 0.6})),
        # A constant answer is wrong on labels of any model: they add nothing.
        ("collapse-open", silent(accuracy=WRONG)),
    ],
)
def test_labels_that_call_the_answers_wrong(cause, shown):
    assert diagnosed(labelled(behaviour(shown))).causes[0].cause == cause


def test_labels_of_one_class_call_no_model_blind():
    wrong = labelled(behaviour(output(accuracy=WRONG)), 1.0)
    assert diagnosed(wrong).causes[0].cause == "learned-invariance"


def test_the_accuracy_is_told_of_sound_models():
    seen = diagnosed(labelled(behaviour(output(accuracy={"e": 0.75, "H": 0.74}))))
    assert seen.answer.endswith("On your labels the accuracy is 75%.")
    assert "labels" not in diagnosed().answer


def test_answers_that_are_no_numbers_are_named_before_what_they_look_like():
    shown = silent(nonfinite=1.0, accuracy=WRONG)
    found = diagnosed(labelled(behaviour(shown)))
    assert [cause.cause for cause in found.causes] == ["nonfinite-output"]
    assert {each.cause for each in found.consequences} == {"collapse-open"}
    repaired = silent(nonfinite=1.0, domain={"(x+1)/2": 3.0})
    assert diagnosed(behaviour(repaired)).causes[0].transform == "(x+1)/2"
