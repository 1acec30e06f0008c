"""Which orientation or value range of the inputs does a model see best?

The information that predictions carry about the inputs needs no labels: it is large where each
input is classified surely and inputs are classified differently, and falls when they are fed in a
way that the model was not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.flips import entropy
from modelaudit.measures.statistics import percentile_interval

MIN_GAIN = 0.30  # bits; healthy models gain at most .06 by the best of seven other orientations
MIN_SHARE = 0.75  # of log2 K; true repairs reach .88 to .99, false ones at most .504
MIN_INPUTS = 32
_DRAWS = 1000
_MAX_DRAWN = 1 << 22  # resampled means held at once


@dataclass(frozen=True, slots=True)
class Profile:
    """Information under each variant of the inputs.

    Attributes:
        information: variant -> bits; `e` is the inputs as given.
        interval: variant -> 95 % bootstrap interval.
        best: variant of the most information, `e` included.
        gain: bits of the best other variant over `e`, and its paired bootstrap interval.
        decided: the variant that the model sees the inputs best in, if that is not `e` and
            beyond doubt: gain over `MIN_GAIN` with an interval above 0, information over
            `MIN_SHARE` of log2 K, at least `MIN_INPUTS` inputs. None otherwise.
    """

    information: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]
    best: str
    gain: float
    gain_interval: tuple[float, float]
    decided: str | None


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
    classes: int | None = None,
    draws: int = _DRAWS,
) -> Profile:
    """Compare variants of the same n inputs.

    Args:
        outputs: variant -> probabilities (n, K) or (n, L, 2) as `outputs.probabilities` gives;
            `e` and at least one other, all of one shape.
        rng: for the bootstrap; all variants are resampled alike.
        classes: K expected among the inputs, by default that of the output.
        draws: number of resamples.
    """
    n, k = outputs["e"].shape[0], outputs["e"].shape[-1]
    measured = {name: information(p) for name, p in outputs.items()}
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    drawn = {name: _resampled(p, weights) for name, p in outputs.items()}
    others = [name for name in measured if name != "e"]
    rival = max(others, key=lambda name: measured[name])
    gain = measured[rival] - measured["e"]
    low, high = percentile_interval(drawn[rival] - drawn["e"])
    room = math.log2(max(classes or k, 2))
    decided = gain > MIN_GAIN and low > 0 and measured[rival] > MIN_SHARE * room and n >= MIN_INPUTS
    return Profile(
        information=measured,
        interval={name: percentile_interval(values) for name, values in drawn.items()},
        best=rival if gain > 0 else "e",
        gain=gain,
        gain_interval=(low, high),
        decided=rival if decided else None,
    )


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
