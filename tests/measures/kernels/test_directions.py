"""Directional parts of filters, against Sobel and Laplace filters and an explicit basis."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.kernels.directions import kernel_directions, part_energies
from modelaudit.measures.kernels.symmetry import kernel_symmetry
from modelaudit.measures.kernels.values import KernelValues
from modelaudit.structs import replace

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)  # changes from left to right
BAR = np.array([[-1, 2, -1]] * 3, float) - np.array([[-1, 2, -1]] * 3, float).T
DIAGONAL = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], float)
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float)
PARTS = ("left-right", "up-down", "bars", "diagonal")


def values_of(filters: np.ndarray) -> KernelValues:
    """Filters (side, side, in, out) as a loaded kernel."""
    side = filters.shape[0]
    matrix = filters.reshape(side * side, -1)
    return KernelValues(
        matrix, filters.shape, (side, side), matrix.shape[1], False, matrix.min(), matrix.max()
    )


@pytest.mark.parametrize(
    ("pattern", "leading"),
    [
        (SOBEL, "left-right"),
        (SOBEL.T, "up-down"),
        (BAR, "bars"),
        (DIAGONAL, "diagonal"),
        (LAPLACE, "none"),
    ],
)
def test_known_filters_lead_in_their_part(pattern: np.ndarray, leading: str) -> None:
    noise = np.random.default_rng(1).normal(scale=0.05, size=(3, 3, 3, 16))
    filters = pattern[..., None, None] + noise
    found = kernel_directions(kernel_symmetry(values_of(filters), "c", "conv"))
    assert found is not None
    assert found.leading == leading
    assert found.shares[leading].share > 0.9


def test_a_dense_layer_behind_flatten_has_the_directions_of_its_positions() -> None:
    """Its stored shape is (positions * channels, units): the side is not its first axis."""
    filters = SOBEL[..., None, None] + np.random.default_rng(1).normal(size=(3, 3, 4, 2)) / 20
    conv = kernel_symmetry(values_of(filters), "c", "conv")
    dense = kernel_symmetry(replace(values_of(filters), shape=(36, 2)), "c", "dense")
    assert kernel_directions(dense).shares == kernel_directions(conv).shares


def test_random_filters_have_no_leading_part_and_the_expected_shares() -> None:
    rng = np.random.default_rng(2)
    for side in (3, 5):
        filters = rng.normal(size=(side, side, 8, 64))
        found = kernel_directions(kernel_symmetry(values_of(filters), "c", "conv"))
        assert found is not None
        assert found.leading == ""
        assert sum(each.expected for each in found.shares.values()) == pytest.approx(1)
        assert sum(each.share for each in found.shares.values()) == pytest.approx(1)
        assert all(abs(each.z) < 4 for each in found.shares.values())


def test_shares_are_those_of_projections_on_an_explicit_basis() -> None:
    """The parts of 3 x 3 filters, spanned by vectors written out by hand."""
    corner, edge = np.zeros((3, 3)), np.zeros((3, 3))
    corner[::2, ::2] = [[-1, 1], [-1, 1]]
    edge[1, ::2] = [-1, 1]
    cross = np.array([[0, 1, 0], [-1, 0, -1], [0, 1, 0]], float)
    bases = {
        "left-right": (corner, edge),
        "up-down": (corner.T, edge.T),
        "bars": (cross,),
        "diagonal": (DIAGONAL,),
    }
    filters = np.random.default_rng(3).normal(size=(3, 3, 2, 5))
    filters -= filters.mean(axis=(0, 1))
    found = kernel_directions(kernel_symmetry(values_of(filters), "c", "conv"))
    assert found is not None
    for part in PARTS:
        unit = [each / np.linalg.norm(each) for each in bases[part]]
        explicit = sum(np.einsum("hw,hwio->io", each, filters) ** 2 for each in unit).sum(axis=0)
        assert np.allclose(part_energies(filters, part), explicit)
        assert found.shares[part].share == pytest.approx(explicit.sum() / (filters**2).sum())


def test_kernels_that_are_not_square_have_no_shares() -> None:
    filters = np.random.default_rng(4).normal(size=(3, 5, 2, 8))
    values = KernelValues(filters.reshape(15, -1), filters.shape, (3, 5), 16, False, -1.0, 1.0)
    assert kernel_directions(kernel_symmetry(values, "c", "conv")) is None
