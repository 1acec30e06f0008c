"""Confidence intervals and statistical tests, one of them of a matrix's spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelaudit.facts import TensorStats
from modelaudit.thresholds.weights import FEW_VALUES, STANDS_OUT

Z95 = 1.959963984540054
_MAX_SIDE = 256
_MAX_LENGTH = 4096
# 99 % quantile of the Tracy-Widom law (order 1) for the largest eigenvalue's fluctuation.
_TRACY_WIDOM_99 = 2.0234


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a proportion, in [0, 1] (Wilson, 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def cohen_kappa(a: NDArray[np.integer], b: NDArray[np.integer]) -> float | None:
    """Cohen's kappa of two label arrays (n,), in [-1, 1] (Cohen, 1960).

    None if one of the arrays is constant: kappa is then 0 or undefined, and a constant output
    would look like perfect agreement.
    """
    if len(a) == 0 or (a == a[0]).all() or (b == b[0]).all():
        return None
    labels, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    left = np.bincount(codes[: len(a)], minlength=len(labels)) / len(a)
    right = np.bincount(codes[len(a) :], minlength=len(labels)) / len(b)
    chance = float(left @ right)
    return (float(np.mean(a == b)) - chance) / (1 - chance)


def bootstrap_indices(n: int, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(draws, n) indices with replacement, for resampling several statistics jointly."""
    return rng.integers(0, n, size=(draws, n), dtype=np.intp)


def bootstrap_mean_ci(
    values: ArrayLike, rng: np.random.Generator, draws: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values` (n,), n >= 1 (Efron, 1979)."""
    array = np.asarray(values, dtype=np.float64)
    means = array[bootstrap_indices(len(array), draws, rng)].mean(axis=1)
    return percentile_interval(means, level)


def percentile_interval(drawn: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Central interval of resampled values (m,), m >= 1, with coverage `level`."""
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted by Holm's step-down method, in the given order (Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def fisher_exact(a: int, b: int, c: int, d: int) -> float:
    """Two-sided p-value of the table [[a, b], [c, d]] by Fisher's exact test (Fisher, 1935).

    The sum over all tables with the same margins that are not more likely than the observed one.
    """
    row, column, total = a + b, a + c, a + b + c + d
    low, high = max(0, row + column - total), min(row, column)

    def log_probability(x: int) -> float:
        return _log_choose(column, x) + _log_choose(total - column, row - x)

    logs = np.array([log_probability(x) for x in range(low, high + 1)])
    weights = np.exp(logs - logs.max())
    tolerance = weights[a - low] * (1 + 1e-7)
    return float(min(1.0, weights[weights <= tolerance].sum() / weights.sum()))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@lru_cache(maxsize=16)
def _steps(n: int, step: int) -> NDArray[np.float64]:
    return np.arange(0, n, step) / n


def kolmogorov_smirnov(
    probabilities: NDArray[np.float64], step: int = 1, n: int = 0
) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance from the uniform distribution, and its p-value.

    Uses Kolmogorov's limit distribution with the correction of Stephens (1970) for finite n.

    Args:
        probabilities: sorted values of the cumulative distribution function, (n,) or every
            `step`-th of n; then the distance is at least this, and the p-value at most.
        n: number of values; that of `probabilities` if 0.
    """
    n = n or len(probabilities)
    excess = probabilities - _steps(n, step)
    distance = max(float(np.maximum.reduce(excess)), 1 / n - float(np.minimum.reduce(excess)))
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    if x < 0.2:  # the series converges slowly here, and the p-value is 1 anyway
        return distance, 1.0
    last = int(5 / x) + 1  # those after it are below 1e-21
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, last + 1))
    return distance, min(max(p, 0.0), 1.0)


def chi_squared(numbers: NDArray[np.float64]) -> float:
    """Two-sided p-value of the sum of the squares of numbers, if they are standard normal.

    By the approximation of Wilson and Hilferty (1931): the cube root of chi-squared / n is normal.

    Args:
        numbers: (n,) any.
    """
    variance = 2 / (9 * len(numbers))
    with np.errstate(over="ignore"):
        mean = float(np.square(numbers).mean())
    z = (mean ** (1 / 3) - (1 - variance)) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


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


def distance_from_others(stats: TensorStats, n: int, value: float) -> float:
    """Distance of one of n >= 3 finite values from the mean of the others, in their deviations.

    The externally studentised residual (Cook and Weisberg, 1982), from the moments of all values:
    one value, however large, does not hide itself. At most 3e7, the limit of float64.
    """
    if not stats.std:
        return 0.0
    # In units of the standard deviation, since squares of large values overflow.
    gap = (value - stats.mean) / stats.std
    left = (n - gap * gap * n / (n - 1)) / (n - 1)
    away = abs(gap) * n / (n - 1)
    # Rounding error of the variance: below it, the others are only known to be that close.
    return away / math.sqrt(max(left, n * 1e-15))


def few_alone(stats: TensorStats, size: int) -> bool:
    """Whether a few of so many weights are far larger than all others.

    The spread of n weights of which k have a size is that size times the root of k / n.
    """
    spread = math.hypot(stats.std, stats.mean)
    largest = max(abs(stats.minimum), abs(stats.maximum))
    few = largest > max(STANDS_OUT.value, math.sqrt(size / FEW_VALUES.value)) * spread
    return few or stats.second < largest / STANDS_OUT.value
