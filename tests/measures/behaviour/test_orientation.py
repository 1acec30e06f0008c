import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures.behaviour.orientation import (
    information,
    orientation_profile,
)


def one_hot(n: int, k: int) -> np.ndarray:
    return np.eye(k)[np.arange(n) % k]


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
