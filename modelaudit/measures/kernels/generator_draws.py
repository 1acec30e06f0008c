"""Whether weights are, bit for bit, what TensorFlow's generator draws: no training leaves that."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.kernels.initializers import Distribution
from modelaudit.measures.kernels.values import KernelValues

_MOST = 1 << 16  # weights that are looked at
_FIRST = 1 << 8  # those that decide about most trained kernels
_STEPS = 1 << 23  # values between 0 and 1 of which TensorFlow draws one, as a float32
_HALF_LOST = (1 << 13) - 1  # bits of a float32 that a float16 has not
_GROUP = 4  # normal draws that the generator gives at once
_FEWEST = 16  # groups: trained weights come in pairs in all of them with a probability of 1e-5
_ROUNDING = 0.1  # of a step: how far two products in float32 move an angle; 0.2 % are moved further
_STRAY = 64  # groups of which one more may have no pair than one: of truncated draws, 1 of 1,500


def generator_drew(law: Distribution, values: KernelValues) -> bool | None:
    """Whether all weights are draws from a law; None if that leaves no trace."""
    if law.kind == "uniform":
        return only_draws(law, values)
    if law.kind in ("normal", "truncated") and not law.mean:
        return paired_draws(values)
    return None


def only_draws(law: Distribution, values: KernelValues) -> bool:
    """Whether every weight is, bit for bit, a number that TensorFlow draws from a uniform law.

    That is low + (high - low) * k / 2^23 in float32, with or without a rounding of the product. Of
    other numbers between the bounds, about a third are such, so a step of training shows. So is 0,
    but few draws are equal.
    """
    low, width = np.float32(law.low), np.float32(law.high) - np.float32(law.low)
    weights = values.matrix.reshape(-1)[:_MOST].astype(np.float64)
    return _only_draws(low, width, weights[:_FIRST]) and _only_draws(low, width, weights)


def _only_draws(low: np.float32, width: np.float32, weights: NDArray[np.float64]) -> bool:
    if _repeated(weights) or _coarse(weights):
        return False
    nearest = np.round((weights - low) / width * _STEPS)
    drawn = np.zeros(weights.size, bool)
    for beside in (-1, 0, 1):
        unit = (nearest + beside) / _STEPS
        apart = (unit * width).astype(np.float32) + low
        drawn |= (apart == weights) | ((unit * width + low).astype(np.float32) == weights)
    return bool(drawn.all())


def paired_draws(values: KernelValues) -> bool | None:
    """Whether the weights are normal draws of any spread; None for few weights or a sample of them.

    TensorFlow makes two from an angle and a radius (Box and Muller, 1958), and the angle is one of
    2^23. So two weights side by side are the sine and the cosine of such an angle, rounded to
    float32; of other weights, a fifth are near one. A truncated law leaves out some values, so that
    what follows in a group of four is paired in another way.
    """
    if values.sampled or values.weights < _FEWEST * _GROUP:
        return None
    weights = values.matrix.reshape(-1)[: min(_MOST, values.weights // _GROUP * _GROUP)]
    if _repeated(weights[:_FIRST]):
        return False  # equal ones make angles that the generator also makes
    return _in_pairs(weights[:_FIRST]) and _in_pairs(weights)


def _repeated(weights: NDArray[np.floating]) -> bool:
    """Whether at most half of the values are different ones."""
    # `np.unique` would import `numpy.ma`, which takes as long as a small model.
    distinct = np.count_nonzero(np.diff(np.sort(weights), prepend=np.nan))
    return bool(2 * distinct <= weights.size)


def _coarse(weights: NDArray[np.floating]) -> bool:
    """Whether all have the precision of a float16: between powers of two, these are draws, too."""
    bits = weights.astype(np.float32).view(np.uint32)
    return not (bits & _HALF_LOST).any()


def _in_pairs(weights: NDArray[np.floating]) -> bool:
    """Whether nearly all groups have a pair, and most have one at the start and one at the end."""
    own = weights.astype(np.float64)
    angles = np.arctan2(own[:-1], own[1:]) % math.tau
    nearest = np.round(angles / math.tau * _STEPS)
    paired = np.zeros(own.size, bool)  # of each weight, with the next
    for beside in (-1, 0, 1):
        drawn = (math.tau * (nearest + beside) / _STEPS).astype(np.float32)
        paired[:-1] |= np.abs(angles - drawn) < _ROUNDING * math.tau / _STEPS
    # Such angles have weights that are next to nothing beside others, and equal ones.
    paired[:-1] &= (nearest % (_STEPS // 4) != 0) & (np.abs(own[:-1]) != np.abs(own[1:]))
    groups = paired.reshape(-1, _GROUP)[:, :-1]
    stray = int(np.count_nonzero(~groups.any(axis=1)))
    usual = int(np.count_nonzero(groups[:, ::2]))
    return _STRAY * (stray - 1) <= len(groups) and 3 * usual >= 2 * groups[:, ::2].size
