"""Equivariance of a layer's features, with and without a permutation of channels.

After Lenc and Vedaldi (2015, arXiv:1411.5908): how well does a linear map M of the features of x
predict those of gx? Invariance emerges late in trained networks: residuals near 1 are normal in
early layers; the last features before the head are the relevant ones.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.behaviour.variation import pairwise_variation
from modelaudit.measures.transforms import Transform

_MAX_CHANNELS = 2048


class Residuals(Struct, frozen=True):
    """Mean |g^-1 phi(gx) - M phi(x)|^2 / mean |phi(x) - phi(x')|^2; 0 is exact, 1 is unrelated.

    `identity`: M = 1. `permutation`: M permutes channels, fitted on one half of the inputs and
    tested on the other. None if features hardly vary or are not finite; `permutation` also for
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
        plain, moved: features of inputs and of transformed inputs, (n, ...), of equal shape.
        transform: transform to undo on the maps; None for features without spatial axes.
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
    """(c,) for each channel of `b` the channel of `a` (n, positions, c) nearest to it, 1-to-1."""
    from scipy.optimize import linear_sum_assignment  # importing it takes half a second

    flat_a, flat_b = a.reshape(-1, a.shape[2]), b.reshape(-1, b.shape[2])
    squares = (flat_b**2).sum(axis=0)[:, None] + (flat_a**2).sum(axis=0)[None, :]
    _, columns = linear_sum_assignment(squares - 2 * flat_b.T @ flat_a)
    return np.asarray(columns, dtype=np.intp)


def _by_channel(features: NDArray[np.floating], channel_axis: int) -> NDArray[np.float64]:
    last = np.moveaxis(features.astype(np.float64), channel_axis, -1)
    return last.reshape(len(last), -1, last.shape[-1])


def _residual(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Mean squared distance of paired rows, relative to that of different rows of `a`."""
    flat_a, flat_b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    between = pairwise_variation(flat_a)
    if not between > 1e-12 * float((flat_a**2).sum(axis=1).mean()):
        return None
    return float(((flat_a - flat_b) ** 2).sum(axis=1).mean()) / between
