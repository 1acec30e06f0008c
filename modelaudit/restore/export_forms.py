"""The forms that a weight can have in an export, and whether two are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Kernel
from modelaudit.thresholds.restoration import EXPORT_ROUNDING, EXPORT_STEP

Array = NDArray[np.float64]

FEW_WEIGHTS = 6  # for each output channel


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


Folded = tuple[tuple[Folding, ...], Array]


def foldings(kernel: Kernel, values: Array, norms: Sequence[Folding]) -> list[Folded]:
    """The forms of a kernel with what may be folded into it, from most to nothing."""
    found: list[Folded] = [((), values)]
    for norm in sorted(norms, key=lambda each: not each.before):
        for used, given in [*found]:
            folded = norm.kernel(kernel, given)
            # One from each side at most: those before come first.
            if folded is not None and all(each.before and not norm.before for each in used):
                found.insert(0, ((*used, norm), folded))
    return sorted(found, key=lambda each: -len(each[0]))


def _scaled(values: Array, scale: Array) -> Array:
    product: Array = values * scale
    return product


def refolded(kernel: Kernel, theirs: Array, mine: Array, step: Array) -> bool:
    """Whether an exported kernel is that of the source, each output channel times a factor.

    So it is if a normalization was folded in with other numbers. Kernels with few weights for an
    output do not show it.

    Args:
        theirs, mine: values of the export and of the source.
        step: half a step of the numbers of `theirs`.
    """
    outputs = {"hwoi": (-2,), "hwcm": (-2, -1)}.get(kernel.axes, (-1,))
    moved = [np.moveaxis(each, outputs, range(-len(outputs), 0)) for each in (theirs, mine, step)]
    width = math.prod(moved[0].shape[-len(outputs) :])
    got, wanted, half = (each.reshape(-1, width) for each in moved)
    if len(got) < FEW_WEIGHTS:
        return False
    norms = (wanted**2).sum(axis=0)
    factors = (got * wanted).sum(axis=0) / np.where(norms > 0, norms, 1.0)
    # The factors are fitted to rounded values, which leaves more than half a step.
    return beyond_steps(got, wanted * factors, 2 * half) <= 0


def alike(one: Kernel, other: Kernel) -> bool:
    """Whether two kernels may be the same; one of one axis is exported with two."""
    shape = (1, *one.shape) if one.spatial == 1 else one.shape
    lone = shape[-2:-1] == (1,) and {one.kind, other.kind} == {"conv", "depthwise"}
    return other.shape in {shape, one.shape} and (one.kind == other.kind or lone)


def rounding(wanted: Array) -> float:
    """Distance up to which a value is the same."""
    return EXPORT_ROUNDING.value * float(np.abs(wanted).max(initial=0.0))


def hides(step: Array, wanted: Array) -> NDArray[np.bool_]:
    """Where half a step is not small against what the wanted values and 0 span."""
    span = float(wanted.max(initial=0.0) - wanted.min(initial=0.0))
    return np.asarray(step > EXPORT_STEP.value * span)


def beyond_steps(theirs: Array, wanted: Array, step: Array) -> float:
    """By how much the farthest value is beyond half a step, relative to the largest; 0 or less.

    A step that would hide the values excuses no difference from them.
    """
    largest = float(np.abs(wanted).max(initial=0.0)) or 1.0
    fine = np.where(hides(step, wanted), 0.0, step)
    beyond = float((np.abs(theirs - wanted) - fine).max(initial=0.0))
    return beyond / largest - EXPORT_ROUNDING.value
