import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures.orientation import information, orientation_profile


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


def test_the_seen_orientation_is_found() -> None:
    seen = one_hot(64, 8)
    found = orientation_profile(
        {"e": unsure(64, 8), "H": seen, "V": unsure(64, 8, 1)}, np.random.default_rng(0)
    )
    assert found.best == found.decided == "H"
    assert found.gain == pytest.approx(3, abs=0.01)
    assert found.gain_interval[0] > 2.5
    assert set(found.interval) == {"e", "H", "V"}


def test_a_healthy_model_is_left_alone() -> None:
    found = orientation_profile({"e": one_hot(64, 8), "H": unsure(64, 8)}, np.random.default_rng(0))
    assert found.best == "e"
    assert found.gain < -2
    assert found.decided is None


@pytest.mark.parametrize(
    ("n", "classes", "share"),
    [(16, None, 1.0), (64, 16, 1.0), (64, None, 0.5)],
)
def test_guards(n: int, classes: int | None, share: float) -> None:
    """Too few inputs; three of four bits expected; half of the inputs undecided."""
    seen = one_hot(n, 8)
    if classes == 16:
        seen[:, 7] = 0.0
        seen[np.arange(n) % 8 == 7, 0] = 1.0
    undecided = np.arange(n) % 16 >= 16 * share
    seen[undecided] = 1 / 8
    outputs = {"e": unsure(n, 8), "H": seen}
    found = orientation_profile(outputs, np.random.default_rng(0), classes=classes)
    assert found.best == "H"
    assert found.decided is None


def test_bootstrap_is_that_of_single_resamples() -> None:
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
    assert found.gain == pytest.approx(0.5)
