"""How good the odds are for families that the fit had not seen, beside the beliefs of before.

    python benchmarks/population_validate.py [--table FILE] [--figure FILE] [--apart]

Leaves out each architecture, each family of data, each task and each format in turn, fits the
others, and predicts the one that was left out. Prints how often the first cause is right, how often
one of the first two is, how many sound models are accused, Brier scores and expected calibration
errors; all with the ordered steps and their constants beside it. `--figure` draws the reliability
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
UNDECIDED = ("undecided-without-images", "not-run", "not-applicable")
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


def by_steps(row: Row) -> Judged:
    """What the ordered steps said, with their constants."""
    first = tuple(
        frozenset(BEHIND.get(name, {SOUND} if name in UNDECIDED else {"other"}))
        for name, belief in row.said
    )
    known = dict.fromkeys((SOUND, *SPEAKS), 0.0)
    for names, (_, belief) in zip(first, row.said, strict=True):
        for name in names:
            if name in known:
                known[name] = max(known[name], (belief or 0.0) / len(names))
    return Judged(row, first, row.said[0][1], known)


def by_both(row: Row, table: OddsTable) -> Judged:
    """The causes that the steps found, in the order of their probabilities."""
    found = posterior(row.features, table)
    named = [frozenset(BEHIND.get(name, {"other"})) for name, _ in row.said if name in BEHIND]
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


def per_cause(judged: Sequence[Judged], old: Sequence[Judged]) -> None:
    """Print calibration and the share found, for each cause."""
    print(
        "\n| cause | cases | networks | found first | before | calibration error | before |\n|"
        + "---|" * 7
    )
    weight = weights(truth([each.row for each in judged]))
    for name in (SOUND, *SPEAKS):
        there = np.array([name in each.row.causes for each in judged], float)
        with_it = [i for i, each in enumerate(judged) if name in each.row.causes]
        if not with_it:
            continue
        cells = []
        for some in (judged, old):
            firsts = [bool(some[i].first[0] & accepted(some[i].row.causes)) for i in with_it]
            p = np.array([each.probabilities[name] for each in some])
            cells.append((f"{np.mean(firsts):.0%}", f"{calibration(p, there, weight):.3f}"))
        nets = len({judged[i].row.net for i in with_it})
        (now, error), (before, was) = cells
        print(f"| {name} | {len(with_it)} | {nets} | {now} | {before} | {error} | {was} |")


def predicted(
    rows: Sequence[Row], how: Callable[[Row, OddsTable], Judged]
) -> dict[str, list[Judged]]:
    """What is said of every family by a fit to the others."""
    return {name: [how(row, table) for row in inside] for name, table, inside in tables(rows)}


_FITTED: dict[int, list[tuple[str, OddsTable, list[Row]]]] = {}


def tables(rows: Sequence[Row]) -> list[tuple[str, OddsTable, list[Row]]]:
    """(family, the table of the others, its cases)."""
    if id(rows) not in _FITTED:
        _FITTED[id(rows)] = [(name, fit(outside), inside) for name, outside, inside in folds(rows)]
    return _FITTED[id(rows)]


def held_out(rows: Sequence[Row]) -> tuple[HeldOut, ...]:
    """How often a cause was present, by the probability it got without the family of the case."""
    pairs: list[tuple[float, bool]] = []
    for _, table, inside in tables(rows):
        for row in inside:
            known = marginals(posterior(row.features, table))
            pairs += [(p, name in row.causes) for name, p in known.items()]
    found, low = [], 0.0
    for high in BORDERS:
        some = [there for p, there in pairs if low < p <= high or (p == low == 0.0)]
        right = sum(some)
        interval = wilson(right, len(some)) if some else (0.0, 1.0)
        share = right / len(some) if some else 0.0
        found.append(
            HeldOut(
                low,
                high,
                len(some),
                round(share, 4),
                (round(interval[0], 4), round(interval[1], 4)),
            )
        )
        low = high
    return tuple(found)


def figure(judged: Sequence[Judged], old: Sequence[Judged], file: Path) -> None:
    """The reliability diagram."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "odds"
    drawn, axes = plt.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for some, name in ((judged, "odds, families left out"), (old, "beliefs of before")):
        bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
        for each in some:
            for cause, p in each.probabilities.items():
                if p > 0.02:
                    bins[min(int(p * 10), 9)].append((p, cause in each.row.causes))
        places = [k for k in sorted(bins) if len(bins[k]) >= 5]
        x = [np.mean([p for p, _ in bins[k]]) for k in places]
        y = [np.mean([there for _, there in bins[k]]) for k in places]
        error = np.array(
            [
                np.abs(np.array(wilson(sum(t for _, t in bins[k]), len(bins[k]))) - m)
                for k, m in zip(places, y, strict=True)
            ]
        )
        axes.errorbar(x, y, error.T, marker="o", capsize=2, label=name)
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
        summary("steps and constants, as before", [by_steps(row) for row in kept])
        per_cause([by_both(row, table) for row in kept], [by_steps(row) for row in kept])
        return
    alone, both = predicted(rows, by_odds), predicted(rows, by_both)
    old = {name: [by_steps(each.row) for each in judged] for name, judged in both.items()}
    for kind in ("body", "data", "task", "saver", ""):
        names = [name for name in both if name.startswith(kind)]
        print(f"\nleft out: {kind or 'all of these'}\n{HEAD}")
        for words, found in (
            ("odds alone", alone),
            ("steps, ordered by odds", both),
            ("steps and constants, as before", old),
        ):
            summary(words, [each for name in names for each in found[name]])
    bodies = [name for name in both if name.startswith("body")]
    flat = [[each for name in bodies for each in found[name]] for found in (alone, both, old)]
    per_cause(flat[0], flat[2])
    for name in both:
        print()
        summary(name, both[name])
        summary("before", old[name])
    if asked.figure:
        figure(flat[0], flat[2], asked.figure)


if __name__ == "__main__":
    main()
