"""Several sigmoids are independent decisions: agreement and accuracy count each."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.behaviour.accuracy import accuracy
from modelaudit.measures.behaviour.outputs import decisions
from modelaudit.measures.behaviour.transform_effects import OutputPair, transform_effect
from modelaudit.measures.transforms import transforms_for

MIRROR = transforms_for((4, 8, 8, 1))[0]
ANSWERS = np.array([[0.9, 0.2, 0.8], [0.1, 0.6, 0.7], [0.9, 0.9, 0.1], [0.3, 0.2, 0.1]])


def test_each_sigmoid_decides() -> None:
    assert decisions(ANSWERS, "sigmoid").tolist() == [1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert decisions(ANSWERS[:, :1], "sigmoid").tolist() == [1, 0, 1, 0]
    assert decisions(ANSWERS, "softmax").tolist() == [0, 2, 0, 0]
    assert decisions(ANSWERS, "regression") is None


def test_a_label_that_is_not_the_highest_counts_too() -> None:
    """Swapping the order of the two labels predicted first does not change a decision."""
    moved = ANSWERS.copy()
    moved[0] = [0.8, 0.2, 0.9]
    moved[3, 0] = 0.7
    effect = transform_effect(
        OutputPair(ANSWERS, moved), "sigmoid", MIRROR, np.random.default_rng(0)
    )
    assert effect.agreement == pytest.approx(11 / 12)
    assert effect.agreement_ci == pytest.approx((0.51, 1.0), abs=0.01)  # Wilson, 4 of 4 inputs
    assert effect.kappa == pytest.approx((11 / 12 - 0.5) / 0.5, abs=0.02)


def test_accuracy_of_several_labels() -> None:
    y = (ANSWERS > 0.5).astype(int)
    assert accuracy(ANSWERS, "sigmoid", y) == 1.0
    y[0, 0] = 0
    assert accuracy(ANSWERS, "sigmoid", y) == pytest.approx(11 / 12)
