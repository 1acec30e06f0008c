"""How well the weights of a kernel fit a distribution of initial values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Json
from modelaudit.measures.kernels.initializers import Distribution, uniform
from modelaudit.measures.kernels.values import KernelValues
from modelaudit.measures.statistics import chi_squared, kolmogorov_smirnov
from modelaudit.structs import PerObject
from modelaudit.thresholds.weights import FLAT, FLAT_P, ORTHOGONAL

_MAX_DRAWN = 1 << 16
_MAX_FIRST = 1 << 10  # weights that a law is compared with before all of them


class LawFit(Struct, frozen=True):
    """How well weights fit a distribution.

    Attributes:
        inside: whether no weight is outside its bounds, or all are its one value.
        p: p-value of the Kolmogorov-Smirnov test; 1 or 0 for values that are not drawn one by one.
        bounded: training soon moves some weight past a bound, so staying inside is evidence.
        details: of values that are not drawn one by one.
        range_p: probability that independent draws have a range as small as that of the weights.
        law: the distribution; None for values that are not drawn one by one.
        spread_p: p-value of the standard deviation, of an unbounded law.
    """

    inside: bool
    p: float
    bounded: bool
    details: Mapping[str, Json] = {}
    range_p: float = 1.0
    law: Distribution | None = None
    spread_p: float = 1.0

    def fits(self, level: float) -> bool:
        """Whether no test rejects the distribution at its part of `level`."""
        return self.inside and min(self.p, self.range_p, self.spread_p) > self.part(level)

    def part(self, level: float) -> float:
        """The significance level of each test, so that all together have `level` (Bonferroni)."""
        return level / (2 if self.bounded else 3)


def flat_fit(values: KernelValues, rounding: float) -> LawFit | None:
    """The fit of a uniform law between the bounds of the weights, if these are flat."""
    bound = max(abs(values.minimum), abs(values.maximum))
    spread = float(values.matrix.astype(np.float64).std())
    if bound == 0 or bound > FLAT.value * spread:
        return None
    found = law_fit(uniform(bound), values, rounding)
    return found if min(found.p, found.range_p) > FLAT_P.value else None


def _sorted(values: KernelValues) -> NDArray[np.float64]:
    """At most 65,536 evenly spaced weights in order, between the smallest and the largest of all.

    That is enough to distinguish distributions.
    """
    flat = values.matrix.reshape(-1)
    if flat.size > _MAX_DRAWN:
        flat = flat[np.arange(_MAX_DRAWN) * flat.size // _MAX_DRAWN]
    found = np.empty(flat.size + 2)
    found[0], found[-1] = values.minimum, values.maximum
    found[1:-1] = np.sort(flat.astype(np.float64))
    return found


_drawn = PerObject(_sorted)


def law_fit(distribution: Distribution, values: KernelValues, rounding: float) -> LawFit:
    """The fit of a distribution; `rounding`, relative to its bounds, is how far they may exceed."""
    if distribution.kind == "constant":
        exact = values.minimum == values.maximum == np.float32(distribution.mean)
        return LawFit(exact, float(exact), True, {"law": "constant", "value": distribution.mean})
    if distribution.kind == "orthogonal":
        error = _orthogonality_error(values, distribution.gain)
        exact = error is not None and error < max(ORTHOGONAL.value, rounding)
        return LawFit(
            exact, float(exact), True, {"law": "orthogonal", "orthogonality_error": error}
        )
    if distribution.kind == "identity":
        # Keras 3 does not save the gain.
        gain = float(values.matrix.flat[0]) if distribution.gain == 1 else distribution.gain
        exact = gain != 0 and _is_identity(values, gain)
        return LawFit(exact, float(exact), True, {"law": "identity", "gain": gain})
    low, high = _bounds(distribution, rounding)
    inside = low <= values.minimum and values.maximum <= high
    drawn = _drawn(values)
    step = max((len(drawn) - 2) // _MAX_FIRST, 1)
    probabilities = distribution.cdf(drawn if step == 1 else drawn[_some(len(drawn), step)])
    p = kolmogorov_smirnov(probabilities[1:-1], step, len(drawn) - 2)[1]
    if step > 1 and p > 0:  # most laws are so far off that some of the weights exclude them
        p = kolmogorov_smirnov(distribution.cdf(drawn[1:-1]))[1]
    range_p = _range_p(float(probabilities[-1] - probabilities[0]), values.weights)
    bounded = math.isfinite(distribution.high)
    spread_p = 1.0
    if not bounded and p > 0:
        spread_p = chi_squared((drawn[1:-1] - distribution.mean) / distribution.std)
    return LawFit(inside, p, bounded, range_p=range_p, law=distribution, spread_p=spread_p)


def _bounds(law: Distribution, rounding: float) -> tuple[float, float]:
    """The bounds of a law, with a margin for rounding."""
    margin = rounding * max(abs(law.low), abs(law.high))
    return law.low - margin, law.high + margin


@lru_cache(maxsize=16)
def _some(size: int, step: int) -> NDArray[np.intp]:
    """The first and the last index, and every `step`-th of those between them."""
    return np.array([0, *range(1, size - 1, step), size - 1])


def outside(law: Distribution, values: KernelValues, rounding: float) -> float | None:
    """The share of weights outside the bounds of a law, None if it has none."""
    if not math.isfinite(law.high):
        return None
    low, high = _bounds(law, rounding)
    own = _drawn(values)[1:-1]  # in order
    below, above = own.searchsorted(low, "left"), own.size - own.searchsorted(high, "right")
    return int(below + above) / own.size


def fit_json(fit: LawFit, values: KernelValues, rounding: float) -> dict[str, Json]:
    """The fit in the form of `KernelInitialization.tests`."""
    said: dict[str, Json] = {
        "inside_bound": fit.inside,
        "ks_p": fit.p,
        "range_p": fit.range_p,
        "spread_p": fit.spread_p,
        "outside": None,
    }
    if fit.law is None:
        return {**said, **fit.details}
    drawn = _drawn(values)[1:-1]
    return {
        **said,
        "outside": outside(fit.law, values, rounding),
        "law": fit.law.kind,
        "bound": fit.law.high if fit.bounded else None,
        "ks_distance": kolmogorov_smirnov(fit.law.cdf(drawn))[0],
        "ks_weights": len(drawn),
    }


def _range_p(share: float, n: int) -> float:
    """Probability that n uniform draws from [0, 1] span at most `share` (David, 1981, 2.3)."""
    return float(share ** (n - 1) * (n - (n - 1) * share))


def _orthogonality_error(values: KernelValues, gain: float) -> float | None:
    """Largest deviation of the shorter side's Gram matrix / gain^2 from the identity."""
    if values.sampled or gain == 0:
        return None
    matrix = values.matrix.reshape(-1, values.shape[-1])
    if np.count_nonzero(matrix) < matrix.size / 2:
        return None  # set by hand, such as a permutation or a selection
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    vectors = matrix[:, : min(matrix.shape[1], 256)].astype(np.float64)
    gram = vectors.T @ vectors / gain**2
    return float(np.abs(gram - np.eye(len(gram))).max())


def _is_identity(values: KernelValues, gain: float) -> bool:
    if len(values.shape) != 2 or values.sampled:
        return False
    return bool(np.array_equal(values.matrix.reshape(values.shape), gain * np.eye(*values.shape)))
