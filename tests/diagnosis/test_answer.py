"""The answer in one or two sentences."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import BetterInputs, Collapse, Intervention
from modelaudit.audit_types.diagnosis import NextStep
from modelaudit.cli.commands.explain import screen
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.answer import SENTENCES, plain_answer
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.steps.flip import effect_text
from modelaudit.measures.architecture.modality_words import WORDS, Modality, in_words
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rules
from modelaudit.rules.heads.examples import example_head
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    facts,
    fit,
    initial,
    labelled,
    measurements,
    mirror,
    norm,
    output,
    quiet,
    regression,
    silent,
)
from tests.thresholds.edges import case


def not_run(measured=None, **changes):
    given = replace(facts(measured=measured), behaviour=None, probe_skipped="it was not trusted")
    return diagnose(replace(given, **changes), ())


def test_a_cause_in_the_weights_says_that_the_model_was_not_run():
    found = not_run(measurements(initial("a", "fresh")))
    assert found.causes[0].cause == "never-loaded"
    assert found.answer.endswith("The model was not run (it was not trusted).")
    assert "was not run" not in diagnosed().answer


def test_a_model_that_was_not_run_is_undecided():
    found = not_run()
    assert found.causes[0].cause == "not-run"
    assert found.answer.startswith("Undecided. The model was not run: it was not trusted.")


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_a_likely_mistake_in_the_design_is_told_with_its_fix(activation):
    given = example_head(activation, "binary_crossentropy", 1)()
    given = replace(facts(), artifact=given.artifact, behaviour=None, probe_skipped="disabled")
    found = diagnose(given, run_rules([rule("MA306")], given))
    (cause, *_), wrong = found.causes, activation == "relu"
    assert cause.cause == "not-run"
    assert ("a likely mistake (MA306): `head`: binary_crossentropy" in found.answer) is wrong
    assert ('activation="sigmoid"' in cause.next_steps[0].code) is wrong


def test_without_tensors_no_diagnosis_applies():
    found = not_run(artifact=replace(facts().artifact, tensors=()))
    assert found.causes[0].cause == "not-applicable"


def test_accuracy_as_given_and_undone_needs_both():
    mirrored = quiet(orientation={"e": 0.2, "H": 3.0})
    right = diagnosed(labelled(behaviour(replace(mirrored, accuracy={"e": 0.1, "H": 0.9}))))
    assert ": 90% of the predictions are then correct, 10% as given" in right.answer
    unlabelled = diagnosed(behaviour(mirrored))
    assert unlabelled.causes[0].cause == "orientation-mismatch"
    assert "of the predictions are then correct" not in unlabelled.answer


def test_two_faults_are_told_with_the_steps_of_both():
    better = BetterInputs("H", "accuracy", 0.15, 0.64, 1e-9, 30, 160)
    seen = quiet(accuracy={"e": 0.1, "H": 0.02}, better=better, orientation={"e": 0.2, "H": 3.0})
    known = case(labelled(behaviour(seen)))
    told = diagnose(known.facts, ())
    first = replace(told.causes[0], cause="orientation-mismatch", transform="H")
    steps = (first.next_steps[0], NextStep("Rename the classes."))
    second = replace(
        first, cause="labels-renumbered", title="The model numbers them", next_steps=steps
    )
    sound = replace(first, cause="healthy", title="Healthy", next_steps=(NextStep("Nothing."),))
    diagnosis = replace(told, causes=(first, second, sound))
    answer = plain_answer(known, diagnosis)
    assert "numbers the classes in another order: 64% of the predictions" in answer
    assert answer.endswith("At the same time, the model numbers them.")
    _, _, others = screen("m.keras", replace(diagnosis, answer=answer)).partition("What to do")
    shown, _, further = others.partition("Also, once that is done: The model numbers them")
    assert first.next_steps[0].text.split()[0] in shown
    assert "1. Rename the classes." in further
    assert "2. " not in further.partition("Rename")[2].partition("Not decided")[0]
    assert "Nothing." not in further


@pytest.mark.parametrize(("user", "note"), [(True, "Only 8 images were given"), (False, "")])
def test_too_few_images_are_counted(user, note):
    found = diagnosed(behaviour(user=user, n=8)).causes[0]
    assert found.cause == "undecided-without-images"
    assert found.evidence[0].text.startswith(note or "Weights, restore and output are sound")


@pytest.mark.parametrize(
    ("kind", "said"), [("image", "values from 0 to 255"), ("unknown", "larger values")]
)
def test_only_images_have_values_from_0_to_255(kind, said, monkeypatch):
    """Coefficients of sound have the form of an image, and are as large."""
    tried = Intervention(output="digit", before=0.0, after=2.3, responsible=True)
    monkeypatch.setattr(Case, "words", WORDS[Modality(kind)])
    found = case(behaviour(quiet(), interventions={"inputs_times_255": tried}))
    assert found.wants_pixels.endswith(f"most likely the model expects {said}.")


@pytest.mark.parametrize("responsible", [True, False])
def test_a_constant_answer_that_varies_on_another_range_is_said_first(responsible):
    tried = Intervention(output="digit", before=0.0, after=2.3, responsible=responsible)
    silent = quiet(collapse=Collapse(True, 0.0, 10, 0, 1.0, 0.0), orientation={})
    found = diagnosed(behaviour(silent, user=False, interventions={"inputs_times_255": tried}))
    assert found.causes[0].cause == "undecided-without-images"
    assert found.answer.startswith("The output digit is nearly the same") is responsible
    assert ("from 0 to 255" in found.causes[0].evidence[0].text) is responsible


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("BGR", "another channel order than"),
        ("/255", "another scale than"),
        ("caffe>BGR", "another channel order than"),
        ("BGR + /255", "another scale or another channel order than"),
    ],
)
def test_the_title_says_which_values_are_others(form, said):
    better = BetterInputs(form, "accuracy", 0.1, 0.9, 1e-9, 30, 160, odds=200.0)
    seen = quiet(accuracy={"e": 0.1, form: 0.9}, better=better, domain={"e": 0.2, form: 3.0})
    found = diagnosed(labelled(behaviour(seen)))
    (title,) = (each.title for each in found.causes if each.cause == "input-domain")
    assert said in title


def test_of_several_outputs_the_one_that_treats_flips_alike_is_named():
    """The others may change with the flip, as boxes do."""
    alone = diagnosed(behaviour(output())).answer
    assert "and it treats inputs mirrored left-right like the others" in alone
    both = diagnosed(behaviour(output(), output(name="box"))).answer
    assert "and its output 'digit' treats inputs mirrored left-right like the others" in both


@pytest.mark.parametrize(("reached", "recognised"), [(0.36, False), (0.82, True)])
@pytest.mark.parametrize("form", ["/255", "r180"])
def test_images_are_recognised_only_if_most_answers_are_right(reached, recognised, form):
    seen = labelled(behaviour(output(accuracy={"e": 0.12, form: reached})))
    found = diagnosed(seen)
    assert found.causes[0].transform == form
    assert ("recognises more of the" in found.answer.replace("of them", "of the")) is not recognised
    assert ("Most answers are wrong even then" in found.answer) is not recognised
    training, *_, restoration = found.suspects
    assert (training.state == restoration.state == "ruled out") is recognised
    assert ("learned to recognise" in training.text) is recognised


@pytest.mark.parametrize(
    ("scores", "joint"),
    [
        ({"e": 0.1, "H": 0.2, "BGR": 0.3, "H + BGR": 0.9}, True),
        ({"e": 0.1, "BGR": 0.9}, False),
    ],
)
def test_two_changes_that_labels_need_together_are_told_as_such(scores, joint):
    seen = labelled(behaviour(output(accuracy=scores)))
    found = diagnosed(seen)
    assert ("differ from those of training in two ways" in found.answer) is joint
    assert ("Neither change alone fits your labels as well" in found.answer) is joint
    assert "not the only fault" not in found.answer
    shown = screen("model.keras", found, "")
    assert ("Also, which the code above undoes: " in shown) is joint
    assert "Also, once that is done" not in shown


@pytest.mark.parametrize("numbers", [True, False])
def test_numbers_have_no_table_of_classes(numbers):
    wrong = regression(fit={"e": -2.0}) if numbers else output(accuracy={"e": 0.1})
    found = diagnosed(labelled(behaviour(wrong)))
    cause = next(each for each in found.causes if each.cause == "not-understood")
    assert any("Check which class" in step.text for step in cause.next_steps) is not numbers


def test_columns_of_a_table_have_no_crop():
    words = WORDS[Modality.TABLE]
    steps = " ".join(in_words(step.text, words) for step in ADVICE["not-understood"].steps)
    assert "unit of each channel or column" in steps
    said = in_words(SENTENCES["not-understood"], words)
    assert "a channel or column in another unit or order, labels of another meaning" in said
    assert "axes" not in said
    assert "crop" not in steps


def test_other_statistics_are_not_called_lost():
    """The values 0 and 1 are those of lost statistics; of others the answer says what they do."""
    tried = {"recalibrate_batchnorm": Intervention(output="digit", before=0.1, after=3.2)}
    found = diagnosed(behaviour(silent(0.1), batchnorm=(fit(3.0),), interventions=tried))
    first = found.causes[0]
    assert first.cause == "bn-statistics-lost"
    assert (
        first.title == "The moving statistics of batch normalization do not belong to these images"
    )
    assert "were lost" not in found.answer
    lost = diagnosed(measured=measurements(batchnorm=[norm(lost=True, affine=True)]))
    assert "were lost when the model was saved" in lost.answer


@pytest.mark.parametrize("several", [False, True])
def test_the_answers_of_several_outputs_are_not_averaged_as_one_array(several):
    """`predict` returns a list then, which cannot be divided."""
    sensitive = output(transforms=(mirror(0.9, 0.2),), orientation={"e": 3.0, "H": 1.0})
    other = replace(sensitive, name="box")
    found = diagnosed(behaviour(sensitive, *([other] if several else [])))
    code = "".join(step.code for cause in found.causes for step in cause.next_steps)
    assert found.causes[0].cause.startswith("orientation-sensitive")
    assert (") / 2" in code) is not several


@pytest.mark.parametrize(
    ("left", "moves"), [(0.1, True), (0.19, True), (0.21, False), (1.0, False)]
)
def test_a_map_moves_with_the_image_only_if_little_else_changes(left, moves):
    effect = replace(mirror(left, None), action="spatial", agreement=None)
    text = effect_text(effect, output(name="points"))
    assert ("points is transformed with the image" in text) is moves
    assert ("points, with the flip undone on it, changes" in text) is not moves
