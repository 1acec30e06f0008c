import math

import numpy as np
import pytest

from modelaudit.measures.kernels import filter_health
from tests.measures.kernels.test_symmetry import values_of

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("slices", [96, 512, 4096])
def test_random_slices_have_the_entropy_of_random_ones(slices: int) -> None:
    found = filter_health.variance_entropy(RNG.normal(size=(9, slices)))
    assert found / filter_health.random_entropy(slices) == pytest.approx(1.0, abs=0.03)


def test_redundant_slices_have_none() -> None:
    one = np.outer(RNG.normal(size=9), RNG.normal(size=500))
    assert filter_health.variance_entropy(one) == pytest.approx(0, abs=1e-6)
    assert filter_health.variance_entropy(np.ones((9, 100))) == 0


def test_entropy_of_equal_variances_is_log_of_their_number() -> None:
    basis = np.concatenate([np.eye(9), -np.eye(9)], axis=1)
    assert filter_health.variance_entropy(basis) == pytest.approx(math.log10(9))
    assert filter_health.variance_entropy(basis[:, [0, 1, 9, 10]]) == pytest.approx(math.log10(2))


def test_orthogonality() -> None:
    assert filter_health.orthogonality(np.eye(6)) == 1
    assert filter_health.orthogonality(np.ones((6, 4))) == pytest.approx(0)
    assert filter_health.orthogonality(np.array([[1.0, 1.0], [0.0, 1.0]])) == pytest.approx(
        1 - 0.5**0.5
    )
    assert filter_health.orthogonality(RNG.normal(size=(400, 600))) > 0.9


def test_sparsity_counts_slices_far_below_the_largest_weight() -> None:
    kernel = RNG.uniform(0.5, 1, size=(3, 3, 8, 8))
    kernel[:, :, 0] *= 1e-3
    found = filter_health.filter_health(values_of(kernel))
    assert found["sparsity"] == pytest.approx(1 / 8)
    assert set(found) == {"sparsity", "variance_entropy", "relative_entropy", "orthogonality"}


def test_what_is_not_defined_is_left_out() -> None:
    assert set(filter_health.filter_health(values_of(RNG.normal(size=(3, 3, 2, 8))))) == {
        "sparsity",
        "orthogonality",
    }
    assert set(filter_health.filter_health(values_of(RNG.normal(size=(5, 5, 16, 1))))) == {
        "sparsity"
    }
