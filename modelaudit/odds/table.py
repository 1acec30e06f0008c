"""The shipped table: what each statistic says about each cause, fitted by `population_fit.py`."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct


class Bins(Struct, frozen=True):
    """What one statistic says about one cause.

    Attributes:
        feature: name of the statistic.
        edges: borders of its bins, ascending; a value on a border is in the bin above it.
        llr: for each bin, the natural logarithm of the factor by which a value there makes the
            cause (or a sound model) more probable, beside the other statistics.
        counts: number of cases of the population in each bin.
    """

    feature: str
    edges: tuple[float, ...]
    llr: tuple[float, ...]
    counts: tuple[int, ...]

    def place(self, value: float) -> int:
        """The bin of a value."""
        return bisect_right(self.edges, value)


class CauseOdds(Struct, frozen=True):
    """One cause, or a sound model: its prior probability, what speaks for it, and how often the
    population has it."""

    name: str
    prior: float
    bins: tuple[Bins, ...]
    cases: int
    networks: int


class PairOdds(Struct, frozen=True):
    """Two causes at once, and the prior probability of that."""

    names: tuple[str, str]
    prior: float


class Knot(Struct, frozen=True):
    """What held in families that a fit had not seen, where its sums gave about one probability.

    Attributes:
        stated: mean of the probabilities that prior and factors gave.
        right: share of these cases in which it was true, weighted so that every cause has its
            prior probability, monotone over the knots and smoothed.
        interval: 95 % interval of `right` (Wilson), for the effective number of networks by the
            weights of their cases, because cases of one network are alike.
        predictions: number of probabilities; a case has one for each cause and family left out.
        networks: number of networks among them.
    """

    stated: float
    right: float
    interval: tuple[float, float]
    predictions: int
    networks: int


class OddsTable(Struct, frozen=True):
    """All causes, what a sound model is like, and where the numbers come from.

    `of_sound` says how often models were sound, and `of_causes` how often a cause was present, by
    the probability that the sums gave; from the least to the largest.
    """

    source: str
    cases: int
    networks: int
    sound: CauseOdds
    causes: tuple[CauseOdds, ...]
    pairs: tuple[PairOdds, ...]
    of_sound: tuple[Knot, ...]
    of_causes: tuple[Knot, ...]
    kinds: tuple[str, ...]


@cache
def shipped_table() -> OddsTable:
    """The table of this version."""
    path = Path(__file__).with_name("odds.json")
    return msgspec.json.decode(path.read_bytes(), type=OddsTable)
