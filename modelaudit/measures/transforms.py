"""Transforms of a model's input that are signed permutations of its axes."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Shape
from modelaudit.measures.dihedral import DihedralElement, elements

S = TypeVar("S", bound=np.generic)
NO_CHANNELS = "no_channels"
# Of each orientation of images, the one that shows its mirror image.
_PAIRS = (("e", "H"), ("V", "r180"), ("r90", "AT"), ("r270", "T"))
MIRROR_OF = dict([*_PAIRS, *((b, a) for a, b in _PAIRS)])
_MIN_SIDE = 8  # minimum side of a square rank-3 input that is read as an image without channels


class Transform(Struct, frozen=True):
    """Permutes axes by `perm`, then reverses the axes in `flip`.

    Attributes:
        name: as in `measures.summary`.
        perm: axes of the input in the order of the result; axis 0 (the batch) is fixed.
        flip: axes to reverse afterwards.
        element: the group element.
        first_axis: first spatial axis of the input.
    """

    name: str
    perm: tuple[int, ...]
    flip: tuple[int, ...]
    element: DihedralElement
    first_axis: int

    def apply(self, x: NDArray[S]) -> NDArray[S]:
        """The transformed array, C-contiguous (runtimes do not accept negative strides)."""
        return np.ascontiguousarray(np.flip(x.transpose(self.perm), axis=self.flip))

    @property
    def inverse(self) -> Transform:
        """The inverse transform."""
        if self.element.involution:
            return self
        group = elements((1,) * len(self.element.perm))
        inverse = next(g for g in group if g.name == self.element.inverse)
        return _transform(inverse, len(self.perm), self.first_axis)

    def undo_on_output(self, y: NDArray[S], first_axis: int | None = None) -> NDArray[S]:
        """Apply the inverse transform to a spatial output.

        Args:
            y: output for transformed inputs, (n, *spatial, ...) or (n, channels, *spatial).
            first_axis: first spatial axis of `y`; by default that of the input, or 1 if `y` has no
                channel axis.

        Raises:
            ValueError: `y` has too few axes.
        """
        rank = len(self.element.perm)
        if first_axis is None:
            first_axis = self.first_axis if y.ndim >= self.first_axis + rank else 1
        if y.ndim < first_axis + rank:
            raise ValueError(f"an output of {y.ndim} axes has no {rank} spatial ones")
        moved = self.inverse.element.apply(y, first_axis)
        return np.ascontiguousarray(moved)


def transforms_for(input_shape: Shape, data_format: str = "channels_last") -> tuple[Transform, ...]:
    """All transforms of an input that preserve its shape, without the identity.

    Args:
        input_shape: with the batch axis; rank 3 to 5 with channels, 2 to 4 without.
        data_format: channels_last, channels_first, or `NO_CHANNELS`.

    Returns:
        D4 for square images; H, V and r180 for other images; `flip` for sequences; x0 to x2 for
        volumes; empty for other ranks.
    """
    first = 2 if data_format == "channels_first" else 1
    spatial = spatial_sizes(input_shape, data_format)
    # A flip of an axis of one value changes nothing, and one of the others is told without it.
    return tuple(
        _transform(g, len(input_shape), first)
        for g in elements(spatial)
        if any(size != 1 for size in spatial)
        and all(size != 1 for size, reverse in zip(spatial, g.flip, strict=True) if reverse)
    )


def spatial_sizes(input_shape: Shape, data_format: str = "channels_last") -> Shape:
    """Sizes of the spatial axes."""
    if data_format == NO_CHANNELS:
        return input_shape[1:]
    return input_shape[2:] if data_format == "channels_first" else input_shape[1:-1]


def layout_of(input_shape: Shape, data_format: str = "channels_last") -> str:
    """The data format, or `NO_CHANNELS` for an image of shape (n, side, side)."""
    if len(input_shape) == 3:
        height, width = input_shape[1:]
        if height is not None and height == width and height >= _MIN_SIDE:
            return NO_CHANNELS
    return data_format


def _transform(element: DihedralElement, ndim: int, first: int) -> Transform:
    rank = len(element.perm)
    perm = list(range(ndim))
    perm[first : first + rank] = [first + axis for axis in element.perm]
    flip = tuple(first + axis for axis, reverse in enumerate(element.flip) if reverse)
    return Transform(element.name, tuple(perm), flip, element, first)
