import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelaudit.measures.dihedral import CHARACTERS, DIMENSIONS, elements
from modelaudit.measures.kernels.symmetry import (
    even_baseline,
    is_lowpass,
    kernel_symmetry,
)
from modelaudit.measures.kernels.values import KernelValues

KERNELS = arrays(
    np.float64,
    st.integers(2, 5).flatmap(
        lambda k: st.tuples(st.just(k), st.just(k), *[st.integers(1, 3)] * 2)
    ),
    elements=st.floats(-5, 5, width=32),
)
INVOLUTIONS = ("H", "V", "r180", "T", "AT")


def values_of(kernel: np.ndarray, spatial: int = 2) -> KernelValues:
    sizes = kernel.shape[:spatial]
    matrix = kernel.reshape(int(np.prod(sizes)), -1)
    return KernelValues(
        matrix, kernel.shape, sizes, matrix.shape[1], False, matrix.min(), matrix.max()
    )


def measured(kernel: np.ndarray, spatial: int = 2):
    return kernel_symmetry(values_of(kernel, spatial), "conv", "conv")


def move(name: str, kernel: np.ndarray) -> np.ndarray:
    return {
        "e": lambda a: a,
        "H": lambda a: a[:, ::-1],
        "V": lambda a: a[::-1],
        "r90": np.rot90,
        "r180": lambda a: a[::-1, ::-1],
        "r270": lambda a: np.rot90(a, 3),
        "T": lambda a: a.swapaxes(0, 1),
        "AT": lambda a: a[::-1, ::-1].swapaxes(0, 1),
    }[name](kernel)


def centred(kernel: np.ndarray) -> np.ndarray:
    return kernel - kernel.mean(axis=(0, 1), keepdims=True)


@given(KERNELS)
def test_energies_equal_those_of_the_projections(kernel: np.ndarray) -> None:
    """Oracle: project every slice and sum squares."""
    ac = centred(kernel)
    if (ac**2).sum() < 1e-3:
        return
    found = measured(kernel)
    assert sum(found.energies.values()) == pytest.approx(1, abs=1e-9)
    for name, characters in CHARACTERS.items():
        projected = DIMENSIONS[name] / 8 * sum(chi * move(g, ac) for g, chi in characters.items())
        share = (projected**2).sum() / (ac**2).sum()
        assert found.energies[name] == pytest.approx(share, abs=1e-9)


@given(KERNELS)
def test_even_fraction_is_that_of_the_even_part(kernel: np.ndarray) -> None:
    ac = centred(kernel)
    if (ac**2).sum() < 1e-3:
        return
    found = measured(kernel)
    for g, even in found.even.items():
        part = (ac + move(g, ac)) / 2
        assert even == pytest.approx((part**2).sum() / (ac**2).sum(), abs=1e-9)


@pytest.mark.parametrize("g", INVOLUTIONS)
@pytest.mark.parametrize("side", [2, 3, 4, 5])
def test_scores_of_constructed_kernels(g: str, side: int) -> None:
    kernel = np.random.default_rng(side).normal(size=(side, side, 4, 6))
    even, odd = kernel + move(g, kernel), kernel - move(g, kernel)
    assert measured(even).score[g] == pytest.approx(1)
    baseline = measured(odd).baseline[g]
    assert measured(odd).score[g] == pytest.approx(-baseline / (1 - baseline))
    assert measured(even).z[g] > 3
    assert measured(odd).z[g] < -3


@given(KERNELS, st.floats(-100, 100, width=32))
def test_a_constant_added_to_every_slice_changes_nothing(kernel: np.ndarray, dc: float) -> None:
    if (centred(kernel) ** 2).sum() < 1e-2:
        return
    plain, raised = measured(kernel), measured(kernel + dc)
    assert raised.score == pytest.approx(plain.score, abs=1e-6)


@pytest.mark.parametrize(
    ("side", "h", "r180", "t"),
    [
        (2, 0.3333, 0.3333, 0.6667),
        (3, 0.6250, 0.5000, 0.6250),
        (4, 0.4667, 0.4667, 0.6000),
        (5, 0.5833, 0.5000, 0.5833),
        (7, 0.5625, 0.5000, 0.5625),
    ],
)
def test_baselines(side: int, h: float, r180: float, t: float) -> None:
    """Computed by hand from the number of fixed positions."""
    group = {g.name: g for g in elements((side, side))}
    found = [round(even_baseline(group[g], (side, side)), 4) for g in ("H", "V", "r180", "T", "AT")]
    assert found == [h, h, r180, t, t]


@pytest.mark.parametrize(
    "shape", [(3, 3, 4, 8), (5, 5, 3, 4), (4, 4, 2, 8), (3, 5, 4, 4), (2, 2, 8, 8)]
)
def test_z_is_standard_normal_under_the_null(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    z = [list(measured(rng.normal(size=shape)).z.values()) for _ in range(800)]
    assert np.abs(np.mean(z, axis=0)).max() < 0.1
    assert 0.9 < np.std(z, axis=0).min() <= np.std(z, axis=0).max() < 1.1


def test_one_axis_and_three_axes() -> None:
    rng = np.random.default_rng(1)
    sequence = rng.normal(size=(5, 3, 4))
    found = measured(sequence + sequence[::-1], 1)
    assert set(found.score) == {"flip"}
    assert found.score["flip"] == pytest.approx(1)
    assert found.energies == {}
    volume = rng.normal(size=(3, 3, 3, 2, 4))
    found = measured(volume + volume[:, ::-1], 3)
    assert found.score["x1"] == pytest.approx(1)
    assert max(abs(found.z["x0"]), abs(found.z["x2"])) < 4


def test_oblong_kernels_have_no_quarter_turns() -> None:
    found = measured(np.random.default_rng(2).normal(size=(3, 5, 2, 4)))
    assert set(found.score) == {"H", "V", "r180"}
    assert found.energies == {}


def test_a_single_row_has_no_up_and_down() -> None:
    found = measured(np.random.default_rng(2).normal(size=(1, 5, 2, 4)))
    assert set(found.score) == {"H", "r180"}


@pytest.mark.parametrize(
    "kernel", [np.ones((1, 1, 3, 4)), np.ones((3, 3, 3, 4)), np.zeros((3, 3, 1, 1))]
)
def test_undefined_scores_are_not_called_symmetric(kernel: np.ndarray) -> None:
    found = measured(kernel)
    assert found.undefined
    assert not found.score
    assert not found.even


def test_lowpass_is_a_fixed_blur_only() -> None:
    binomial = np.outer([1, 2, 1], [1, 2, 1]) / 16
    blur = np.repeat(binomial[:, :, None, None], 8, axis=2)
    assert is_lowpass(values_of(blur))
    assert not is_lowpass(values_of(blur * 2))
    shifted = np.roll(blur, 1, axis=0)
    assert not is_lowpass(values_of(shifted))
    learned = np.random.default_rng(0).uniform(0, 0.2, size=(3, 3, 8, 1))
    assert not is_lowpass(values_of(learned))


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_one_dead_filter_does_not_matter(seed: int) -> None:
    kernel = np.random.default_rng(seed).normal(size=(3, 3, 2, 4))
    dead = np.concatenate([kernel, np.zeros((3, 3, 2, 1))], axis=3)
    assert measured(dead).score == pytest.approx(measured(kernel).score)
