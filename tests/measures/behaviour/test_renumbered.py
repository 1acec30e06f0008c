"""The best assignment of classes to labels, compared with all assignments."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from modelaudit.measures.behaviour.accuracy import renumbered_accuracy
from modelaudit.thresholds.answers import PER_CLASS


@pytest.mark.parametrize("seed", range(8))
def test_no_other_assignment_is_more_accurate(seed):
    rng = np.random.default_rng(seed)
    labels, answers = rng.integers(0, 4, 40), rng.integers(0, 5, 40)
    best = max(np.mean(np.take(order, answers) == labels) for order in permutations(range(5)))
    assert renumbered_accuracy(np.eye(5)[answers], "softmax", labels) == pytest.approx(best)


def test_classes_in_another_order_are_fully_accurate():
    labels = np.repeat(np.arange(6), PER_CLASS.value)
    values = np.eye(6)[(labels + 2) % 6]
    assert renumbered_accuracy(values, "softmax", labels) == 1.0
    assert renumbered_accuracy(values, "softmax", labels + 10) == 1.0
    assert renumbered_accuracy(1.0 - labels[:, None] % 2, "sigmoid", labels % 2) == 1.0


def test_few_inputs_of_each_class_fit_any_predictions():
    labels = np.repeat(np.arange(6), PER_CLASS.value - 1)
    assert renumbered_accuracy(np.eye(6)[labels], "softmax", labels) is None
    assert renumbered_accuracy(np.ones((40, 1)), "regression", np.zeros(40)) is None
