"""Which layers and parts of a graph draw random numbers."""

from __future__ import annotations

import pytest

from modelaudit.diagnosis.steps.collapse import drawing
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.command_line import SAMPLES


def called(**arguments):
    return examples.model(replace(examples.layer("drop", "Dropout"), call_kwargs=(arguments,)))


def test_a_layer_that_is_called_in_training_mode_draws():
    assert drawing(called(training=True)) == ("drop",)


@pytest.mark.parametrize("arguments", [{}, {"training": False}, {"training": None}, {"mask": 1}])
def test_a_layer_that_is_called_otherwise_does_not(arguments):
    assert drawing(called(**arguments)) == ()


def test_random_operations_are_found_in_the_graph():
    facts = static_facts(SAMPLES / "digits_random_export", Settings())
    assert drawing(facts.artifact) == ("digits_1/random_flip_1",)


@pytest.mark.parametrize(
    "sample", ["digits_tf1_savedmodel", "digits_statistics_lost", "digits_robust.keras"]
)
def test_initializers_are_random_too_but_are_not_run_for_predictions(sample):
    assert drawing(static_facts(SAMPLES / sample, Settings()).artifact) == ()
