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

from modelaudit.measures.behaviour.transform_effects import entropy
from modelaudit.measures.statistics import percentile_interval
from modelaudit.thresholds.answers import GAIN, INFORMED, INFORMED_PEAK, PEAK, TIED

_DRAWS = 1000
_MAX_DRAWN = 1 << 22  # maximum number of resampled means in memory


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
        draws: number of resamples.
    """
    n = outputs["e"].shape[0]
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    drawn = {name: _resampled(p, weights) for name, p in outputs.items()}
    return OrientationProfile(
        information={name: information(p) for name, p in outputs.items()},
        interval={
            name: _centred(percentile_interval(drawn[name]), drawn[name], information(p))
            for name, p in outputs.items()
        },
    )


def better_orientations(
    profile: Mapping[str, float],
    given: float,
    room: float,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, float]:
    """Variants of the input with much more information than the original, as name -> bits.

    Empty if there are none. Variants that are as good as the best one are included: a model that
    was trained with mirrored images cannot distinguish a quarter turn from a transposition.

    Args:
        profile: bits by variant; `e`, the original, is ignored.
        given: bits of the original input.
        room: log2 K, the maximum information; 0 without classes.
        intervals: intervals of the variants; one that includes `given` is within sampling error.
    """
    others = {name: bits for name, bits in profile.items() if name != "e"}
    *rest, best = sorted((*others.values(), given))
    alone = bool(rest) and best - rest[-1] > PEAK.value
    enough = (INFORMED_PEAK.value if alone else INFORMED.value) * room
    if room <= 0 or best - given <= GAIN.value or best <= enough:
        return {}
    known = intervals or {}
    return {
        name: bits
        for name, bits in others.items()
        if best - bits <= TIED.value and known.get(name, (bits, bits))[0] > given
    }


def _centred(
    interval: tuple[float, float], drawn: NDArray[np.float64], measured: float
) -> tuple[float, float]:
    """The interval, corrected for bias: resamples repeat inputs and so have less information.

    Efron and Tibshirani (1993), section 10.6.
    """
    bias = float(drawn.mean()) - measured
    return interval[0] - bias, interval[1] - bias


def _resampled(p: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws,) information of each resample; `weights` (draws, n) are shares of the inputs."""
    n, k = p.shape[0], p.shape[-1]
    flat = p.reshape(n, -1)
    certain = weights @ entropy(p).reshape(n, -1).mean(axis=1)
    step = max(1, _MAX_DRAWN // flat.shape[1])
    means = [
        entropy((weights[i : i + step] @ flat).reshape(-1, flat.shape[1] // k, k)).mean(axis=1)
        for i in range(0, len(weights), step)
    ]
    result: NDArray[np.float64] = np.concatenate(means) - certain
    return result
