"""How good the odds are for families that the fit had not seen.

    python -m benchmarks.population.validate [--table FILE] [--shown DIRECTORY] [--figure FILE]
        [--apart]

Leaves out each architecture, each family of data, each task and each format in turn, fits the
others (with curves from how the other families were predicted, without its cases), and predicts the
one that was left out. Prints how often the first cause is right, how often one of the first two is,
how many sound models are accused, Brier scores and expected calibration errors: of what reports
show first (`--shown`, from the files in a directory), of the odds alone, and of the ordered steps
that named causes before the odds did. `--figure` draws the reliability diagram. `--apart` predicts
the cases that were kept for a first look from all others.

*Exact* counts the cause itself. *Kinds merged* counts weights out of place, training that failed
and weights that were never loaded as one. *Hidden merged* counts no fault as right, too, where the
fault does not show in the inputs that are given (`hidden`), and so does *in the first two*.
Calibration is weighted as the fit is, so that every cause has its prior probability.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.population.calibration import Fitted, tables, with_curves
from benchmarks.population.estimate import SPEAKS, TABLE, Row, fit, read, truth, usable, weights
from benchmarks.population.make import kept_facts
from modelaudit.diagnosis.arrangement import Decided, arranged, decided
from modelaudit.diagnosis.beliefs import BEHIND, beliefs, believed, chosen
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.features import FIRST, LATER, NEED_INPUTS, OUT, STEP
from modelaudit.diagnosis.procedure import PROCEDURE, concluded
from modelaudit.odds.posterior import SOUND, Posterior, posterior
from modelaudit.odds.table import OddsTable
from modelaudit.report.sections.diagnosis import UNDECIDED
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.thresholds.answers import SURE_FAULT

MERGED = (
    frozenset({"misplaced", "untouched", "small-steps", "short", "mislabelled", "one-class"}),
)
NOISE = 1.96  # standard errors of a difference of scores
MODES = ("labelled", "unlabelled", "built-in")


@dataclass(frozen=True)
class Judged:
    """One case and what is said of it: causes best first; `probabilities` of all.

    `belief` is that of the first cause; None where nothing gives one.
    """

    row: Row
    first: tuple[frozenset[str], ...]
    belief: float | None
    probabilities: dict[str, float]

    @property
    def sure(self) -> bool:
        """Whether a fault is named and probable enough for a finding to fail."""
        sound = self.probabilities.get(SOUND, 1.0)
        causes = (p for name, p in self.probabilities.items() if name != SOUND)
        fault = max(1 - sound, *causes, 0.0)
        return SOUND not in self.first[0] and fault >= SURE_FAULT.value


def accepted(causes: Sequence[str]) -> frozenset[str]:
    """The causes that count as right if kinds are merged."""
    found = set(causes)
    for group in MERGED:
        if group & found:
            found |= group
    return frozenset(found)


def hidden(row: Row) -> bool:
    """Whether the inputs of a faulty case do not show the fault, whatever is measured.

    Built-in inputs mean nothing to a model, so they show no wrong answers. Without labels, answers
    that were trained on wrong labels are answers. Else a fault is hidden if it costs less than
    `NOISE` standard errors of the difference of two scores on as many inputs, of two proportions
    or of two R2 (Olkin and Finn 1995).
    """
    if row.mode == "built-in":
        return bool(NEED_INPUTS & {*row.causes})
    if row.condition.startswith("training"):
        return row.mode == "unlabelled" and row.causes == ("mislabelled",)
    scores = np.clip(row.scores, 0, 1)
    numbers = 4 * scores * (1 - scores) ** 2
    variances = numbers if row.families["task"] == "regression" else scores * (1 - scores)
    return bool(row.scores[0] - row.scores[1] < NOISE * np.sqrt(variances.sum() / row.n))


def admitted(row: Row) -> frozenset[str]:
    """The causes that count as right if kinds are merged and a hidden fault is no fault."""
    return accepted(row.causes) | ({SOUND} if hidden(row) else set())


def marginals(found: Posterior, table: OddsTable) -> dict[str, float]:
    return {name: believed(found, {name}, table)[0] for name in (SOUND, *SPEAKS)}


def shown(fitted: Fitted, root: Path) -> dict[str, list[Judged]]:
    """What the reports show of every family first, by the files in a directory."""
    wanted = defaultdict(list)
    for family, table, inside in fitted:
        for row in inside:
            wanted[row.net, row.condition, row.mode].append((family, row, table))
    found: dict[str, list[Judged]] = {family: [] for family, _, _ in fitted}
    for number in sorted({net for net, _, _ in wanted}):
        for made, facts in kept_facts(root, root / "cases" / f"{number}.json"):
            case = Case(facts, run_rules(CATALOGUE, facts))
            answers = decided(case, PROCEDURE)
            for family, row, table in wanted[made["net"], made["condition"], made["mode"]]:
                found[family].append(as_shown(row, table, case, answers))
    return found


def as_shown(row: Row, table: OddsTable, case: Case, answers: Decided) -> Judged:
    """What a report shows first, and what is most probable without that.

    Where it names no cause because built-in inputs cannot show one, that counts as no fault. What
    is proven and has no probability counts as certain.
    """
    known = beliefs(case, arranged(case, answers), table)
    first = concluded(case, answers, known)[1][0]
    told = marginals(posterior(row.features, table), table)
    behind = frozenset(
        (SOUND,) if first.cause in UNDECIDED else BEHIND.get(first.cause, (first.cause,))
    )
    rest = sorted(set(told) - behind, key=lambda name: -told[name])
    belief = told[SOUND] if first.cause in UNDECIDED else first.belief
    proven = 1.0 if belief is None else belief
    return Judged(row, (behind, *(frozenset({name}) for name in rest)), proven, told)


def by_odds(row: Row, table: OddsTable) -> Judged:
    """What the odds name first, and what is most probable without that."""
    found = posterior(row.features, table)
    known = marginals(found, table)
    named = chosen(found, row.features, table) or {SOUND}
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
    exact = [bool(each.first[0] & {*each.row.causes}) for each in judged]
    right = [bool(each.first[0] & accepted(each.row.causes)) for each in judged]
    merged = [bool(each.first[0] & admitted(each.row)) for each in judged]
    two = [bool(frozenset().union(*each.first[:2]) & admitted(each.row)) for each in judged]
    weight = weights(truth([each.row for each in judged]))
    sound = [each for each in judged if each.row.causes == (SOUND,)]
    accused = [each for each in sound if SOUND not in each.first[0]]
    faulty = [each for each in judged if each.row.causes != (SOUND,)]
    shown = [
        *(name, str(len(judged)), f"{np.mean(exact):.1%}", f"{np.mean(right):.1%}"),
        *(f"{np.mean(merged):.1%}", f"{np.average(merged, weights=weight):.1%}"),
        *(f"{np.mean(two):.1%}", f"{len(accused)} of {len(sound)}"),
    ]
    if judged[0].belief is not None:
        shown.append(str(sum(each.sure for each in sound)))
        shown.append(f"{sum(each.sure for each in faulty)} of {len(faulty)}")
        hits = np.array([bool(j.first[0] & frozenset(j.row.causes)) for j in judged], float)
        beliefs = np.array([each.belief for each in judged], float)
        brier = float(np.average((beliefs - hits) ** 2, weights=weight))
        shown += [f"{brier:.3f}", f"{calibration(beliefs, hits, weight):.3f}"]
    print(f"| {' | '.join([*shown, *[''] * 4][:12])} |", flush=True)


HEAD = (
    "| procedure | cases | exact | kinds merged | hidden merged | weighted | in the first two "
    "| sound models accused | of these, sure | faults, sure | Brier | calibration error |\n|"
    + "---|"
    * 12
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
        firsts = [bool(each.first[0] & admitted(each.row)) for each in with_it]
        p = np.array([each.probabilities[name] for each in judged])
        nets = len({each.row.net for each in with_it})
        error = calibration(p, there, weight)
        print(f"| {name} | {len(with_it)} | {nets} | {np.mean(firsts):.0%} | {error:.3f} |")


def others(family: str, fitted: Fitted) -> tuple[list[Row], Fitted]:
    """The cases outside a family, and how the other families were predicted, without its cases."""
    own = next({*map(id, inside)} for name, _, inside in fitted if name == family)
    found = [
        (name, table, [row for row in inside if id(row) not in own])
        for name, table, inside in fitted
        if name != family
    ]
    rows = {id(row): row for _, _, inside in found for row in inside}
    return list(rows.values()), found


def predicted(fitted: Fitted, how: Callable[[Row, OddsTable], Judged]) -> dict[str, list[Judged]]:
    """What is said of every family by a fit to the others."""
    return {name: [how(row, table) for row in inside] for name, table, inside in fitted}


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
    parser.add_argument("--shown", type=Path, help="where the cases are: score what reports show")
    parser.add_argument("--apart", action="store_true", help="the first look")
    asked = parser.parse_args()
    everything = read(asked.table)
    rows = usable(everything)
    outer = tables(rows)
    if asked.apart:
        table = with_curves(fit(rows), rows, outer)
        fitted: Fitted = [("apart", table, usable(everything, apart=True))]
    else:
        fitted = [(name, with_curves(t, *others(name, outer)), inside) for name, t, inside in outer]
    odds, steps = predicted(fitted, by_odds), predicted(fitted, before)
    compared = {"odds": odds, "ordered steps": steps}
    if asked.shown:
        compared = {"reports": shown(fitted, asked.shown)} | compared
    for kind in ("body", "data", "task", "saver", ""):
        names = [name for name in odds if name.startswith(kind)]
        if names:
            print(f"\nleft out: {kind or 'all of these'}\n{HEAD}")
            for how, found in compared.items():
                summary(how, [each for name in names for each in found[name]])
    best = next(iter(compared.values()))
    print(f"\nby inputs\n{HEAD}")
    for mode in MODES:
        summary(mode, [e for found in best.values() for e in found if e.row.mode == mode])
    flat = [e for name in odds if asked.apart or name.startswith("body") for e in odds[name]]
    per_cause(flat)
    print(f"\n{HEAD}")
    for name in best:
        summary(name, best[name])
    if asked.figure:
        figure(flat, asked.figure)


if __name__ == "__main__":
    main()
