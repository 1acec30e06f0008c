"""Causes that only labels show: accuracy, and classes in another order."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import BetterInputs
from modelaudit.diagnosis.steps.label import mostly_wrong
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    labelled,
    mirror,
    output,
    quiet,
    regression,
    renumbered,
    silent,
)

pytestmark = pytest.mark.usefixtures("steps_alone")


def test_labels_override_information_and_decide_without_it():
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


def test_another_form_and_another_order_are_two_causes():
    """The form is compared in that order, which shows without the form as well."""
    better = BetterInputs("V", "accuracy", 0.1, 0.7, 1e-6, 30, 128)
    both = output(accuracy={"e": 0.1, "V": 0.1}, numbering=renumbered(0.7), better=better)
    found = diagnosed(labelled(behaviour(both)))
    causes = [each.cause for each in found.causes]
    assert {*causes[:2]} == {"orientation-mismatch", "labels-renumbered"}
    assert "labels-renumbered" not in {each.cause for each in found.consequences}


WRONG = {"e": 0.1, "H": 0.12}


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        # Confident, different per image, and wrong: misplaced or missing weights.
        ("not-understood", output(accuracy=WRONG)),
        ("not-understood", output(accuracy=WRONG, numbering=renumbered(0.4, 6.8))),
        ("not-understood", regression(fit={"e": -0.9, "H": -1.2})),
        ("labels-renumbered", output(accuracy=WRONG, numbering=renumbered(0.98))),
        # Of a model that is right about half of its inputs.
        ("labels-renumbered", output(accuracy=WRONG, numbering=renumbered(0.5))),
        ("labels-renumbered", output(accuracy={"e": 0.8, "H": 0.7}, numbering=renumbered(0.97))),
        ("learned-invariance", output(accuracy={"e": 0.92}, numbering=renumbered(0.95))),
        ("learned-invariance", output(accuracy={"e": 0.6, "H": 0.6})),
        # A weak network that recognises its labels as well as it can is no fault.
        ("learned-invariance", output(accuracy={"e": 0.4, "H": 0.4}, chance_p=0.0005)),
        ("not-understood", output(accuracy={"e": 0.2, "H": 0.2}, chance_p=0.2)),
        # A constant answer is wrong on labels of any model: they add nothing.
        ("collapse-open", silent(accuracy=WRONG)),
    ],
)
def test_wrong_predictions_by_the_labels(cause, shown):
    assert diagnosed(labelled(behaviour(shown))).causes[0].cause == cause


def test_labels_of_one_class_do_not_show_that_a_model_fails():
    wrong = labelled(behaviour(output(accuracy=WRONG)), 1.0)
    assert diagnosed(wrong).causes[0].cause == "learned-invariance"


def test_the_accuracy_of_healthy_models_is_reported():
    seen = diagnosed(labelled(behaviour(output(accuracy={"e": 0.75, "H": 0.74}))))
    assert seen.answer.endswith("On your labels the accuracy is 75%.")
    assert "labels" not in diagnosed().answer


def test_nan_outputs_are_reported_before_their_consequences():
    shown = silent(nonfinite=1.0, accuracy=WRONG)
    found = diagnosed(labelled(behaviour(shown)))
    assert [cause.cause for cause in found.causes] == ["nonfinite-output"]
    assert {each.cause for each in found.consequences} == {"collapse-open"}
    repaired = silent(nonfinite=1.0, domain={"(x+1)/2": 3.0})
    assert diagnosed(behaviour(repaired)).causes[0].transform == "(x+1)/2"


@pytest.mark.parametrize(
    ("accuracy", "best"),
    [({"e": 0.1, "H": 0.12}, "at best 12%, mirrored left-right"), ({"e": 0.2, "H": 0.12}, "")],
)
def test_the_best_variant_is_named_if_it_is_not_the_one_given(accuracy, best):
    text = mostly_wrong(output(accuracy=accuracy))
    assert ("at best" in text) is bool(best)
    assert best in text


@pytest.mark.parametrize(("other", "named"), [(0.9, True), (0.93, False)])
def test_a_scale_that_is_no_more_accurate_does_not_hide_an_orientation(other, named):
    seen = quiet(orientation={"e": 0.2, "H": 3.0}, accuracy={"e": 0.0, "H": 0.9, "/255": other})
    assert (diagnosed(labelled(behaviour(seen))).causes[0].cause == "orientation-mismatch") is named


def test_the_order_that_was_found_is_told_and_put_into_code():
    order = (*range(2, 10), 0, 1)
    shown = output(accuracy=WRONG, numbering=renumbered(0.98, order=order, variant="r270"))
    first = diagnosed(labelled(behaviour(shown))).causes[0]
    assert first.evidence[1].text == (
        "Your label 0 is the model's class 2, 1 is the model's class 3, 2 is the model's class 4, "
        "3 is the model's class 5 and 6 more."
    )
    code = "\n".join(step.code for step in first.next_steps)
    assert f"order = {list(order)}" in code
    # The first cause's code rotates them; rotated twice, they would be wrong again.
    assert code.count("# images as they must reach the model: rotated 90° clockwise") == 2
    assert "rot90" not in code
    larger = diagnosed(labelled(behaviour(output(accuracy=WRONG, numbering=renumbered(0.98)))))
    assert "order = " not in "".join(step.code for step in larger.causes[0].next_steps)
    beyond = output(accuracy=WRONG, numbering=renumbered(0.98, order=(10, *range(10))))
    told = diagnosed(labelled(behaviour(beyond))).causes[0].evidence[1].text
    assert told.startswith("Your label 1 is the model's class 0,")  # which has no class 10
