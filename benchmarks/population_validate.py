"""How good the odds are for families that the fit had not seen.

    python benchmarks/population_validate.py [--table FILE] [--figure FILE] [--apart]

Leaves out each architecture, each family of data, each task and each format in turn, fits the
others, and predicts the one that was left out. Prints how often the first cause is right, how often
one of the first two is, how many sound models are accused, Brier scores and expected calibration
errors, of the odds alone and of the steps that they order. `--figure` draws the reliability
diagram. `--apart` predicts the cases that were kept for a first look from all others.

Causes that data cannot tell apart are merged: weights out of place, training that failed and
weights that were never loaded. Calibration is weighted as the fit is, so that every cause has its
prior probability.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from population_fit import SPEAKS, TABLE, Row, fit, read, truth, usable, weights

from modelaudit.diagnosis.beliefs import BEHIND
from modelaudit.measures.statistics import wilson
from modelaudit.odds.posterior import SOUND, Posterior, posterior
from modelaudit.odds.table import HeldOut, OddsTable

MERGED = (frozenset({"misplaced", "training", "untouched"}),)
BORDERS = (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0)
LEAST = 8  # cases of a family that is left out


@dataclass(frozen=True)
class Judged:
    """One case and what is said of it: causes best first; `probabilities` of all."""

    row: Row
    first: tuple[frozenset[str], ...]
    belief: float | None
    probabilities: dict[str, float]


def accepted(causes: Sequence[str]) -> frozenset[str]:
    """The causes that count as right."""
    found = set(causes)
    for group in MERGED:
        if group & found:
            found |= group
    return frozenset(found)


def folds(rows: Sequence[Row]) -> list[tuple[str, list[Row], list[Row]]]:
    """(family, the other cases, its cases) for every family with enough cases."""
    found = []
    for kind in ("body", "data", "task", "saver"):
        for name in sorted({row.families[kind] for row in rows}):
            inside = [row for row in rows if row.families[kind] == name]
            outside = [row for row in rows if row.families[kind] != name]
            if len(inside) >= LEAST and len(outside) >= len(rows) / 2:
                found.append((f"{kind}: {name}", outside, inside))
    return found


def marginals(found: Posterior) -> dict[str, float]:
    return {name: found.any_of({name}) for name in (SOUND, *SPEAKS)}


def by_odds(row: Row, table: OddsTable) -> Judged:
    """What the posterior says alone."""
    known = marginals(posterior(row.features, table))
    order = sorted(known, key=lambda name: -known[name])
    return Judged(row, tuple(frozenset({name}) for name in order), known[order[0]], known)


def by_both(row: Row, table: OddsTable) -> Judged:
    """The causes that the steps found, in the order of their probabilities."""
    found = posterior(row.features, table)
    named = [frozenset(BEHIND[name]) for name in row.said if name in BEHIND]
    ranked = sorted(dict.fromkeys(named), key=lambda names: -found.any_of(names))
    if frozenset({SOUND}) in ranked and len(ranked) > 1:  # descriptions come after faults
        ranked.sort(key=lambda names: names == {SOUND})
    first = ranked[0] if ranked else frozenset({SOUND})
    return Judged(row, tuple(ranked) or (first,), found.any_of(first), marginals(found))


def summary(name: str, judged: Sequence[Judged]) -> dict[str, float]:
    """Print one line of the table, and return its numbers."""
    right = [bool(each.first[0] & accepted(each.row.causes)) for each in judged]
    two = [bool(frozenset().union(*each.first[:2]) & accepted(each.row.causes)) for each in judged]
    sound = [each for each in judged if each.row.causes == (SOUND,)]
    accused = [SOUND not in each.first[0] for each in sound]
    sure = [
        each.belief is not None and each.belief >= 0.95 and SOUND not in each.first[0]
        for each in sound
    ]
    weight = weights(truth([each.row for each in judged]))
    hits = np.array([bool(each.first[0] & frozenset(each.row.causes)) for each in judged], float)
    beliefs = np.array([np.nan if each.belief is None else each.belief for each in judged])
    said = ~np.isnan(beliefs)
    brier = float(np.average((beliefs[said] - hits[said]) ** 2, weights=weight[said]))
    off = calibration(beliefs[said], hits[said], weight[said])
    print(
        f"| {name} | {len(judged)} | {np.mean(right):.1%} | {np.mean(two):.1%} | "
        f"{sum(accused)} of {len(sound)} | {sum(sure)} | {brier:.3f} | {off:.3f} |"
    )
    return {"right": float(np.mean(right)), "accused": float(np.mean(accused)) if sound else 0.0}


HEAD = (
    "| procedure | cases | first cause right | in the first two | sound models accused "
    "| accused with 95 % or more | Brier | calibration error |\n|---|---|---|---|---|---|---|---|"
)


def calibration(p: np.ndarray, right: np.ndarray, weight: np.ndarray) -> float:
    """Expected calibration error: the mean distance of probability and frequency over ten bins."""
    place = np.minimum((p * 10).astype(int), 9)
    total = 0.0
    for each in range(10):
        some = place == each
        if some.any() and weight[some].sum():
            total += weight[some].sum() * abs(
                np.average(p[some], weights=weight[some])
                - np.average(right[some], weights=weight[some])
            )
    return float(total / weight.sum())


def per_cause(judged: Sequence[Judged]) -> None:
    """Print calibration and the share found, for each cause."""
    print("\n| cause | cases | networks | found first | calibration error |\n|" + "---|" * 5)
    weight = weights(truth([each.row for each in judged]))
    for name in (SOUND, *SPEAKS):
        there = np.array([name in each.row.causes for each in judged], float)
        with_it = [each for each in judged if name in each.row.causes]
        if not with_it:
            continue
        firsts = [bool(each.first[0] & accepted(each.row.causes)) for each in with_it]
        p = np.array([each.probabilities[name] for each in judged])
        nets = len({each.row.net for each in with_it})
        error = calibration(p, there, weight)
        print(f"| {name} | {len(with_it)} | {nets} | {np.mean(firsts):.0%} | {error:.3f} |")


Fitted = Sequence[tuple[str, OddsTable, Sequence[Row]]]


def tables(rows: Sequence[Row]) -> Fitted:
    """(family, the table of the others, its cases)."""
    return [(name, fit(outside), inside) for name, outside, inside in folds(rows)]


def predicted(fitted: Fitted, how: Callable[[Row, OddsTable], Judged]) -> dict[str, list[Judged]]:
    """What is said of every family by a fit to the others."""
    return {name: [how(row, table) for row in inside] for name, table, inside in fitted}


def held_out(rows: Sequence[Row]) -> tuple[HeldOut, ...]:
    """How often a cause was present, by the probability it got without the family of the case.

    A case that is in several families has the mean of its probabilities. Cases of one network are
    alike, so that an interval is as wide as for one case of each network.
    """
    known: dict[int, tuple[Row, list[dict[str, float]]]] = {}
    for _, table, inside in tables(rows):
        for row in inside:
            told = known.setdefault(id(row), (row, []))[1]
            told.append(marginals(posterior(row.features, table)))
    pairs = [
        (float(np.mean([each[name] for each in told])), name in row.causes, row.net)
        for row, told in known.values()
        for name in (SOUND, *SPEAKS)
    ]
    found, low = [], 0.0
    for high in BORDERS:
        some = [(there, net) for p, there, net in pairs if low < p <= high or (p == low == 0.0)]
        share = sum(there for there, _ in some) / len(some) if some else 0.0
        nets = len({net for _, net in some})
        ends = wilson(round(share * nets), nets) if nets else (0.0, 1.0)
        interval = (round(ends[0], 4), round(ends[1], 4))
        found.append(HeldOut(low, high, len(some), nets, round(share, 4), interval))
        low = high
    return tuple(found)


def figure(judged: Sequence[Judged], file: Path) -> None:
    """The reliability diagram."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "odds"
    drawn, axes = plt.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for each in judged:
        for cause, p in each.probabilities.items():
            if p > 0.02:
                bins[min(int(p * 10), 9)].append((p, cause in each.row.causes))
    places = [k for k in sorted(bins) if len(bins[k]) >= 5]
    x = [np.mean([p for p, _ in bins[k]]) for k in places]
    y = [np.mean([there for _, there in bins[k]]) for k in places]
    axes.plot(x, y, marker="o", label="odds, families left out")
    axes.set(
        xlabel="probability stated",
        ylabel="share of cases with that cause",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(loc="upper left")
    drawn.savefig(file, metadata={"Date": None}, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--apart", action="store_true", help="the first look")
    asked = parser.parse_args()
    everything = read(asked.table)
    rows = usable(everything)
    if asked.apart:
        kept = usable(everything, apart=True)
        table = fit(rows)
        print(HEAD)
        summary("odds alone", [by_odds(row, table) for row in kept])
        summary("steps, ordered by odds", [by_both(row, table) for row in kept])
        per_cause([by_both(row, table) for row in kept])
        return
    fitted = tables(rows)
    alone, both = predicted(fitted, by_odds), predicted(fitted, by_both)
    for kind in ("body", "data", "task", "saver", ""):
        names = [name for name in both if name.startswith(kind)]
        print(f"\nleft out: {kind or 'all of these'}\n{HEAD}")
        for words, found in (("odds alone", alone), ("steps, ordered by odds", both)):
            summary(words, [each for name in names for each in found[name]])
    flat = [each for name in alone if name.startswith("body") for each in alone[name]]
    per_cause(flat)
    for name in both:
        print()
        summary(name, both[name])
    if asked.figure:
        figure(flat, asked.figure)


if __name__ == "__main__":
    main()
