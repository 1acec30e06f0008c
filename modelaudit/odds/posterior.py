"""Probabilities of causes from statistics: prior odds times a factor for each statistic.

For one cause *c*, log P(c | x) / P(sound | x) = log P(c) / P(sound) + sum of what each statistic
says (`Bins.llr`). Two causes at once add their sums, with a prior of their own. All are normalised
together.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from msgspec import Struct

from modelaudit.odds.table import HeldOut, OddsTable

SOUND = "sound"


class Shift(Struct, frozen=True):
    """One statistic, and by what factor it changes the odds of a cause against a sound model."""

    feature: str
    value: float
    factor: float
    n: int
    """Number of cases of the population with such a value."""


class Posterior(Struct, frozen=True):
    """Probabilities given the statistics.

    Attributes:
        sound: that no fault is present.
        alone: for each cause, that it is the only one.
        pairs: for two causes, that exactly these are present.
        shifts: for each cause, the statistics that say something about it, the strongest first.
    """

    sound: float
    alone: Mapping[str, float]
    pairs: Mapping[tuple[str, str], float]
    shifts: Mapping[str, tuple[Shift, ...]]

    @property
    def several(self) -> float:
        """That two causes are present."""
        return sum(self.pairs.values())

    def any_of(self, names: Collection[str]) -> float:
        """That at least one of some causes is present; `sound` counts as a cause."""
        alone = sum(p for name, p in self.alone.items() if name in names)
        both = sum(p for pair, p in self.pairs.items() if set(pair) & set(names))
        return min(1.0, alone + both + (self.sound if SOUND in names else 0.0))


def posterior(features: Mapping[str, float], table: OddsTable) -> Posterior:
    """The probabilities of all causes.

    Args:
        features: statistics by name; those that are missing say nothing.
        table: priors, and what each statistic says.
    """
    shifts = {}
    sums = {}
    for cause in table.causes:
        found = []
        for bins in cause.bins:
            value = features.get(bins.feature)
            if value is not None:
                place = bins.place(value)
                found.append((bins.llr[place], bins.feature, value, bins.counts[place]))
        sums[cause.name] = sum(each[0] for each in found)
        found.sort(key=lambda each: (-abs(each[0]), each[1]))
        shifts[cause.name] = tuple(
            Shift(name, value, math.exp(llr), n) for llr, name, value, n in found if llr
        )
    alone = {cause.name: math.log(cause.prior) + sums[cause.name] for cause in table.causes}
    pairs = {
        pair.names: math.log(pair.prior) + sum(sums[name] for name in pair.names)
        for pair in table.pairs
    }
    sound = math.log(table.sound)
    logs = (sound, *alone.values(), *pairs.values())
    top = max(logs)
    total = sum(math.exp(each - top) for each in logs)
    return Posterior(
        sound=math.exp(sound - top) / total,
        alone={name: math.exp(each - top) / total for name, each in alone.items()},
        pairs={names: math.exp(each - top) / total for names, each in pairs.items()},
        shifts=shifts,
    )


def held_out(probability: float, table: OddsTable) -> HeldOut | None:
    """What was true of cases of unseen families that were given about this probability."""
    return next((each for each in table.held_out if probability <= each.high), None)
