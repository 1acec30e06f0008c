"""Every threshold has a decision that is tested at its edge."""

from __future__ import annotations

import pytest

from modelaudit.thresholds.every import THRESHOLDS
from tests.thresholds import (
    test_answers,
    test_augmentation,
    test_bases,
    test_design,
    test_diagnosis,
    test_exports,
    test_flips,
    test_inputs,
    test_last_errors,
    test_last_layers,
    test_optimizers,
    test_repeated_runs,
    test_restoration,
    test_security,
    test_small_layers,
    test_stored_values,
    test_training,
    test_training_extent,
    test_weights,
)

MODULES = (
    test_answers,
    test_augmentation,
    test_bases,
    test_design,
    test_diagnosis,
    test_exports,
    test_flips,
    test_inputs,
    test_last_errors,
    test_last_layers,
    test_optimizers,
    test_repeated_runs,
    test_restoration,
    test_security,
    test_small_layers,
    test_stored_values,
    test_training,
    test_training_extent,
    test_weights,
)
EDGES = [edge for module in MODULES for edge in module.EDGES.all]


def test_every_threshold_has_an_edge():
    assert {edge.threshold for edge in EDGES} == set(THRESHOLDS)


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge.threshold}-{edge.decide.__name__}")
def test_an_edge_is_within_two_percent(edge):
    """As seen from 1 for `EXACT_SYMMETRY`, whose distance from 1 matters."""
    value = THRESHOLDS[edge.threshold].value
    numbers = [*edge.expected]
    assert numbers == sorted(numbers)
    assert len({*map(repr, edge.expected.values())}) > 1
    if edge.threshold == "weights.EXACT_SYMMETRY":
        value, numbers = 1 - value, [1 - number for number in reversed(numbers)]
    step = 1 if isinstance(value, int) else 0.02 * value
    assert value - step <= numbers[0] <= value <= numbers[-1] <= value + step * (1 + 1e-9)
