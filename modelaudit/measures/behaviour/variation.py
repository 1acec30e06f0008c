"""Variation under a transform, relative to the variation between inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_COLLAPSED = 1e-9  # variation between inputs, relative to the output's square, that is none


def normalised_variation(
    z: NDArray[np.float64],
    z_moved: NDArray[np.float64],
    *,
    noise: float = 0.0,
    rows: NDArray[np.bool_] | None = None,
) -> float | None:
    """NFV = mean |z(x) - z(gx)|^2 / mean over x != x' of |z(x) - z(x')|^2.

    0 for an invariant output, about 1 where the transform is like another input, up to 4 for an
    odd one. The transformation over the sample variance of Quiroga et al. (2023), with the
    pairwise form of the latter: twice the trace of the unbiased covariance.

    Args:
        z, z_moved: (n, ...) in a form where differences mean something (`outputs.comparable`),
            what the transform did to a map already undone.
        noise: largest difference between repeated runs, in units of z.
        rows: (n,) inputs to take the numerator over; the denominator is over all.

    Returns:
        None where outputs hardly vary over inputs (collapse, or within ten times the noise), for
        less than two inputs, and for values that are not finite.
    """
    if len(z) < 2 or z.shape != z_moved.shape:
        return None
    flat, moved = z.reshape(len(z), -1), z_moved.reshape(len(z), -1)
    between = pairwise_variation(flat)
    scale = float((flat**2).sum(axis=1).mean())
    limit = max(_COLLAPSED * scale, flat.shape[1] * (10 * noise) ** 2)
    squares = ((flat - moved) ** 2).sum(axis=1)
    within = float((squares if rows is None else squares[rows]).mean())
    if not (np.isfinite(between) and np.isfinite(within)) or between <= limit:
        return None
    return within / between


def pairwise_variation(flat: NDArray[np.float64]) -> float:
    """Mean squared distance of two different rows of (n, d), n >= 2: 2 tr(covariance)."""
    return 2 * float(flat.var(axis=0, ddof=1).sum())
