"""Probabilities of causes from statistics: prior odds times a factor for each statistic.

For one cause *c* or a sound model, log P(c | x) = log P(c) + sum of what each statistic says of it
(`Bins.llr`) + a constant. Two causes at once add their sums, with a prior of their own. All are
normalised together. What is reported is how often such a probability was right (`calibrated`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence, Set

from msgspec import Struct
from numpy import interp

from modelaudit.odds.table import CauseOdds, Knot, OddsTable

SOUND = "sound"
HALF = 0.5  # probability above which a cause is likelier than not


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
    none = _said(features, table.sound)
    shifts, sums = {}, {}
    for cause in table.causes:
        own = _said(features, cause)
        sums[cause.name] = sum(llr for llr, _ in own.values())
        # Against a sound model, of which the same statistic says something as well.
        factors = {
            name: (own.get(name, (0.0, 0))[0] - none.get(name, (0.0, 0))[0], n)
            for name, (_, n) in (none | own).items()
        }
        order = sorted(factors, key=lambda name: (-abs(factors[name][0]), name))
        shifts[cause.name] = tuple(
            Shift(name, features[name], math.exp(factors[name][0]), factors[name][1])
            for name in order
            if factors[name][0]
        )
    alone = {cause.name: math.log(cause.prior) + sums[cause.name] for cause in table.causes}
    pairs = {
        pair.names: math.log(pair.prior) + sum(sums[name] for name in pair.names)
        for pair in table.pairs
    }
    sound = math.log(table.sound.prior) + sum(llr for llr, _ in none.values())
    logs = (sound, *alone.values(), *pairs.values())
    top = max(logs)
    total = sum(math.exp(each - top) for each in logs)
    return Posterior(
        sound=math.exp(sound - top) / total,
        alone={name: math.exp(each - top) / total for name, each in alone.items()},
        pairs={names: math.exp(each - top) / total for names, each in pairs.items()},
        shifts=shifts,
    )


def without(found: Posterior, names: Set[str]) -> Posterior:
    """The probabilities, given that none of some causes is present."""
    alone = {name: p for name, p in found.alone.items() if name not in names}
    pairs = {pair: p for pair, p in found.pairs.items() if not names & {*pair}}
    total = found.sound + sum(alone.values()) + sum(pairs.values())
    return Posterior(
        found.sound / total,
        {name: p / total for name, p in alone.items()},
        {pair: p / total for pair, p in pairs.items()},
        found.shifts,
    )


def _said(features: Mapping[str, float], cause: CauseOdds) -> dict[str, tuple[float, int]]:
    """What each statistic says of a cause, and the number of cases with such a value."""
    known = [(bins, features[bins.feature]) for bins in cause.bins if bins.feature in features]
    places = [(bins, bins.place(value)) for bins, value in known]
    return {bins.feature: (bins.llr[place], bins.counts[place]) for bins, place in places}


def calibrated(
    probability: float, knots: Sequence[Knot]
) -> tuple[float, tuple[float, float] | None]:
    """How often such a probability was right in families left out, and the interval of that.

    Linear between knots, so that the number is always inside its interval, and constant beyond
    them; without knots, the probability itself.
    """
    if not knots:
        return probability, None
    stated = [knot.stated for knot in knots]
    low = interp(probability, stated, [knot.interval[0] for knot in knots])
    high = interp(probability, stated, [knot.interval[1] for knot in knots])
    return float(interp(probability, stated, [k.right for k in knots])), (float(low), float(high))
