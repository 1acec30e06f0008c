"""Sparsity, variance entropy and orthogonality of a layer's filters.

After Gavrikov and Keuper, "CNN Filter DB" (CVPR 2022): the 3x3 slices of a trained layer share a
few directions, those of a random or overparameterised layer use all nine.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.kernels.values import KernelValues

_MIN_SLICES = 64  # with fewer, even random slices exceed the fitted threshold
_MAX_FILTERS = 512
_SPARSE = 0.01  # a slice counts as empty below this fraction of the layer's largest weight


def filter_health(values: KernelValues) -> dict[str, float]:
    """`sparsity` in [0, 1] for all kernels; `variance_entropy` and `relative_entropy` for 3x3.

    `relative_entropy` is relative to the entropy of random slices (1 random, about 0.9 healthy,
    0 redundant); absent for fewer than 64 slices. `orthogonality` in [0, 1] is 1 - mean |cos| over
    pairs of output filters; absent for a single filter and for sampled kernels.
    """
    matrix = values.matrix
    largest = max(abs(values.minimum), abs(values.maximum))
    health = {"sparsity": float(np.mean(np.abs(matrix).max(axis=0) < _SPARSE * largest))}
    if values.sizes == (3, 3) and matrix.shape[1] >= _MIN_SLICES:
        entropy = variance_entropy(matrix)
        health["variance_entropy"] = entropy
        health["relative_entropy"] = entropy / random_entropy(matrix.shape[1])
    if not values.sampled and values.shape[-1] > 1:
        health["orthogonality"] = orthogonality(matrix.reshape(-1, values.shape[-1]))
    return health


def variance_entropy(matrix: NDArray[np.floating]) -> float:
    """Entropy (base 10) of the PCA variance ratios of slices (9, slices), in [0, log10 9]."""
    wide = matrix.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    variances = np.linalg.eigvalsh(wide @ wide.T).clip(min=0.0)
    total = float(variances.sum())
    if total == 0.0:
        return 0.0
    shares = variances[variances > 0] / total
    return float(-(shares * np.log10(shares)).sum())


def random_entropy(slices: int) -> float:
    """Entropy of this many random 3x3 slices: the paper's logistic fit over log2(slices)."""
    growth = math.exp(-0.88767525 * (math.log2(slices) - 2.30436435))
    return 1.2618047 / (1 + growth) - 0.31050834


def orthogonality(filters: NDArray[np.floating]) -> float:
    """1 - mean |cos| over pairs of columns of (weights, filters); of at most 512 columns."""
    count = filters.shape[1]
    if count > _MAX_FILTERS:
        filters = filters[:, np.arange(_MAX_FILTERS) * count // _MAX_FILTERS]
        count = _MAX_FILTERS
    norms = np.linalg.norm(filters, axis=0)
    unit = filters / np.where(norms > 0, norms, 1)
    overlap = np.abs(unit.T @ unit)
    pairs = count * (count - 1)
    return float(1 - (overlap.sum() - np.trace(overlap)) / pairs)
