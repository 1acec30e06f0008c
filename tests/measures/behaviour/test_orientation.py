import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures.behaviour.orientation import (
    better_orientations,
    information,
    orientation_profile,
)


def one_hot(n: int, k: int) -> np.ndarray:
    return np.eye(k)[np.arange(n) % k]


def unsure(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.full((n, k), 1 / k) + np.random.default_rng(seed).normal(size=(n, k)) * 1e-3


@pytest.mark.parametrize("k", [2, 5, 10])
def test_extremes(k: int) -> None:
    assert information(one_hot(20 * k, k)) == pytest.approx(math.log2(k))
    assert information(np.full((50, k), 1 / k)) == 0
    assert information(np.tile(one_hot(1, k), (50, 1))) == 0
    assert information(np.empty((0, k))) == 0


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 6))
def test_information_is_that_of_the_joint_table(seed: int, n: int, k: int) -> None:
    """Oracle: mutual information from the joint distribution of input and class."""
    p = np.random.default_rng(seed).dirichlet(np.ones(k) * 0.4, size=n) + 1e-12
    p /= p.sum(axis=1, keepdims=True)
    joint = p / n
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    assert information(p) == pytest.approx((joint * np.log2(joint / outer)).sum(), abs=1e-9)


def judged(outputs: dict[str, np.ndarray], classes: int = 8) -> dict[str, float]:
    found = orientation_profile(outputs, np.random.default_rng(0))
    given = found.information["e"]
    return better_orientations(found.information, given, np.log2(classes), found.interval)


def test_the_seen_orientation_is_found() -> None:
    outputs = {"e": unsure(64, 8), "H": one_hot(64, 8), "V": unsure(64, 8, 1)}
    found = orientation_profile(outputs, np.random.default_rng(0))
    assert set(found.interval) == {"e", "H", "V"}
    assert found.interval["H"][0] > 2.5
    assert judged(outputs) == {"H": pytest.approx(3)}


def test_a_healthy_model_has_no_better_orientation() -> None:
    assert judged({"e": one_hot(64, 8), "H": unsure(64, 8)}) == {}


@pytest.mark.parametrize(
    ("best", "second", "found"),
    [(1.9, 1.2, True), (1.9, 1.4, False), (2.3, 2.2, True), (1.7, 0.1, False)],
)
def test_a_lone_peak_may_be_lower(best: float, second: float, found: bool) -> None:
    """Of 3 bits: 75 % suffice (2.25), or 60 % (1.8) if no other variant comes near."""
    assert bool(better_orientations({"H": best, "V": second}, 0.0, 3.0)) is found


def test_equally_good_variants_are_included() -> None:
    found = better_orientations({"e": 0.1, "T": 2.9, "r90": 2.95, "H": 0.2}, 0.1, 3.0)
    assert found == {"T": 2.9, "r90": 2.95}


def test_gains_within_sampling_error_or_without_classes_do_not_count() -> None:
    profile = {"e": 2.3, "H": 2.7}
    assert better_orientations(profile, 2.3, 3.0) == {"H": 2.7}
    assert better_orientations(profile, 2.3, 3.0, {"H": (2.2, 2.9)}) == {}
    assert better_orientations(profile, 2.5, 3.0) == {}
    assert better_orientations(profile, 0.0, 0.0) == {}
    assert better_orientations({}, 0.0, 3.0) == {}


def test_bootstrap_equals_single_resamples() -> None:
    p = np.random.default_rng(1).dirichlet(np.ones(4) * 0.3, size=50)
    found = orientation_profile({"e": p, "H": p[::-1]}, np.random.default_rng(4), draws=300)
    rng = np.random.default_rng(8)
    drawn = [information(p[rng.integers(0, 50, 50)]) for _ in range(300)]
    assert found.interval["e"] == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.06)


def test_several_sigmoids() -> None:
    on = np.arange(40) % 2
    p = np.stack([np.stack([1.0 - on, on], axis=1), np.full((40, 2), 0.5)], axis=1)
    assert information(p) == pytest.approx(0.5)
    found = orientation_profile({"e": np.full_like(p, 0.5), "H": p}, np.random.default_rng(0))
    assert found.information == {"e": 0, "H": pytest.approx(0.5)}
