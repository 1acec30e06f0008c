"""What a change does to the output, and its control."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.augmentation.image_changes import rotated
from modelaudit.measures.augmentation.sensitivity import (
    commonest_confusion,
    equal_norm_control,
    paired_interval,
    sensitivity_point,
)

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("name", ["rotation", "brightness", "noise", "blur"])
def test_the_control_has_the_norm_of_the_change(name: str) -> None:
    x = RNG.random((10, 12, 12, 1), dtype=np.float32)
    changed = rotated(x, 15)
    control = equal_norm_control(x, changed, name, RNG)
    sizes = [np.linalg.norm((each - x).reshape(10, -1), axis=1) for each in (changed, control)]
    assert np.allclose(*sizes, rtol=1e-4)
    cosines = ((control - x) * (changed - x)).sum(axis=(1, 2, 3)) / sizes[0] ** 2
    assert np.abs(cosines).mean() < 0.5


def test_an_image_that_does_not_change_has_no_control() -> None:
    x = np.ones((4, 5, 5, 1), np.float32)
    assert np.array_equal(equal_norm_control(x, x, "rotation", RNG), x)


def test_losses_on_labels_are_paired() -> None:
    y = np.arange(100) % 4
    given = np.eye(4)[y] * 0.9 + 0.025
    changed = given.copy()
    changed[:12] = np.roll(changed[:12], 1, axis=1)
    point = sensitivity_point(15, given, changed, "softmax", y, 0.0)
    assert point.agreement == pytest.approx(0.88)
    assert point.score == pytest.approx(0.88)
    assert point.lost == pytest.approx(0.12)
    assert point.p == pytest.approx(0.5**12)
    assert point.lost_ci is not None
    low, high = point.lost_ci
    assert 0 < low < 0.12 < high < 0.25
    assert commonest_confusion(given, changed, "softmax") == (0, 1, pytest.approx(0.25))
    assert commonest_confusion(given[10:], changed[10:], "softmax") is None


def test_the_paired_interval_has_the_published_form() -> None:
    right, still = np.ones(48), np.ones(48)
    right[:3], still[3:12] = 0, 0  # 3 won, 9 lost
    lost, won, n = 9.5, 3.5, 50
    half = 1.959964 * np.sqrt(lost + won - (lost - won) ** 2 / n) / n
    assert paired_interval(right, still) == pytest.approx((6 / 50 - half, 6 / 50 + half))


def test_targets_of_a_regression_are_compared_by_r2() -> None:
    y = RNG.normal(size=(200, 1))
    given, changed = y + 0.01, y + RNG.normal(size=(200, 1))
    point = sensitivity_point(0.2, given, changed, "regression", y, 0.0)
    assert point.agreement is None
    expected = 1 - ((changed - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert point.score == pytest.approx(expected)
    assert point.p is not None
    assert point.p < 1e-6
    assert point.variation is not None
    assert point.variation > 0.2


def test_without_labels_there_is_no_score() -> None:
    given = RNG.random((20, 3))
    point = sensitivity_point(1, given, given, "logits", None, 0.0)
    assert (point.score, point.lost, point.p) == (None, None, None)
    assert point.agreement == 1.0
    assert point.variation == 0.0
