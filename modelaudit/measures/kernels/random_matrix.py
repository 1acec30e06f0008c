"""Whether the spectrum of a weight matrix exceeds that of independent weights."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_MAX_SIDE = 256
_MAX_LENGTH = 4096
# 99 % quantile of the Tracy-Widom law (order 1) for the largest eigenvalue's fluctuation.
_TRACY_WIDOM_99 = 2.0234


def spectrum_excess(matrix: NDArray[np.floating], shape: tuple[int, ...]) -> float | None:
    """Largest eigenvalue divided by its upper limit for independent weights; above 1: structure.

    The limit is the Marchenko-Pastur edge, centred and scaled according to Johnstone (2001), at
    the 99 % quantile of the Tracy-Widom law. Rows are all axes of `shape` but the last. Long sides
    are subsampled evenly, since a part of an independent matrix is independent. The evidence is
    one-sided: trained kernels can be below 1. None for fewer than two rows or columns.
    """
    weights = matrix.reshape(-1, shape[-1])
    if weights.shape[0] < weights.shape[1]:
        weights = weights.T
    weights = weights[_even(weights.shape[0], _MAX_LENGTH)][:, _even(weights.shape[1], _MAX_SIDE)]
    rows, columns = weights.shape
    if columns < 2 or rows < 2:
        return None
    wide = weights.astype(np.float64)
    wide -= wide.mean()  # the initializer's own mean is not structure
    variance = float(wide.var())
    if variance == 0.0:
        return None
    largest = float(np.linalg.eigvalsh(wide.T @ wide)[-1])
    root: float = math.sqrt(rows - 1) + math.sqrt(columns)
    scale: float = root * (1 / math.sqrt(rows - 1) + 1 / math.sqrt(columns)) ** (1 / 3)
    return largest / (variance * (root**2 + _TRACY_WIDOM_99 * scale))


def _even(size: int, kept: int) -> NDArray[np.intp]:
    return np.arange(min(size, kept)) * size // min(size, kept)
