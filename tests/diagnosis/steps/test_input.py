"""Orientations and scales of the input: which one is reported, and ties."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import BetterInputs, Collapse, InformationGain
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.steps.form_evidence import informed_scale
from modelaudit.diagnosis.steps.input import input_domain, orientation_mismatch
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    DISTANT,
    SURE,
    WAYS,
    behaviour,
    diagnosed,
    facts,
    fit,
    initial,
    judged,
    labelled,
    measurements,
    output,
    quiet,
    regression,
)
from tests.thresholds.edges import answer, case

pytestmark = pytest.mark.usefixtures("steps_alone")


def test_equally_good_orientations_are_named_together_and_the_simplest_first():
    shown = quiet(orientation={"e": 0.2, "T": 3.02, "r270": 3.0, "r90": 2.5, "H": 0.2})
    first = diagnosed(behaviour(shown)).causes[0]
    assert (first.cause, first.transform) == ("orientation-mismatch", "r270")
    assert "transposed" in first.evidence[-1].text
    assert "counter-clockwise" not in first.evidence[-1].text


@pytest.mark.parametrize(
    ("turned_fit", "labels", "cause", "transform"),
    [
        (120.0, {}, "input-domain", "/255"),
        (0.1, {}, "orientation-mismatch", "H"),
        (120.0, {"e": 0.67, "H": 0.75, "/255": 0.99}, "input-domain", "/255"),
        (0.1, {"e": 0.67, "H": 0.85, "/255": 0.99}, "input-domain", "/255"),
        (120.0, {"e": 0.3, "H": 0.97, "/255": 0.4}, "orientation-mismatch", "H"),
    ],
)
def test_with_a_wrong_scale_information_shows_no_orientation(turned_fit, labels, cause, transform):
    said = quiet(orientation={"e": 0.2, "H": 3.0}, domain={"/255": 2.9}, accuracy=labels)
    seen = behaviour(said, batchnorm=(replace(DISTANT, orientation={"H": turned_fit}),))
    found = diagnosed(labelled(seen) if labels else seen)
    assert (found.causes[0].cause, found.causes[0].transform) == (cause, transform)
    told = judged("MA603", facts(labelled(seen) if labels else seen)).findings
    assert bool(told) == (cause == "orientation-mismatch")


def test_scales_that_cannot_be_distinguished_are_all_named():
    first = diagnosed(behaviour(output(**SURE | WAYS, gains={}))).causes[0]
    assert "standardised (mean 0, standard deviation 1); the" in first.evidence[0].text
    (only,) = diagnosed(behaviour(output(**SURE, gains={}))).causes[0].evidence
    assert "carry as much" not in only.text


@pytest.mark.parametrize(
    ("domain", "named"),
    [
        ({"BGR": 0.3, "imagenet>BGR": 0.11}, "imagenet>BGR"),  # the statistics tell them apart
        ({"BGR": 0.11, "imagenet>BGR": 0.3}, "BGR"),
        ({"BGR": 0.3, "imagenet>BGR": 0.3}, ""),
        ({}, "BGR"),
    ],
)
def test_of_forms_that_say_more_batch_statistics_exclude_some(domain, named):
    gains = {"BGR": InformationGain(0.04, 1.1, 0.28, 5.7)}
    gains["imagenet>BGR"] = InformationGain(0.09, 3.0, 0.22, 5.5)
    assert informed_scale(output(gains=gains), fit(0.12, domain=domain)) == named


def test_orientations_with_equal_accuracy_are_named_the_simplest_first():
    # For a model that is invariant to vertical flips, r180 equals a mirror.
    accuracy = {"e": 0.3, "V": 0.3, "H": 0.97, "r180": 0.97, "T": 0.9}
    first = diagnosed(labelled(behaviour(output(accuracy=accuracy)))).causes[0]
    assert (first.cause, first.transform) == ("orientation-mismatch", "H")
    assert "rotated 180°" in first.evidence[-1].text
    plain = accuracy | {"r180": 0.999}
    assert diagnosed(labelled(behaviour(output(accuracy=plain)))).causes[0].transform == "r180"


@pytest.mark.parametrize(
    ("also", "words"),
    [
        ((), None),
        (("V",), "mirrored up-down"),
        (("/255", "V"), "divided by 255, or from inputs mirrored up-down"),
    ],
)
def test_other_forms_that_labels_do_not_tell_apart_are_named(also, words):
    better = BetterInputs("standardised", "accuracy", 0.1, 0.8, 1e-6, 30, 64, also=also)
    seen = labelled(behaviour(output(accuracy={"e": 0.1, "standardised": 0.8}, better=better)))
    texts = [each.text for each in diagnosed(seen).causes[0].evidence]
    told = [text for text in texts if text.startswith("Your labels do not tell")]
    assert told == ([f"Your labels do not tell this from inputs {words}."] if words else [])


def test_inverted_images_are_identified_by_the_statistics_of_all_layers():
    bits = {"e": 2.0, "H": 1.4}
    domain = {"*255": 3.2, "2x-1": 2.8, "1-x": 2.5}
    first = fit(0.53, domain={"*255": 280.0, "2x-1": 0.04, "1-x": 0.05})
    later = fit(0.27, "later", domain={"*255": 300.0, "2x-1": 0.4, "1-x": 0.02})
    state = Collapse(False, 2.0, 10, 3, 0.2, 0.3)
    shown = output(collapse=state, orientation=bits, domain=domain, gains={})
    found = diagnosed(behaviour(shown, batchnorm=(first, later))).causes[0]
    assert (found.cause, found.transform) == ("input-domain", "1-x")
    redrawn = fit(0.6, "later", domain={"*255": 300.0, "2x-1": 0.7, "1-x": 0.6})
    assert diagnosed(behaviour(shown, batchnorm=(fit(), redrawn))).causes[0].cause == (
        "wrong-weights-upstream"
    )


def test_all_statistics_together_identify_a_scale_where_there_are_no_classes():
    first = replace(fit(0.2, domain={"2x-1": 0.02, "*255": 280.0}), misfit=0.6)
    later = fit(0.3, "later", domain={"2x-1": 0.03, "*255": 300.0})
    found = diagnosed(behaviour(regression(), batchnorm=(first, later))).causes[0]
    assert (found.cause, found.transform) == ("input-domain", "2x-1")
    assert "0.25 standard deviations from their training means" in found.evidence[0].text
    # Darker images than in training are off as well, but no scale brings all layers back.
    darker = replace(later, domain={"2x-1": 0.25, "*255": 300.0})
    excluded = diagnosed(behaviour(regression(), batchnorm=(first, darker)))
    assert "input-domain" not in {each.cause for each in excluded.causes}


@pytest.mark.parametrize(("margin", "text"), [(87.4, "is at least e^87"), (87.0, "is e^87")])
def test_the_largest_margin_that_float32_can_tell_is_a_lower_bound(margin, text):
    seen = behaviour(output(**(SURE | {"margin": margin})))
    first = diagnosed(seen).causes[0]
    assert first.cause == "input-domain"
    assert text in first.evidence[0].text


@pytest.mark.parametrize(
    ("labels", "cause"), [({"e": 0.3, "H": 0.9}, True), ({"e": 0.9, "H": 0.3}, False), ({}, True)]
)
def test_labels_confirm_or_refute_what_the_information_says(labels, cause):
    seen = behaviour(quiet(orientation={"e": 0.2, "H": 3.0}, accuracy=labels))
    found = diagnosed(labelled(seen) if labels else seen)
    assert (found.causes[0].cause == "orientation-mismatch") is cause


@pytest.mark.parametrize(
    ("batchnorm", "labels", "kind"),
    [
        ((), {}, "unknown"),
        ((), {"e": 0.9}, "excluded"),
        ((fit(),), {}, "excluded"),
        ((fit(),), {"e": 0.9}, "excluded"),
    ],
)
def test_without_batch_statistics_and_labels_no_scale_is_excluded(batchnorm, labels, kind):
    assert answer(input_domain, behaviour(output(accuracy=labels), batchnorm=batchnorm)) == kind


@pytest.mark.parametrize(
    ("said", "given", "labels", "transform"),
    [
        ((-1.0, 1.0), (0.0, 255.0), {}, "x/127.5-1"),
        ((-1.0, 1.0), (0.0, 1.0), {}, "2x-1"),
        ((0.0, 255.0), (0.0, 1.0), {}, "*255"),
        ((-2.1, 2.6), (0.0, 255.0), {}, "0-255>imagenet"),
        ((-1.0, 1.0), (0.0, 255.0), {"e": 0.3, "x/127.5-1": 0.9}, "x/127.5-1"),
        ((-1.0, 1.0), (0.0, 255.0), {"e": 0.9, "x/127.5-1": 0.3}, ""),
        ((0.0, 255.0), (0.0, 254.0), {}, ""),
        ((-124.0, 151.0), (0.0, 255.0), {}, ""),  # the colours may be in another order
        ((-0.5, 0.5), (0.0, 255.0), {}, ""),  # no usual range, so the change is not known
        ((0.0, 3.0), (0.0, 1.0), {}, ""),
        (None, (0.0, 255.0), {}, ""),
    ],
)
def test_what_the_files_say_of_pixels_names_another_scale(said, given, labels, transform):
    seen = behaviour(output(accuracy=labels))
    inputs = replace(seen.inputs, shape=(128, 8, 8, 3), value_range=given, stated_range=said)
    found = input_domain(case(replace(seen, inputs=inputs)))
    assert getattr(found, "transform", "") == transform
    if transform and not labels:
        assert f"{said[0]:g}…{said[1]:g}" in found.evidence[0].text


@pytest.mark.parametrize(
    ("misfit", "there", "transform"),
    [(0.05, 0.9, ""), (0.05, 0.04, "x/127.5-1"), (0.9, 0.9, "x/127.5-1")],
)
def test_files_do_not_outweigh_statistics_that_fit_only_as_given(misfit, there, transform):
    seen = behaviour(output(), batchnorm=(fit(misfit, domain={"x/127.5-1": there}),))
    inputs = replace(seen.inputs, value_range=(0.0, 255.0), stated_range=(-1.0, 1.0))
    found = input_domain(case(replace(seen, inputs=inputs)))
    assert getattr(found, "transform", "") == transform


@pytest.mark.parametrize(("p", "enough"), [(0.0139, 80), (0.1, 220)])
def test_too_few_labels_say_how_many_would_decide(p, enough):
    # Standard scores: 2.326 for 0.01, 2.200 for 0.0139, 1.282 for 0.1; squared ratios 1.12 and 3.3
    better = BetterInputs("r180", "accuracy", 0.39, 0.58, p, 30, 64)
    open_ = orientation_mismatch(case(behaviour(output(better=better))))
    assert f"about {enough} would decide it" in open_.needs
    assert "39% as given and 58% rotated 180°" in open_.needs
    scaled = replace(better, name="/255")
    assert answer(orientation_mismatch, behaviour(output(better=scaled))) == "excluded"
    said = input_domain(case(behaviour(output(better=scaled, accuracy={"e": 0.39}))))
    assert f"about {enough} would decide it" in said.needs


def test_a_form_that_labels_prefer_with_few_more_right_answers_is_suspected():
    better = BetterInputs("/255", "accuracy", 0.44, 0.45, 0.002, 30, 64)
    seen = behaviour(output(better=better, accuracy={"e": 0.44, "/255": 0.45}))
    said = input_domain(case(seen))
    assert said.suspected
    assert "hardly more answers are right" in said.needs
    (finding,) = judged("MA621", facts(seen)).findings
    assert finding.severity is Severity.LOW
    assert finding.title.startswith("Suspected: ")
    sound = behaviour(output(better=replace(better, p=0.3), accuracy={"e": 0.44}))
    assert not judged("MA621", facts(sound)).findings


@pytest.mark.parametrize(
    ("order", "other", "causes"),
    [
        (("bn", "new", "on"), 0.03, ["partial-restore", "input-domain"]),
        (("new", "bn", "on"), 0.03, ["partial-restore"]),  # the untouched layer may be why
        (("bn", "new", "on"), 0.6, ["partial-restore"]),  # they match on no scale
    ],
)
def test_statistics_before_an_untouched_layer_show_other_values_beside_it(order, other, causes):
    first = replace(DISTANT, domain={"/255": other, "1-x": 90.0})
    seen = behaviour(quiet(), batchnorm=(first, fit(0.9, "later")))
    known = facts(seen, measurements(initial("new", "fresh"), initial("on")))
    layers = tuple(examples.layer(route) for route in order)
    known = replace(known, artifact=examples.model(*layers))
    found = diagnose(known, ())
    assert [each.cause for each in found.causes] == causes
    if len(causes) > 1:
        assert found.causes[1].transform == "/255"
        assert found.causes[1].belief is None
        assert "not the only fault" in found.answer


def test_two_differences_that_one_form_undoes_are_undone_once():
    """The code of the second would undo the first again."""
    name = "V + BGR"
    better = BetterInputs(name, "accuracy", 0.1, 0.9, 1e-6, 30, 128, odds=50.0)
    seen = labelled(behaviour(output(accuracy={"e": 0.1, name: 0.9}, better=better)))
    first, second, *_ = diagnosed(seen).causes
    assert {first.cause, second.cause} == {"orientation-mismatch", "input-domain"}
    assert [step.code.count("images[") for step in first.next_steps if "::-1" in step.code] == [2]
    assert [step.code for step in second.next_steps] == [""]
