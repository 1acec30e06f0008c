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


class HeldOut(Struct, frozen=True):
    """Causes in cases of families that a fit had not seen, by the probability that they got there.

    `low` and `high` are the least and the largest probability; the cause was present in the share
    `right` of `cases` (pairs of a case and a cause). The 95 % interval (Wilson) counts each of the
    `networks` once, because cases of one network are alike.
    """

    low: float
    high: float
    cases: int
    networks: int
    right: float
    interval: tuple[float, float]


class OddsTable(Struct, frozen=True):
    """All causes, what a sound model is like, and where the numbers come from."""

    source: str
    cases: int
    networks: int
    sound: CauseOdds
    causes: tuple[CauseOdds, ...]
    pairs: tuple[PairOdds, ...]
    held_out: tuple[HeldOut, ...]
    kinds: tuple[str, ...]


@cache
def shipped_table() -> OddsTable:
    """The table of this version."""
    path = Path(__file__).with_name("odds.json")
    return msgspec.json.decode(path.read_bytes(), type=OddsTable)
