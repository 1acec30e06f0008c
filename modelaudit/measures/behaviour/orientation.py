"""Which orientation or value range of the inputs does a model see best?

The information that predictions carry about the inputs needs no labels: it is large where each
input is classified surely and inputs are classified differently, and falls when they are fed in a
way that the model was not trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.behaviour.transform_effects import entropy
from modelaudit.measures.statistics import percentile_interval

# Share of log2 K that an orientation must reach to be called the right one. True repairs reach
# 0.88 to 0.99, false ones at most 0.504.
INFORMED = 0.75
# The same where it stands out of all others by `PEAK` bits: a small 12-class net that is right
# about 98 % of its images reaches no more than 0.72, the next orientation 0.44.
INFORMED_PEAK, PEAK = 0.60, 0.60
# Bits by which another variant must be better. Healthy: 0.06 at most.
GAIN = 0.30
# Bits within which two variants of the input are equally good.
TIED = 0.06
# Inputs from which orientation statements hold (all faults found, no false alarm in 3,750).
MIN_INPUTS = 32
_DRAWS = 1000
_MAX_DRAWN = 1 << 22  # resampled means held at once


@dataclass(frozen=True, slots=True)
class Profile:
    """Information under each variant of the inputs.

    Attributes:
        information: variant -> bits; `e` is the inputs as given.
        interval: variant -> 95 % bootstrap interval.
    """

    information: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]


def information(p: NDArray[np.float64]) -> float:
    """Mutual information of inputs and predictions, H(mean p) - mean H(p), in [0, log2 K] bits.

    p: (n, K) distributions, or (n, L, 2) of which the L informations are averaged. It is the
    logarithm of the inception score (Salimans et al. 2016).
    """
    if len(p) == 0:
        return 0.0
    return max(0.0, float(np.mean(entropy(p.mean(axis=0)) - entropy(p).mean(axis=0))))


def orientation_profile(
    outputs: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    draws: int = _DRAWS,
) -> Profile:
    """Compare variants of the same n inputs.

    Args:
        outputs: variant -> probabilities (n, K) or (n, L, 2) as `outputs.probabilities` gives;
            `e` and at least one other, all of one shape.
        rng: for the bootstrap; all variants are resampled alike.
        draws: number of resamples.
    """
    n = outputs["e"].shape[0]
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    drawn = {name: _resampled(p, weights) for name, p in outputs.items()}
    return Profile(
        information={name: information(p) for name, p in outputs.items()},
        interval={
            name: _centred(percentile_interval(drawn[name]), drawn[name], information(p))
            for name, p in outputs.items()
        },
    )


def understood_better(
    profile: Mapping[str, float],
    given: float,
    room: float,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, float]:
    """Variants of the input that carry much more information than the one given, with their bits.

    Empty where there is none. Variants that are as good as the best come along: a model that was
    trained with mirrored images cannot tell a quarter turn from a transposition.

    Args:
        profile: bits by variant; `e`, the input as given, is left out.
        given: bits of the input as it was given.
        room: log2 K, as many bits as there could be; 0 where there are no classes.
        intervals: of the variants; one that reaches down to `given` is within sampling error.
    """
    others = {name: bits for name, bits in profile.items() if name != "e"}
    *rest, best = sorted((*others.values(), given))
    alone = bool(rest) and best - rest[-1] > PEAK
    enough = (INFORMED_PEAK if alone else INFORMED) * room
    if room <= 0 or best - given <= GAIN or best <= enough:
        return {}
    known = intervals or {}
    return {
        name: bits
        for name, bits in others.items()
        if best - bits <= TIED and known.get(name, (bits, bits))[0] > given
    }


def _centred(
    interval: tuple[float, float], drawn: NDArray[np.float64], measured: float
) -> tuple[float, float]:
    """The interval without the resamples' bias: with repeated inputs, all say less than the whole.

    Efron and Tibshirani (1993), section 10.6.
    """
    bias = float(drawn.mean()) - measured
    return interval[0] - bias, interval[1] - bias


def _resampled(p: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Information of each resample; weights (draws, n) are shares of inputs, result (draws,)."""
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
