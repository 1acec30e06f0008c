import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.errors import ReadError
from modelaudit.measures.kernels.initializers import uniform
from modelaudit.measures.kernels.law_fit import law_fit
from modelaudit.measures.kernels.symmetry import kernel_symmetry
from modelaudit.measures.kernels.values import load_kernel
from tests.measures.artifacts import kernel, tensor


def load(values: np.ndarray, max_weights: int = 1 << 23, **facts: object):
    return load_kernel(kernel("k", values.shape, **facts), tensor("k/kernel", values), max_weights)


def test_slices_are_columns() -> None:
    values = np.random.default_rng(0).normal(size=(3, 2, 4, 5)).astype(np.float32)
    found = load(values)
    assert found.sizes == (3, 2)
    assert found.slices == 20
    assert np.array_equal(found.matrix[:, 7], values[:, :, 1, 2].ravel())
    assert np.array_equal(found.filters()[:, 1, 2], values[:, :, 1, 2].ravel())


def test_dense_after_a_flatten_is_a_kernel_over_the_grid() -> None:
    values = np.random.default_rng(0).normal(size=(4 * 3 * 2, 5)).astype(np.float32)
    found = load(values, grid=(4, 3, 2))
    assert found.sizes == (4, 3)
    assert np.array_equal(found.matrix[:, 5], values.reshape(4, 3, 2, 5)[:, :, 1, 0].ravel())


def test_similarity_of_units_is_the_mean_of_their_cosines() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(3, 3, 4, 1)) + rng.normal(0, 0.3, (3, 3, 4, 12))).astype(np.float32)
    units = values.reshape(-1, 12).astype(np.float64)
    units /= np.linalg.norm(units, axis=0)
    cosines = [units[:, i] @ units[:, j] for i in range(12) for j in range(i)]
    assert load(values).unit_similarity == pytest.approx(np.mean(cosines), abs=1e-5)
    assert load(np.repeat(values[..., :1], 12, axis=-1)).unit_similarity == 1
    assert load(rng.normal(size=(20, 12)).astype(np.float32)).unit_similarity == 0
    assert load(np.ones((20, 12), np.float32)).unit_similarity == 0


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 30), st.integers(4, 200))
def test_samples_are_columns_of_the_whole(k: int, cin: int, cout: int, most: int) -> None:
    values = np.arange(k * k * cin * cout, dtype=np.float32).reshape(k, k, cin, cout)
    found = load(values, most)
    whole = values.reshape(k * k, -1)
    assert found.sampled == (values.size > most)
    if found.sampled:
        assert found.matrix.shape[1] == max(1, most // (k * k))
        assert found.slices == cin * cout
    columns = found.matrix[0].astype(int)
    assert len(set(columns)) == len(columns)
    assert np.array_equal(found.matrix, whole[:, columns])
    assert (found.minimum, found.maximum) == (whole.min(), whole.max())


def test_a_sample_gives_the_same_measures_as_the_whole() -> None:
    values = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    values += 0.7 * values[:, ::-1]
    whole = kernel_symmetry(load(values), "k", "conv")
    part = kernel_symmetry(load(values, 9 * 1024), "k", "conv")
    assert part.slices == whole.slices
    assert part.score["H"] == pytest.approx(whole.score["H"], abs=0.03)
    with pytest.raises(ValueError, match="sampled"):
        load(values, 9 * 1024).filters()


def test_large_kernels_without_spatial_axes_have_a_smaller_sample() -> None:
    """Its distribution is tested on 65,536 weights; the range is that of all."""
    values = np.random.default_rng(0).uniform(-1, 1, (1 << 12, (1 << 11) + 1)).astype(np.float32)
    values[17, 5] = 1
    whole, found = load(values, values.size), load(values)
    assert (whole.sampled, found.sampled) == (False, True)
    assert found.matrix.shape == (1, 1 << 20)
    assert found.weights == whole.weights == values.size
    assert (found.minimum, found.maximum) == (values.min(), 1)
    for limit, fits in ((1.0, True), (1.02, False)):  # 65,536 weights tell 2 %
        law = uniform(limit)
        assert [law_fit(law, each, 0.0).fits(0.01) for each in (whole, found)] == [fits, fits]
    assert load(values[:, 1:].reshape(2, 2, 1 << 10, -1), 1 << 22).matrix.shape == (4, 1 << 20)


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        (np.full((3, 3, 2, 2), np.nan, np.float32), {}),
        (np.full((3, 3, 2, 2), np.inf, np.float32), {}),
        (np.ones((3, 3, 2, 2), np.int8), {}),
        (np.ones((3, 3, 2, 2), np.complex64), {}),
        (np.ones((3, 3, 2, 0), np.float32), {}),
        (np.ones((5, 4), np.float32), {"grid": (2, 2, 2)}),
        (np.ones((5, 4), np.float32), {"spatial": 3}),
        (np.full((3, 3), "x"), {}),
    ],
)
def test_tensors_that_are_not_kernels_are_rejected(values: np.ndarray, facts: dict) -> None:
    with pytest.raises(ReadError):
        load(values, **facts)
    with pytest.raises(ReadError):
        load(values, 4, **facts)


def test_short_floats_are_converted() -> None:
    assert load(np.ones((3, 3, 1, 1), np.float16)).matrix.dtype == np.float32
    assert load(np.ones((3, 3, 1, 1), np.float64)).matrix.dtype == np.float64


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_a_sample_knows_of_values_that_are_not_finite_outside_it(odd: float) -> None:
    values = np.ones((100, 100), np.float32)
    values[-1, -1] = odd
    with pytest.raises(ReadError, match="non-finite"):
        load(values, 50)
