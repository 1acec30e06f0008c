import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures import dihedral

NUMPY = {
    "H": lambda a: a[:, ::-1],
    "V": lambda a: a[::-1],
    "r90": np.rot90,
    "r180": lambda a: np.rot90(a, 2),
    "r270": lambda a: np.rot90(a, 3),
    "T": lambda a: a.T,
    "AT": lambda a: np.rot90(a, 2).T,
}
SQUARE = {g.name: g for g in dihedral.elements((3, 3))}


def test_elements_are_numpy_s_flips_and_turns() -> None:
    image = np.arange(25).reshape(5, 5)
    assert set(SQUARE) == set(NUMPY)
    for name, move in NUMPY.items():
        assert np.array_equal(SQUARE[name].apply(image), move(image)), name


def test_spatial_axes_can_be_at_any_position() -> None:
    batch = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    for name, move in NUMPY.items():
        moved = SQUARE[name].apply(batch, first_axis=1)
        for n, c in itertools.product(range(2), range(3)):
            assert np.array_equal(moved[n, :, :, c], move(batch[n, :, :, c])), name


def test_group_by_shape() -> None:
    assert [g.name for g in dihedral.elements((7,))] == ["flip"]
    assert [g.name for g in dihedral.elements((3, 5))] == ["H", "V", "r180"]
    assert [g.name for g in dihedral.elements((None, None))] == ["H", "V", "r180"]
    assert [g.name for g in dihedral.elements((3, 3, 3))] == ["x0", "x1", "x2"]
    assert dihedral.elements(()) == dihedral.elements((2, 2, 2, 2)) == ()
    assert [g.name for g in dihedral.axis_flips((3, 3))] == ["H", "V"]


@given(st.integers(1, 6), st.sampled_from(sorted(SQUARE)))
def test_inverse_undoes(side: int, name: str) -> None:
    image = np.arange(side * side).reshape(side, side)
    g = SQUARE[name]
    assert np.array_equal(SQUARE[g.inverse].apply(g.apply(image)), image)


@given(st.integers(1, 6), st.sampled_from(sorted(SQUARE)))
def test_index_map_moves_flattened_kernels(side: int, name: str) -> None:
    kernel = np.arange(side * side) * 7
    moved = NUMPY[name](kernel.reshape(side, side))
    mapping = dihedral.index_map(SQUARE[name], (side, side))
    assert np.array_equal(kernel[mapping], moved.ravel())


def test_volume_flips_reverse_one_axis() -> None:
    volume = np.arange(24).reshape(2, 3, 4)
    for axis, g in enumerate(dihedral.elements((2, 3, 4))):
        assert np.array_equal(g.apply(volume), np.flip(volume, axis))


@pytest.mark.parametrize("side", [2, 3, 4, 5, 7])
def test_irrep_dimensions_are_ranks_of_the_projections(side: int) -> None:
    """Oracle: the rank of each projection as a matrix."""
    n = side * side
    moves = {"e": np.eye(n)}
    for name, move in NUMPY.items():
        order = move(np.arange(n).reshape(side, side)).ravel()
        moves[name] = np.eye(n)[order]
    expected = {}
    for name, characters in dihedral.CHARACTERS.items():
        total = sum(chi * moves[g] for g, chi in characters.items())
        expected[name] = np.linalg.matrix_rank(dihedral.DIMENSIONS[name] / 8 * total)
    assert dihedral.irrep_dimensions(side) == expected


def test_characters_are_orthonormal() -> None:
    names = list(dihedral.CHARACTERS["A1"])
    table = np.array([[row[g] for g in names] for row in dihedral.CHARACTERS.values()])
    assert np.array_equal(table @ table.T / 8, np.eye(5))
