"""Networks that amplify rounding: the logistic map, which is chaotic for some of its parameters."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.probe.protocol import Observation, VariableDigest
from modelaudit.probe.study.agreement import SAMPLES, ReferenceRun, compare_with_reference
from modelaudit.probe.study.golden_replay import moved_by_rounding
from modelaudit.restore.golden_check import OutputReplay, ranked_gaps, with_rounding
from tests.probe.study.test_agreement import ARTIFACT

ONE = np.float32(1)
RATES = np.full((SAMPLES, 1), 3.95, "float32")  # chaotic: errors double with each step
STEADY = np.linspace(2.2, 2.8, SAMPLES, dtype="float32")[:, None]  # every error fades


def logistic(weight, rate):
    x = np.full_like(rate, 0.3)
    for _ in range(60):
        x = weight * rate * x * (ONE - x)
    return x


def reordered(weight, rate):
    """The same function; in float32 every step is rounded in another way."""
    x = np.full_like(rate, 0.3)
    for _ in range(60):
        x = weight * (rate * x - rate * (x * x))
    return x


class Held:
    """A session whose model is a function of one weight and one input."""

    def __init__(self, function, weight=ONE, dtype="float32") -> None:
        self.function, self.kept = function, {}
        self.stored = self.weight = np.atleast_1d(weight)
        self.observation = Observation(
            "here",
            "load_model",
            Status.LOADED,
            inputs=(Port("x", "float32", (None, 1)),),
            variables=(VariableDigest("w", (1,), dtype, ""),),
        )

    def put(self, arrays, *, drop=()):
        self.kept |= arrays

    def predict(self, feeds, *, batch_size=32):
        return {"y": self.function(self.weight, self.kept[feeds[0].put])}

    def variables(self, paths):
        return dict.fromkeys(paths, self.weight)

    def assign(self, values):
        self.weight = values["w"]

    def restore(self):
        self.weight = self.stored


def compared(rates, other, weight=ONE):
    first = Held(logistic)
    outputs = {"y": logistic(first.stored, rates)}
    rounded = moved_by_rounding(first, [rates], outputs, 1e-6)
    assert first.weight is first.stored
    reference = ReferenceRun(first.observation, (rates,), outputs, 0.0, rounded)
    return compare_with_reference(Held(other, weight), ARTIFACT, reference)


def with_chaotic(count):
    return np.concatenate([RATES[:count], STEADY[count:]])


def test_float_arithmetic_itself_is_as_far_from_the_exact_result():
    exact = logistic(np.ones(1), RATES.astype("float64"))
    assert np.abs(logistic(ONE, RATES) - exact).max() > 0.01
    assert np.abs(logistic(ONE, STEADY) - logistic(1.0, STEADY.astype("float64"))).max() < 1e-6


def test_what_rounding_explains_is_no_other_model():
    found = compared(with_chaotic(4), reordered)
    assert found.difference > 0.01
    assert found.same
    assert found.rounding > 0.01


@pytest.mark.parametrize("count", [0, 4])
def test_another_model_differs_where_rounding_does_not_matter(count):
    found = compared(with_chaotic(count), reordered, weight=np.float32(1.001))
    assert not found.same
    assert not found.not_compared


def test_where_rounding_moves_most_rows_nothing_is_compared():
    found = compared(with_chaotic(12), reordered)
    assert "rounding alone moves most of them" in found.not_compared


def test_steady_models_are_compared_as_before():
    found = compared(STEADY, reordered)
    assert (found.same, found.rounding) == (True, 0.0)
    assert found.tolerance < 1e-4


def test_weights_that_are_not_floating_point_numbers_are_not_rounded():
    counted = Held(lambda weight, rate: weight * rate, np.int64(1), "int64")
    assert not moved_by_rounding(counted, [RATES], {"y": RATES}, 0.0)


def test_ranks_are_compared_with_ranks():
    """By brute force: sorted differences against sorted limits."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        then, now = rng.normal(size=(2, 6, 3))
        rounded = np.sort(rng.exponential(0.1, 6))[::-1]
        gaps = ranked_gaps(now, then)
        rows = sorted(
            max(abs(a - b) for a, b in zip(*pair, strict=True))
            for pair in zip(now, then, strict=True)
        )[::-1]
        assert gaps.tolist() == rows
        found = with_rounding(OutputReplay("y", gaps[0], 0.5, 0.0), gaps, rounded)
        fits = all(gap <= max(0.5, 10 * limit) for gap, limit in zip(rows, rounded, strict=True))
        assert found.reproduced is fits
