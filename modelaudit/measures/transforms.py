"""Transforms of a model's input: signed permutations of axes, and changes of the value range."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Shape
from modelaudit.measures.dihedral import DihedralElement, elements
from modelaudit.thresholds.answers import BYTES

S = TypeVar("S", bound=np.generic)
NO_CHANNELS = "no_channels"
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


class DomainTransform(Struct, frozen=True):
    """Scales values by `scale`, adds `offset`, and reverses the axes in `flip`."""

    name: str
    scale: float = 1.0
    offset: float = 0.0
    flip: tuple[int, ...] = ()

    def apply(self, x: NDArray[np.generic]) -> NDArray[np.float32]:
        """The transformed array, as float32."""
        scaled = (x.astype(np.float32) * np.float32(self.scale)) + np.float32(self.offset)
        return np.ascontiguousarray(np.flip(scaled, axis=self.flip))


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
    return tuple(_transform(g, len(input_shape), first) for g in elements(spatial))


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


def domain_transforms(x: NDArray[np.generic], colours: int | None) -> tuple[DomainTransform, ...]:
    """Value transforms that undo common preprocessing mistakes, depending on the range of `x`.

    Bytes (magnitudes over `BYTES`) are divided; values around 0 are mapped to [0, 1] and [0, 255];
    other values are divided, multiplied or stretched. Inversion stays in the range: 1 - x for
    [0, 1], 255 - x for [0, 255]. Standardised values have mean 0 and standard deviation 1.

    Args:
        x: the original inputs.
        colours: axis of red, green and blue; None if there is none.
    """
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    if max(-low, high) > BYTES.value:
        scales = [DomainTransform("/255", 1 / 255), DomainTransform("x/127.5-1", 1 / 127.5, -1.0)]
    elif low < 0:
        scales = [
            DomainTransform("*255", 255.0),
            DomainTransform("(x+1)/2", 0.5, 0.5),
            DomainTransform("127.5(x+1)", 127.5, 127.5),
        ]
    else:
        scales = [
            DomainTransform("/255", 1 / 255),
            DomainTransform("*255", 255.0),
            DomainTransform("2x-1", 2.0, -1.0),
        ]
    scales.append(DomainTransform("1-x", -1.0, low + high))
    mean, deviation = (float(x.mean()), float(x.std())) if x.size else (0.0, 0.0)
    if deviation > 0:
        scales.append(DomainTransform("standardised", 1 / deviation, -mean / deviation))
    if colours is not None:
        scales.append(DomainTransform("BGR", flip=(colours,)))
    return tuple(scales)


def colour_axis(shape: Shape, moves: Iterable[Transform]) -> int | None:
    """Axis of the three colours of images (n, ...) with these transforms; None if there is none."""
    first = next((move.first_axis for move in moves if len(move.element.perm) == 2), None)
    axis = {1: 3, 2: 1}.get(first or 0)
    return axis if axis is not None and len(shape) == 4 and shape[axis] == 3 else None


def _transform(element: DihedralElement, ndim: int, first: int) -> Transform:
    rank = len(element.perm)
    perm = list(range(ndim))
    perm[first : first + rank] = [first + axis for axis in element.perm]
    flip = tuple(first + axis for axis, reverse in enumerate(element.flip) if reverse)
    return Transform(element.name, tuple(perm), flip, element, first)
