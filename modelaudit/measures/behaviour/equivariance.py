"""How equivariant a layer's features are, with and without a permutation of channels.

After Lenc and Vedaldi (2015, arXiv:1411.5908): how well does a map M of the features of x predict
those of gx? Invariance emerges late in trained networks: early layers with a residual near 1 are
normal, and what counts is the last features before the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.behaviour.variation import pairwise_variation
from modelaudit.measures.transforms import Transform

_MAX_CHANNELS = 2048


@dataclass(frozen=True, slots=True)
class Residuals:
    """Mean |g^-1 phi(gx) - M phi(x)|^2 over that of different inputs; 0 is exact, 1 no relation.

    `identity`: M = 1. `permutation`: M permutes channels, fitted on one half of the inputs and
    tested on the other. None where features hardly vary or are not finite, or (permutation) for
    too few inputs or too many channels.
    """

    identity: float | None
    permutation: float | None


def layer_residuals(
    plain: NDArray[np.floating],
    moved: NDArray[np.floating],
    transform: Transform | None,
    channel_axis: int = -1,
) -> Residuals:
    """Residuals of one layer under one transform of the input.

    Args:
        plain, moved: (n, ...) features for inputs and transformed inputs, of one shape.
        transform: undone on the maps before comparing; None for features without positions.
        channel_axis: -1, or 1 for channels_first.
    """
    undone = moved if transform is None else transform.undo_on_output(moved)
    if undone.shape != plain.shape or len(plain) < 2:
        return Residuals(None, None)
    if not (np.isfinite(plain).all() and np.isfinite(undone).all()):
        return Residuals(None, None)
    a = _by_channel(plain, channel_axis)
    b = _by_channel(undone, channel_axis)
    identity = _residual(a, b)
    if identity is None or len(a) < 4 or a.shape[2] > _MAX_CHANNELS:
        return Residuals(identity, None)
    half = len(a) // 2
    channels = matched_channels(a[:half], b[:half])
    return Residuals(identity, _residual(a[half:, :, channels], b[half:]))


def matched_channels(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.intp]:
    """(c,) the channel of `a` (n, positions, c) nearest to each of `b`, one to one."""
    from scipy.optimize import linear_sum_assignment  # half a second of import, needed here only

    flat_a, flat_b = a.reshape(-1, a.shape[2]), b.reshape(-1, b.shape[2])
    squares = (flat_b**2).sum(axis=0)[:, None] + (flat_a**2).sum(axis=0)[None, :]
    _, columns = linear_sum_assignment(squares - 2 * flat_b.T @ flat_a)
    return np.asarray(columns, dtype=np.intp)


def _by_channel(features: NDArray[np.floating], channel_axis: int) -> NDArray[np.float64]:
    last = np.moveaxis(features.astype(np.float64), channel_axis, -1)
    return last.reshape(len(last), -1, last.shape[-1])


def _residual(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Mean squared distance of pairs over that of different rows of `a`."""
    flat_a, flat_b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    between = pairwise_variation(flat_a)
    if not between > 1e-12 * float((flat_a**2).sum(axis=1).mean()):
        return None
    return float(((flat_a - flat_b) ** 2).sum(axis=1).mean()) / between
