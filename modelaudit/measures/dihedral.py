"""Finite groups acting on spatial axes, as signed permutations of axes and as index maps.

Two axes of equal size (height, width) have the dihedral group D4; unequal axes only its flips and
the half turn; one axis its flip; three axes their axis flips. `H` is left-right (width reversed),
`V` up-down, `r90` a counter-clockwise quarter turn (as `numpy.rot90`), `T` the transposition, `AT`
the transposition across the other diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)


class DihedralElement(Struct, frozen=True):
    """A group element: permutes the spatial axes by `perm`, then reverses the axes in `flip`.

    `inverse` is the name of the inverse element, which is `name` itself for an involution.
    """

    name: str
    perm: tuple[int, ...]
    flip: tuple[bool, ...]
    inverse: str

    @property
    def involution(self) -> bool:
        """Whether applying the element twice is the identity."""
        return self.inverse == self.name

    def apply(self, array: NDArray[S], first_axis: int = 0) -> NDArray[S]:
        """A view of `array`, whose spatial axes start at `first_axis`, under this element."""
        spatial = range(first_axis, first_axis + len(self.perm))
        axes = list(range(array.ndim))
        axes[first_axis : first_axis + len(self.perm)] = [first_axis + axis for axis in self.perm]
        turned = array.transpose(axes)
        reverse = tuple(axis for axis, flipped in zip(spatial, self.flip, strict=True) if flipped)
        return np.flip(turned, axis=reverse)


_D4 = (
    DihedralElement("H", (0, 1), (False, True), "H"),
    DihedralElement("V", (0, 1), (True, False), "V"),
    DihedralElement("r90", (1, 0), (True, False), "r270"),
    DihedralElement("r180", (0, 1), (True, True), "r180"),
    DihedralElement("r270", (1, 0), (False, True), "r90"),
    DihedralElement("T", (1, 0), (False, False), "T"),
    DihedralElement("AT", (1, 0), (True, True), "AT"),
)
_RECTANGLE = tuple(element for element in _D4 if element.perm == (0, 1))
_SEQUENCE = (DihedralElement("flip", (0,), (True,), "flip"),)
_VOLUME = tuple(
    DihedralElement(f"x{axis}", (0, 1, 2), (axis == 0, axis == 1, axis == 2), f"x{axis}")
    for axis in range(3)
)

# Characters of D4's irreducible representations; `DIMENSIONS` are the values at the identity.
DIMENSIONS: Mapping[str, int] = MappingProxyType({"A1": 1, "A2": 1, "B1": 1, "B2": 1, "E": 2})
CHARACTERS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "A1": {"e": 1, "r90": 1, "r180": 1, "r270": 1, "H": 1, "V": 1, "T": 1, "AT": 1},
        "A2": {"e": 1, "r90": 1, "r180": 1, "r270": 1, "H": -1, "V": -1, "T": -1, "AT": -1},
        "B1": {"e": 1, "r90": -1, "r180": 1, "r270": -1, "H": 1, "V": 1, "T": -1, "AT": -1},
        "B2": {"e": 1, "r90": -1, "r180": 1, "r270": -1, "H": -1, "V": -1, "T": 1, "AT": 1},
        "E": {"e": 2, "r90": 0, "r180": -2, "r270": 0, "H": 0, "V": 0, "T": 0, "AT": 0},
    }
)


def elements(sizes: Sequence[int | None]) -> tuple[DihedralElement, ...]:
    """The group on axes of these sizes, without the identity; empty for more than three axes.

    Two axes of unknown or unequal size have no quarter turns and no transpositions.
    """
    if len(sizes) == 1:
        return _SEQUENCE
    if len(sizes) == 2:
        square = sizes[0] is not None and sizes[0] == sizes[1]
        return _D4 if square else _RECTANGLE
    return _VOLUME if len(sizes) == 3 else ()


def axis_flips(sizes: Sequence[int | None]) -> tuple[DihedralElement, ...]:
    """Elements that reverse exactly one axis and do not permute axes."""
    return tuple(
        element
        for element in elements(sizes)
        if element.perm == tuple(range(len(sizes))) and sum(element.flip) == 1
    )


@lru_cache(maxsize=512)
def index_map(element: DihedralElement, sizes: tuple[int, ...]) -> NDArray[np.intp]:
    """`m` with (gK).ravel() == K.ravel()[m] for K of shape `sizes` (read-only, intp)."""
    grid = np.arange(int(np.prod(sizes)), dtype=np.intp).reshape(sizes)
    moved = np.ascontiguousarray(element.apply(grid)).reshape(-1).astype(np.intp)
    moved.flags.writeable = False
    return moved


def fixed_points(element: DihedralElement, sizes: tuple[int, ...]) -> int:
    """Number of positions that the element maps to themselves."""
    mapping = index_map(element, sizes)
    return int(np.count_nonzero(mapping == np.arange(mapping.size)))


def irrep_dimensions(side: int) -> dict[str, int]:
    """Number of dimensions of `side` x `side` kernels per irreducible representation of D4.

    From the inner product of characters: (d / 8) * sum over g of chi(g) * fix(g).
    """
    sizes = (side, side)
    fixed = {"e": side * side} | {g.name: fixed_points(g, sizes) for g in _D4}
    return {
        name: DIMENSIONS[name] * sum(chi * fixed[g] for g, chi in character.items()) // 8
        for name, character in CHARACTERS.items()
    }
