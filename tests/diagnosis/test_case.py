"""What the steps derive from the measurements."""

from __future__ import annotations

import math

import pytest

from modelaudit.audit_types.behaviour import BetterInputs, Collapse
from modelaudit.diagnosis.case import (
    amount,
    answered_alike,
    capacity,
    labels_contradict,
    score_text,
)
from tests.diagnosis.cases import output, renumbered


@pytest.mark.parametrize(
    ("change", "text"), [(0.001, "0.001"), (0.25, "0.25"), (0.00099, "less than 0.001")]
)
def test_tiny_changes_are_not_given_digits(change, text):
    assert amount(change) == text


@pytest.mark.parametrize(
    ("classes", "bits"), [(None, 0), (0, 0), (1, 0), (2, 1), (10, math.log2(10))]
)
def test_the_capacity_of_an_output_is_the_entropy_of_equally_likely_classes(classes, bits):
    seen = output(collapse=Collapse(False, 1.0, classes, 1, 0.5, 0.3))
    assert capacity(seen) == bits


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        ("accuracy", "On your 64 labels the accuracy is 25% as given and 75% mirrored left-right."),
        ("R2", "On your 64 labels the R2 is 0.25 as given and 0.75 mirrored left-right."),
    ],
)
def test_accuracy_is_a_share_and_r2_is_not(measure, text):
    found = BetterInputs("H", measure, 0.25, 0.75, 1e-9, 3, 64)
    assert score_text(found) == text


@pytest.mark.parametrize(("odds", "told"), [(200.0, True), (1.0, False)])
def test_two_scores_in_another_order_of_the_classes_are_said_to_be(odds, told):
    """Whichever form the order was found in: both forms are compared in it."""
    found = BetterInputs("H", "accuracy", 0.25, 0.75, 1e-9, 3, 64)
    for variant in ("e", "H", "V"):
        text = score_text(found, renumbered(0.6, odds, variant=variant))
        assert ("in the order that your labels show" in text) is told


@pytest.mark.parametrize(("gained", "contradict"), [(0.0199, True), (0.02, False), (0.5, False)])
def test_labels_contradict_without_a_gain(gained, contradict):
    assert labels_contradict(output(accuracy={"e": 0.0, "H": gained}), "H") is contradict


def test_without_labels_nothing_is_contradicted():
    assert not labels_contradict(output(), "H")


@pytest.mark.parametrize(("classes", "alike"), [(2, False), (10, True)])
def test_most_inputs_get_one_of_two_classes_without_being_alike(classes, alike):
    mostly = output(collapse=Collapse(False, 0.19, classes, 0, 0.73, 0.3))
    assert answered_alike(mostly) is alike
    assert answered_alike(output(collapse=Collapse(False, 0.05, classes, 0, 0.97, 0.3)))


def test_an_r2_far_below_a_useless_model_is_not_written_out():
    better = BetterInputs("/255", "R2", -4.2e9, 0.75, 1e-6, 30, 64)
    assert "the R2 is below -100 as given and 0.75" in score_text(better)
