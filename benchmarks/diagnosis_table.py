"""Condition against diagnosis, over many small models: the tables of `docs/diagnosis.md`.

    python benchmarks/diagnosis_table.py DIRECTORY [--labels] [--no-images]

DIRECTORY is what `diagnosis_models.py` wrote. Each case is diagnosed from the saved file alone, as
`modelaudit explain` does. Prints what each condition was diagnosed as, how often a sound model was
called faulty, with the exact (Clopper-Pearson) 95 % bound, and every case that went wrong.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from diagnosis_models import Case
from scipy.stats import beta

from modelaudit.diagnosis import Diagnosis, diagnose
from modelaudit.diagnosis.procedure import FAULTS
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.here import here_probe
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

STATIC = ("never loaded", "layer redrawn", "head redrawn", "BN statistics lost", "one BN lost")
SILENT = ("head bias +60", "dead layer")
OPEN = "undecided-without-images"


def expected(case: Case, *, images: bool) -> tuple[str, ...]:
    """Causes that are right with the images that were given."""
    if images:
        return case.accepted
    if case.condition in (*STATIC, *SILENT):
        # A small layer without bias cannot be told from a trained one without images.
        return (*case.accepted, OPEN) if "partial-restore" in case.accepted else case.accepted
    built_in = tuple(c for c in case.accepted if c == "invariant-by-construction")
    return (*built_in, OPEN, "collapse-open")


def upper(k: int, n: int) -> float:
    """Upper end of the exact two-sided 95 % interval of a share (Clopper and Pearson 1934)."""
    return 1.0 if k == n else float(beta.ppf(0.975, k + 1, n - k))


def run(cases: list[Case], root: Path, *, labels: bool, images: bool) -> list[Diagnosis]:
    """Diagnose each case in the order given."""
    found = []
    with TemporaryDirectory() as folder, here_probe(Settings()) as probe:
        for number, case in enumerate(cases):
            settings = Settings()
            if images:
                with np.load(root / case.images) as held:
                    given = {"x": held["x"]} | ({"y": held["y"]} if labels else {})
                data = Path(folder) / f"{number}.npz"
                np.savez(data, **given)
                settings = replace(settings, probe=replace(settings.probe, data=str(data)))
            facts = add_probe(static_facts(root / case.model, settings), probe)
            found.append(diagnose(facts, run_rules(CATALOGUE, facts)))
    return found


def report(cases: list[Case], found: list[Diagnosis], *, images: bool) -> None:
    table: dict[tuple[bool, str], Counter[str]] = defaultdict(Counter)
    right: Counter[tuple[bool, str]] = Counter()
    alarms, sound, wrong = 0, 0, []
    for case, diagnosis in zip(cases, found, strict=True):
        first = diagnosis.causes[0]
        ways = {
            "plain": "sound",
            "mirrored": "sound, mirrored training",
            "d4": "sound, D4 training",
        }
        shown = ways[case.net["way"]] if case.healthy else case.condition
        if case.healthy and case.net["task"] not in {"letters", "objects"}:
            shown = f"sound, {case.net['task']}"
        row = (not case.healthy, shown)
        table[row][first.cause] += 1
        good = first.cause in expected(case, images=images)
        if images and case.transform and first.transform != case.transform:
            good = False
        right[row] += good
        if case.healthy:
            sound += 1
            alarms += first.cause in FAULTS
        if not good:
            wrong.append(f"{case.model} ({case.condition}): {first.cause} {first.transform}")
    print("| condition | models | as expected | diagnosed as |\n|---|---|---|---|")
    for row, counts in sorted(table.items()):
        named = ", ".join(f"{cause} {count}" for cause, count in counts.most_common())
        print(f"| {row[1]} | {counts.total()} | {right[row]} | {named} |")
    print(
        f"\nfalse alarms: {alarms} of {sound} sound models (95 % bound {upper(alarms, sound):.1%})"
    )
    print("\n".join(["not as expected:", *wrong] if wrong else ["all as expected"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--labels", action="store_true", help="give labels with the images")
    parser.add_argument("--no-images", action="store_true")
    parser.add_argument("--only", default="", help="part of a model's name")
    asked = parser.parse_args()
    lines = [
        line
        for file in sorted(asked.directory.glob("*_s?.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    cases = [Case(**json.loads(line)) for line in lines]
    cases = [case for case in cases if asked.only in case.model]
    images = not asked.no_images
    found = run(cases, asked.directory, labels=asked.labels, images=images)
    report(cases, found, images=images)


if __name__ == "__main__":
    main()
