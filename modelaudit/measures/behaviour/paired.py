"""Other forms of the inputs, compared with the inputs as given, in pairs.

A network that is right about half of its inputs is right about others in the wrong orientation.
The difference of two scores is therefore judged input by input, which needs no limit on the scores
themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.thresholds.answers import EQUAL_P

FLIPPED = 4000  # draws of the signs


class BetterVariant(Struct, frozen=True):
    """The variant of the inputs that scores best on labels.

    Attributes:
        name: the variant.
        p: p-value of scoring better than the original, adjusted for the choice among variants.
    """

    name: str
    p: float


def best_variant(
    scores: Mapping[str, NDArray[np.float64]], rng: np.random.Generator
) -> BetterVariant | None:
    """The variant with the highest mean score, compared with the original `e` (`adjusted_p`).

    None if there is no other variant, or if none scores better than the original.

    Args:
        scores: score of each input (n,) by variant, with `e`.
    """
    others = [name for name in scores if name != "e"]
    best = max(others, key=lambda name: float(scores[name].sum()), default="e")
    if best == "e" or float((scores[best] - scores["e"]).sum()) <= 0:
        return None
    return BetterVariant(name=best, p=adjusted_p(scores, best, rng))


def adjusted_p(
    scores: Mapping[str, NDArray[np.float64]], name: str, rng: np.random.Generator
) -> float:
    """P-value of the hypothesis that no variant scores better than `e`, by the gain of `name`.

    That of a permutation test of the largest gain (Westfall and Young, 1993): under the
    hypothesis, the signs of all gains of an input are exchanged together, which keeps variants
    that respond alike from counting several times. Gains are compared with the largest one in
    units of their root mean square.

    Args:
        scores: score of each input (n,) by variant, with `e` and `name`.
    """
    names = [each for each in scores if each != "e"]
    gains = np.stack([scores[each] - scores["e"] for each in names], axis=1)
    size = np.sqrt((gains**2).sum(axis=0))
    shares = gains / np.where(size > 0, size, 1.0)
    signs = rng.integers(0, 2, (FLIPPED, len(gains))).astype(np.float32) * 2 - 1
    largest = (signs @ shares.astype(np.float32)).max(axis=1)
    gain = float(shares.sum(axis=0)[names.index(name)])
    return float((1 + (largest >= gain - 1e-6).sum()) / (FLIPPED + 1))


def with_other_evidence(p: float, z: float) -> float:
    """A p-value, together with an independent standard score (Fisher, 1925).

    Args:
        p: a one-sided p-value, above 0.
        z: standard score of the same effect, by something else.
    """
    both = math.log(p) + math.log(max(0.5 * math.erfc(z / math.sqrt(2)), 1e-300))
    return min(1.0, math.exp(both) * (1 - both))


def as_good(scores: Mapping[str, NDArray[np.float64]], name: str) -> tuple[str, ...]:
    """Variants other than `e` whose scores are not significantly worse than those of `name`.

    The best first. `scores` as for `best_variant`.
    """
    others = sorted(scores, key=lambda each: -float(scores[each].mean()))
    return tuple(
        each
        for each in others
        if each not in {"e", name} and p_better(scores[each], scores[name]) >= EQUAL_P.value
    )


def p_better(given: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """One-sided p-value of the hypothesis that `other` (n,) is not better than `given` (n,).

    If each input is right or wrong, McNemar's exact test (McNemar, 1947): of the inputs that only
    one of the two gets right, the share that `other` gets right. Otherwise, Wilcoxon's signed-rank
    test (Wilcoxon, 1945) in its normal approximation, with ties.
    """
    difference = other - given
    changed = difference[difference != 0]
    n = len(changed)
    if n == 0:
        return 1.0
    if bool((np.abs(changed) == 1).all()):
        return binomial_tail(int((changed > 0).sum()), n)
    sizes = np.abs(changed)
    _, places, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[places]
    variance = float((ranks**2).sum()) / 4
    excess = float(ranks[changed > 0].sum()) - float(ranks.sum()) / 2
    return 0.5 * math.erfc(excess / math.sqrt(2 * variance))


def binomial_tail(successes: int, n: int) -> float:
    """Probability of at least so many successes in n fair trials."""
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(successes, n + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))
