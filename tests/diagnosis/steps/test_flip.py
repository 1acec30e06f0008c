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


@pytest.mark.parametrize(("given", "invariant"), [(0.03, False), (0.0299, True)])
def test_a_loss_of_accuracy_at_the_threshold_is_a_loss(given, invariant):
    seen = output(accuracy={"e": given, "H": 0.0})
    assert learned(seen, mirror(0.1)) is invariant


def test_an_output_that_changes_sign_is_not_invariant():
    seen = behaviour(output(transforms=(mirror(0.02, action="odd"), turned())))
    assert learned_invariance(Case(facts(seen), ())) == CauseExcluded(
        "the output is meant to change with the flip"
    )
