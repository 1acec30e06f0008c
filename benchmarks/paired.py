"""Differences of measurements that were made in turn, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the ends of an interval that holds that of the population in 95 % of cases.

    The ends are values themselves, so nothing is supposed of their distribution: of n values, k lie
    below the population's median with the probability of k heads of n coins. With fewer than six
    values, the ends are the least and the greatest.
    """
    ordered, n = sorted(values), len(values)
    outside, below = 0.0, 0
    while (outside := outside + math.comb(n, below) / 2**n) <= 0.025:
        below += 1
    low = max(below - 1, 0)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return middle, ordered[low], ordered[n - 1 - low]
