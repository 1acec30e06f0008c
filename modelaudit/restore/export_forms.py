"""The forms that a weight can have in an export, and whether two are the same."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Kernel
from modelaudit.thresholds.restoration import EXPORT_ROUNDING

Array = NDArray[np.float64]


class Folding(Struct, frozen=True):
    """A normalization or rescaling as x · scale + shift, and the names of its weights.

    It is `before` the layer that it is folded into, or behind it.
    """

    scale: Array
    shift: Array
    names: tuple[str, ...]
    before: bool = False

    def kernel(self, kernel: Kernel, values: Array) -> Array | None:
        """The kernel that it is folded into; None if they do not fit."""
        if self.before:
            fits = self.scale.size in {1, values.shape[-2]} and kernel.axes != "hwoi"
            return _scaled(values, self.scale[:, None]) if fits else None
        if kernel.axes == "hwoi":
            fits = self.scale.size == values.shape[-2]
            return _scaled(values, self.scale[:, None]) if fits else None
        outputs = values.shape[-2:] if kernel.axes == "hwcm" else values.shape[-1:]
        fits = self.scale.size == math.prod(outputs)
        return _scaled(values, self.scale.reshape(outputs)) if fits else None

    def bias(self, values: Array, bias: Array) -> Array:
        """The bias behind that kernel, whose own values are given."""
        if self.before:
            added = _scaled(values, self.shift[:, None])
            total: Array = bias + added.reshape(-1, values.shape[-1]).sum(axis=0)
            return total
        return bias * self.scale + self.shift


def _scaled(values: Array, scale: Array) -> Array:
    product: Array = values * scale
    return product


def alike(one: Kernel, other: Kernel) -> bool:
    """Whether two kernels may be the same; one of one axis is exported with two."""
    shape = (1, *one.shape) if one.spatial == 1 else one.shape
    lone = shape[-2:-1] == (1,) and {one.kind, other.kind} == {"conv", "depthwise"}
    return other.shape in {shape, one.shape} and (one.kind == other.kind or lone)


def rounding(wanted: Array) -> float:
    """Distance up to which a value is the same."""
    return EXPORT_ROUNDING.value * float(np.abs(wanted).max(initial=0.0))


def beyond_steps(theirs: Array, wanted: Array, step: Array) -> float:
    """By how much the farthest value is beyond half a step, relative to the largest; 0 or less."""
    largest = float(np.abs(wanted).max(initial=0.0)) or 1.0
    beyond = float((np.abs(theirs - wanted) - step).max(initial=0.0))
    return beyond / largest - EXPORT_ROUNDING.value
