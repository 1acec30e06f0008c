"""Steps about what a flip does to the output."""

from __future__ import annotations

import pytest

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseExcluded
from modelaudit.diagnosis.steps.flip import (
    effect_text,
    learned,
    learned_invariance,
    sensitive_data,
)
from modelaudit.facts import Architecture, Layer
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, facts, mirror, output, turned


def with_limit(limit, effect):
    seen = behaviour(output(transforms=(effect, turned())))
    settings = Settings(thresholds=(("MA604", limit),))
    return Case(replace(facts(seen), settings=settings), ())


def test_an_effect_that_cannot_be_judged_has_no_number():
    assert effect_text(mirror(None), output()) == (
        "digit varies too little to judge inputs mirrored left-right."
    )
    assert "changes 0.02 times as much" in effect_text(mirror(0.02), output())


@pytest.mark.parametrize(("agreement", "told"), [(0.98, True), (None, False)])
def test_the_predictions_that_stay_the_same_are_told_if_there_are_classes(agreement, told):
    text = effect_text(replace(mirror(0.02), agreement=agreement), output())
    assert ("98% of the predictions stay the same (95 % interval 94% to 99%)" in text) is told


@pytest.mark.parametrize(
    ("limit", "expected"), [(0.51, "so this is not a finding"), (0.5, "so this is a finding")]
)
def test_a_threshold_of_the_settings_is_named_with_its_decision(limit, expected):
    found = sensitive_data(with_limit(limit, mirror(0.5, 0.2)))
    assert any(
        f"The settings set the threshold to {limit:g} (MA604), {expected}" in each.text
        for each in found.evidence
    )


def test_a_threshold_of_another_flip_is_not_named():
    effect = replace(mirror(0.5, 0.2), name="V")
    found = sensitive_data(with_limit(0.3, effect))
    assert not any("The settings" in each.text for each in found.evidence)


def test_without_a_threshold_of_the_settings_none_is_named():
    found = learned_invariance(Case(facts(behaviour()), ()))
    assert not any("The settings" in each.text for each in found.evidence)


@pytest.mark.parametrize("nfv", [0.1, 0.4])
@pytest.mark.parametrize(
    ("flipped", "p", "alike"),
    [(0.61, 0.4, True), (0.60, 0.02, None), (0.50, 1e-4, False), (0.90, 1.0, False)],
)
def test_labels_decide_whether_flipped_images_are_recognised_as_well(nfv, flipped, p, alike):
    """Of a model that is right about 62 %, many predictions change under any transform."""
    seen = output(accuracy={"e": 0.62, "H": flipped}, worse_p={"H": p})
    if alike is None and nfv == 0.4:
        alike = False  # the output changes much, and the labels do not speak against that
    assert learned(Case(facts(behaviour(seen)), ()), seen, mirror(nfv)) is alike


@pytest.mark.parametrize(("flipped", "p", "alike"), [(0.27, 0.4, True), (0.2, 1e-3, False)])
def test_labels_decide_where_an_unsure_model_changes_little_but_its_classes(flipped, p, alike):
    seen = output(accuracy={"e": 0.28, "H": flipped}, worse_p={"H": p}, chance_p=1e-6)
    unsure = replace(mirror(0.02), kappa=0.1)
    assert learned(Case(facts(behaviour(seen)), ()), seen, unsure) is alike
    assert learned(Case(facts(behaviour(output())), ()), output(), unsure) is False


def test_labels_that_are_met_by_chance_show_no_invariance():
    seen = output(accuracy={"e": 0.1, "H": 0.1}, worse_p={"H": 0.5}, chance_p=0.4)
    assert learned(Case(facts(behaviour(seen)), ()), seen, mirror(0.4)) is False
    found = learned_invariance(
        Case(facts(behaviour(replace(seen, transforms=(mirror(0.03),)))), ())
    )
    assert not any("labels" in each.text for each in found.evidence)


@pytest.mark.parametrize(
    ("mode", "flip", "bits", "alike"),
    [
        ("horizontal", "H", 2.98, True),
        ("horizontal", "H", 2.0, False),  # the layer is there, but did not do its work
        ("vertical", "H", 2.98, False),
        ("horizontal_and_vertical", "r180", 2.98, True),
    ],
)
def test_a_layer_that_flips_images_in_training_explains_changed_outputs(mode, flip, bits, alike):
    shown = output(orientation={"e": 3.0, flip: bits}, orientation_ci={flip: (bits - 0.1, bits)})
    given = facts(behaviour(shown))
    layer = Layer("flip", "flip", "RandomFlip", config={"mode": mode})
    built = Architecture("Functional", "m", "keras3", (layer,), (), ())
    artifact = replace(given.artifact, architecture=built)
    given = replace(given, artifact=artifact)
    assert learned(Case(given, ()), shown, replace(mirror(0.4), name=flip)) is alike


def test_an_output_that_changes_sign_is_not_invariant():
    seen = behaviour(output(transforms=(mirror(0.02, action="odd"), turned())))
    assert learned_invariance(Case(facts(seen), ())) == CauseExcluded(
        "the output is meant to change with the flip"
    )
