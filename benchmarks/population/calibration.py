"""How often the probabilities of the odds are right for families that a fit has not seen.

Every family (architecture, data, task, format) is left out in turn and predicted from the others.
The predicted probabilities are cut into bins; what held in a bin, with cases weighted so that every
cause has its prior probability, is a knot of the curve through which probabilities are reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from benchmarks.population.estimate import SPEAKS, Row, fit, truth, weights
from modelaudit.diagnosis.features import BEHIND
from modelaudit.measures.statistics import wilson
from modelaudit.odds.posterior import SOUND, Posterior, posterior
from modelaudit.odds.table import Knot, OddsTable
from modelaudit.structs import replace

BORDERS = (0.0, 0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99, 1.0)
PRIOR = 2.0  # networks with the probability stated that a bin counts beside its own
LEAST = 8  # cases of a family that is left out
OTHERS = 0.4  # share of the cases that must be left to fit
SEVERAL = "several"
# What is reported as one cause: each of the population, and those behind one of the diagnosis.
REPORTED = sorted({(name,) for name in SPEAKS} | set(BEHIND.values()))

Fitted = Sequence[tuple[str, OddsTable, Sequence[Row]]]


def folds(rows: Sequence[Row]) -> list[tuple[str, list[Row], list[Row]]]:
    """(family, the other cases, its cases) for every family with enough cases."""
    found = []
    for kind in ("body", "data", "task", "saver"):
        for name in sorted({row.families[kind] for row in rows}):
            inside = [row for row in rows if row.families[kind] == name]
            outside = [row for row in rows if row.families[kind] != name]
            if len(inside) >= LEAST and len(outside) >= OTHERS * len(rows):
                found.append((f"{kind}: {name}", outside, inside))
    return found


def tables(rows: Sequence[Row]) -> Fitted:
    """(family, the table of the others, its cases)."""
    return [(name, fit(outside), inside) for name, outside, inside in folds(rows)]


def whole(rows: Sequence[Row]) -> OddsTable:
    """The table of some cases, with curves from predictions of each family by the others."""
    return with_curves(fit(rows), rows, tables(rows))


def with_curves(table: OddsTable, rows: Sequence[Row], fitted: Fitted) -> OddsTable:
    """A table with the curves that predictions of families left out give.

    A case that is in several families is predicted for each, and counts once in all.
    """
    weight = dict(zip(map(id, rows), weights(truth(rows)), strict=True))
    times: dict[int, int] = {}
    for _, _, inside in fitted:
        for row in inside:
            times[id(row)] = times.get(id(row), 0) + 1
    sound, causes = [], []
    for _, made, inside in fitted:
        for row in inside:
            found, share = posterior(row.features, made), weight[id(row)] / times[id(row)]
            sound.append((found.sound, row.causes == (SOUND,), share, row.net))
            causes += [(p, there, share, row.net) for p, there in _events(found, row)]
    return replace(table, of_sound=knots(np.array(sound)), of_causes=knots(np.array(causes)))


def _events(found: Posterior, row: Row) -> Iterator[tuple[float, bool]]:
    """Each probability of a fault that can be reported, and whether it is there."""
    for names in REPORTED:
        yield found.any_of(names), bool({*names} & {*row.causes})
    yield found.several, len(row.causes) > 1


def knots(told: np.ndarray) -> tuple[Knot, ...]:
    """The curve of predictions (probability, whether right, weight, network), (n, 4).

    A share counts `PRIOR` networks with the mean probability beside its own; where it would fall
    with the probability, neighbours are pooled (isotonic regression).
    """
    bins = []
    for low, high in pairwise(BORDERS):
        some = told[(told[:, 0] >= low) & (told[:, 0] < high + (high == 1.0))]
        if not len(some):
            continue
        nets, place = np.unique(some[:, 3], return_inverse=True)
        mass = np.bincount(place, some[:, 2])
        stated, right = (float(np.average(some[:, k], weights=some[:, 2])) for k in (0, 1))
        count = float(mass.sum() ** 2 / (mass**2).sum())  # of networks that weigh alike
        share = (right * count + stated * PRIOR) / (count + PRIOR)
        bins.append((stated, share, count, len(some), len(nets)))
    pooled: list[list[tuple[float, float, float, int, int]]] = []
    for each in bins:
        pooled.append([each])
        while len(pooled) > 1 and _share(pooled[-2]) > _share(pooled[-1]):
            pooled[-2:] = [pooled[-2] + pooled[-1]]
    found = []
    for block in pooled:
        right = _share(block)
        for stated, _, count, cases, networks in block:
            ends = wilson(right * count, count)
            interval = (round(ends[0], 4), round(ends[1], 4))
            found.append(Knot(round(stated, 4), round(right, 4), interval, cases, networks))
    return tuple(found)


def _share(block: Sequence[tuple[float, float, float, int, int]]) -> float:
    counts = [each[2] for each in block]
    return float(np.average([each[1] for each in block], weights=counts))
