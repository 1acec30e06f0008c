"""Variation under a transform, relative to the variation between inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelaudit.thresholds.flips import NO_VARIATION


def normalised_variation(
    z: NDArray[np.float64],
    z_moved: NDArray[np.float64],
    *,
    noise: float = 0.0,
    rows: NDArray[np.bool_] | None = None,
) -> float | None:
    """NFV = mean |z(x) - z(gx)|^2 / mean over x != x' of |z(x) - z(x')|^2.

    0 for an invariant output, about 1 if the transform acts like another input, 2 for an odd
    output with mean 0. The ratio of transformation to sample variance of Quiroga et al. (2023),
    with the sample variance in its pairwise form: twice the trace of the unbiased covariance.

    Args:
        z, z_moved: outputs on a comparable scale (`outputs.comparable`), (n, ...), with the
            transform already undone on maps.
        noise: largest difference between repeated runs, in units of z.
        rows: (n,) mask of the inputs in the numerator; the denominator is over all inputs.

    Returns:
        None if outputs hardly vary over inputs (collapse, or less than ten times the noise), for
        fewer than two inputs, and for non-finite values.
    """
    if len(z) < 2 or z.shape != z_moved.shape:
        return None
    flat, moved = z.reshape(len(z), -1), z_moved.reshape(len(z), -1)
    between = pairwise_variation(flat)
    scale = float((flat**2).sum(axis=1).mean())
    limit = max(NO_VARIATION.value * scale, flat.shape[1] * (10 * noise) ** 2)
    squares = ((flat - moved) ** 2).sum(axis=1)
    within = float((squares if rows is None else squares[rows]).mean())
    if not (np.isfinite(between) and np.isfinite(within)) or between <= limit:
        return None
    return within / between


def pairwise_variation(flat: NDArray[np.float64]) -> float:
    """Mean squared distance of two different rows of (n, d), n >= 2: 2 tr(covariance)."""
    return 2 * float(flat.var(axis=0, ddof=1).sum())
