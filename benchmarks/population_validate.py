"""How good the odds are for families that the fit had not seen.

    python benchmarks/population_validate.py [--table FILE] [--figure FILE] [--apart]

Leaves out each architecture, each family of data, each task and each format in turn, fits the
others, and predicts the one that was left out. Prints how often the first cause is right, how often
one of the first two is, how many sound models are accused, Brier scores and expected calibration
errors, beside the ordered steps that named causes before the odds did. `--figure` draws the
reliability diagram. `--apart` predicts the cases that were kept for a first look from all others.

Causes that data cannot tell apart are merged: weights out of place, training that failed and
weights that were never loaded. *Or undecided* also counts a sound model as right on built-in inputs
where only the user's inputs show a fault, because the diagnosis then asks for those. Calibration is
weighted as the fit is, so that every cause has its prior probability.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from population_fit import SPEAKS, TABLE, Row, fit, read, truth, usable, weights

from modelaudit.diagnosis.beliefs import chosen
from modelaudit.diagnosis.features import FIRST, LATER, NEED_INPUTS, OUT, STEP
from modelaudit.measures.statistics import wilson
from modelaudit.odds.posterior import SOUND, Posterior, posterior
from modelaudit.odds.table import HeldOut, OddsTable
from modelaudit.thresholds.answers import SURE_FAULT

MERGED = (
    frozenset({"misplaced", "untouched", "small-steps", "short", "mislabelled", "one-class"}),
)
BORDERS = (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0)
MODES = ("labelled", "unlabelled", "built-in")
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


def decided(judged: Judged) -> bool:
    """Whether the first cause is right, or the diagnosis asks for inputs that would show the fault.

    On built-in inputs, training that failed and weights out of place look like a sound model.
    """
    unseen = judged.row.mode == "built-in" and {*judged.row.causes} <= NEED_INPUTS
    told = accepted(judged.row.causes) | ({SOUND} if unseen else set())
    return bool(judged.first[0] & told)


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
    """What the diagnosis names first, and what is most probable without that."""
    found = posterior(row.features, table)
    known = marginals(found)
    named = chosen(found, row.features) or {SOUND}
    first = max(named, key=lambda name: known[name])
    order = sorted(known, key=lambda name: (name != first, -known[name]))
    return Judged(row, tuple(frozenset({name}) for name in order), known[first], known)


def before(row: Row, _: OddsTable) -> Judged:
    """What the ordered steps found, which decided before the odds did; they gave no probability."""
    ends = {name: row.features.get(STEP + name, OUT) for name in SPEAKS}
    first = frozenset(name for name, end in ends.items() if end == FIRST)
    later = frozenset(name for name, end in ends.items() if end == LATER)
    return Judged(row, (first or frozenset({SOUND}), later), None, {})


def summary(name: str, judged: Sequence[Judged]) -> None:
    """Print one line of the table."""
    right = [bool(each.first[0] & accepted(each.row.causes)) for each in judged]
    two = [bool(frozenset().union(*each.first[:2]) & accepted(each.row.causes)) for each in judged]
    weight = weights(truth([each.row for each in judged]))
    sound = [each for each in judged if each.row.causes == (SOUND,)]
    accused = [each for each in sound if SOUND not in each.first[0]]
    sure = [each for each in accused if each.belief is not None and each.belief >= SURE_FAULT.value]
    shown = [
        *(name, str(len(judged)), f"{np.mean(right):.1%}"),
        f"{np.average(right, weights=weight):.1%}",
        *(f"{np.mean(list(map(decided, judged))):.1%}", f"{np.mean(two):.1%}"),
        *(f"{len(accused)} of {len(sound)}", str(len(sure))),
    ]
    if judged[0].belief is not None:
        hits = np.array([bool(j.first[0] & frozenset(j.row.causes)) for j in judged], float)
        beliefs = np.array([each.belief for each in judged], float)
        brier = float(np.average((beliefs - hits) ** 2, weights=weight))
        shown += [f"{brier:.3f}", f"{calibration(beliefs, hits, weight):.3f}"]
    print(f"| {' | '.join([*shown, '', ''][:10])} |")


HEAD = (
    "| procedure | cases | first cause right | weighted | or undecided | in the first two "
    "| sound models accused | of these, sure | Brier | calibration error |\n|" + "---|" * 10
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
        fitted: Fitted = [("apart", fit(rows), usable(everything, apart=True))]
    else:
        fitted = tables(rows)
    odds, steps = predicted(fitted, by_odds), predicted(fitted, before)
    for kind in ("body", "data", "task", "saver", ""):
        names = [name for name in odds if name.startswith(kind)]
        if names:
            print(f"\nleft out: {kind or 'all of these'}\n{HEAD}")
            summary("odds", [each for name in names for each in odds[name]])
            summary("ordered steps, as before", [e for name in names for e in steps[name]])
    print(f"\nby inputs\n{HEAD}")
    for mode in MODES:
        summary(mode, [e for found in odds.values() for e in found if e.row.mode == mode])
    flat = [e for name in odds if asked.apart or name.startswith("body") for e in odds[name]]
    per_cause(flat)
    print(f"\n{HEAD}")
    for name in odds:
        summary(name, odds[name])
    if asked.figure:
        figure(flat, asked.figure)


if __name__ == "__main__":
    main()
