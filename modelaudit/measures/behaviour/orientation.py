"""The orientation or value range of the inputs that gives the most informative predictions.

The mutual information between predictions and inputs needs no labels. It is large if each input
is classified with confidence and different inputs are classified differently, and it drops for
inputs unlike those that the model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.behaviour.information_gain import resampled_information
from modelaudit.measures.behaviour.transform_effects import entropy
from modelaudit.measures.statistics import percentile_interval

_DRAWS = 1000


class OrientationProfile(Struct, frozen=True):
    """Information for each variant of the inputs.

    Attributes:
        information: variant -> bits; `e` is the original inputs.
        interval: variant -> 95 % bootstrap interval.
    """

    information: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]


def information(p: NDArray[np.float64]) -> float:
    """Mutual information of inputs and predictions, H(mean p) - mean H(p), in [0, log2 K] bits.

    The logarithm of the inception score (Salimans et al., 2016).

    Args:
        p: distributions (n, K), or (n, L, 2), for which the L values are averaged.
    """
    if len(p) == 0:
        return 0.0
    return max(0.0, float(np.mean(entropy(p.mean(axis=0)) - entropy(p).mean(axis=0))))


def orientation_profile(
    outputs: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    draws: int = _DRAWS,
) -> OrientationProfile:
    """Compare variants of the same n inputs.

    Args:
        outputs: variant -> result of `outputs.probabilities`, (n, K) or (n, L, 2), of equal
            shape; `e` and at least one other.
        rng: for the bootstrap, in which all variants are resampled jointly.
    """
    n = outputs["e"].shape[0]
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    drawn = {name: resampled_information(p, weights) for name, p in outputs.items()}
    return OrientationProfile(
        information={name: information(p) for name, p in outputs.items()},
        interval={
            name: _centred(percentile_interval(drawn[name]), drawn[name], information(p))
            for name, p in outputs.items()
        },
    )


def _centred(
    interval: tuple[float, float], drawn: NDArray[np.float64], measured: float
) -> tuple[float, float]:
    """The interval, corrected for bias: resamples repeat inputs and so have less information.

    Efron and Tibshirani (1993), section 10.6.
    """
    bias = float(drawn.mean()) - measured
    return interval[0] - bias, interval[1] - bias
