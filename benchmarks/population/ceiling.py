"""What any model of the same statistics reaches, by a random forest that nobody can read.

    pip install scikit-learn        # no dependency of this project
    python -m benchmarks.population.ceiling [--table FILE] [--trees N]

Leaves out each architecture in turn, as `validate.py` does, and prints the same scores for a forest
that is fitted to the statistics of the other cases, beside those of the odds. Where both are
equally good, what is missing is evidence, not a better model of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.population.calibration import folds
from benchmarks.population.estimate import SPEAKS, TABLE, Row, fit, hypotheses, read, truth, usable
from benchmarks.population.validate import HEAD, MODES, Judged, by_odds, summary
from modelaudit.odds.posterior import SOUND

MISSING = -99.0  # lies beyond every statistic
LARGEST = 1e6  # a forest keeps its limits as float32


def statistics(rows: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    """(cases, statistics and the kind of inputs)."""
    found = [
        [row.features.get(name, MISSING) for name in names] + [MODES.index(row.mode)]
        for row in rows
    ]
    return np.clip(np.array(found), -LARGEST, LARGEST)


def by_forest(outside: Sequence[Row], inside: Sequence[Row], trees: int) -> Iterator[Judged]:
    """What a forest that is fitted to the other cases says of those that are left out."""
    from sklearn.ensemble import RandomForestClassifier

    names = sorted({name for row in outside for name in row.features})
    forest = RandomForestClassifier(trees, min_samples_leaf=2, random_state=0)
    forest.fit(statistics(outside, names), truth(outside))
    numbered = [hypotheses()[number] or (SOUND,) for number in forest.classes_]
    for row, shares in zip(inside, forest.predict_proba(statistics(inside, names)), strict=True):
        told = dict.fromkeys((SOUND, *SPEAKS), 0.0)
        for causes, share in zip(numbered, shares, strict=True):
            for name in causes:
                told[name] += float(share)
        order = sorted(told, key=lambda name: -told[name])
        yield Judged(row, tuple(frozenset({name}) for name in order), told[order[0]], told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--trees", type=int, default=400)
    asked = parser.parse_args()
    forests, odds = [], []
    for family, outside, inside in folds(usable(read(asked.table))):
        if family.startswith("body"):
            forests += by_forest(outside, inside, asked.trees)
            table = fit(outside)
            odds += [by_odds(row, table) for row in inside]
    print(HEAD)
    summary("forest", forests)
    summary("odds, before calibration", odds)


if __name__ == "__main__":
    main()
