"""Condition against diagnosis for many small models: the tables of `docs/accuracy/diagnosis.md`.

    python -m benchmarks.diagnosis.table DIRECTORY [--labels | --no-images] [--only REGEX]

DIRECTORY is the output of `make.py`. Each case is diagnosed from the saved file alone,
as by `modelaudit explain`. Prints the diagnoses for each condition, how often an intact model was
diagnosed as faulty, with the 95 % interval, and every wrong diagnosis. Results are kept in
DIRECTORY, so an interrupted run can be continued.

A model whose training failed (accuracy under 80 %, R2 under 0.7) is excluded with its copies
before any diagnosis.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.diagnosis.make import Case
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.procedure import FAULTS
from modelaudit.measures.statistics import wilson
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace

# Faults that can be identified without images.
STATIC = (
    *("never loaded", "layer reinitialised", "head reinitialised"),
    *("BN statistics lost", "one BN lost"),
)
SILENT = ("head bias +60", "dead layer")
TRAINED_ACCURACY, TRAINED_FIT = 0.8, 0.7
MEANINGS = {
    "pointers": "mirroring swaps the classes",
    "roads": "mirroring changes the sign",
    "blobs": "the mask is mirrored too",
    "sizes": "mirroring changes nothing",
    "textures": "mirroring changes nothing",
}
NOT_IMAGES = ("waves", "tables", "tokens")
OPEN = "undecided-without-images"


def expected(case: Case, *, images: bool) -> tuple[str, ...]:
    """The correct causes, with or without images."""
    if images:
        return case.accepted
    if case.condition in (*STATIC, *SILENT):
        # Without images, a small layer without bias looks the same initial or trained.
        return (*case.accepted, OPEN) if "partial-restore" in case.accepted else case.accepted
    if case.condition in {"head bias, moderate", "BN unconverged"}:
        return (*case.accepted, OPEN)
    built_in = tuple(c for c in case.accepted if c in {"invariant-by-construction", "healthy"})
    return (*built_in, OPEN)


def trained(case: Case) -> bool:
    """Whether the training of the case's original model succeeded."""
    limit = TRAINED_ACCURACY if case.net["classes"] else TRAINED_FIT
    return bool(case.net["score"] >= limit)


def run(cases: list[Case], root: Path, kept: Path, *, labels: bool, images: bool) -> None:
    """Diagnose each case that is not in `kept` yet, and append one line per case to it."""
    settings = Settings(probe=ProbeSettings(timeout=600))  # also enough on a busy machine
    with TemporaryDirectory() as folder, local_probe(settings) as probe, kept.open("a") as out:
        for number, case in enumerate(cases):
            chosen = settings
            if images:
                with np.load(root / case.images) as held:
                    given = {"x": held["x"]} | ({"y": held["y"]} if labels else {})
                data = Path(folder) / f"{number}.npz"
                np.savez(data, **given)
                chosen = replace(settings, probe=replace(settings.probe, data=str(data)))
            facts = add_probe(static_facts(root / case.model, chosen), probe)
            first = diagnose(facts, run_rules(CATALOGUE, facts)).causes[0]
            row = {"case": key(case), "cause": first.cause, "transform": first.transform}
            out.write(json.dumps(row) + "\n")
            out.flush()


def key(case: Case) -> str:
    """Identifies a case: a model and its images."""
    return f"{case.model} {case.images}"


def shown(case: Case) -> str:
    """The name of the condition in the table."""
    if not case.healthy:
        return case.condition
    if case.net["task"] in NOT_IMAGES:
        return f"sound, {case.net['task']} ({case.net['body']})"
    if case.net["body"] in {"even", "odd"}:
        return f"sound, {case.net['body']} by construction"
    if case.net["task"] in MEANINGS:
        return f"sound, {case.net['task']} ({MEANINGS[case.net['task']]})"
    return {
        "plain": "sound, trained on one orientation",
        "mirrored": "sound, trained with mirrored images",
        "d4": "sound, trained in all orientations",
    }[case.net["way"]]


def report(cases: list[Case], found: dict[str, dict[str, str]], *, images: bool) -> None:
    """Print the tables for the cases diagnosed so far."""
    table: dict[tuple[bool, str], Counter[str]] = defaultdict(Counter)
    right: Counter[tuple[bool, str]] = Counter()
    alarms, sound, wrong = 0, 0, []
    for case in cases:
        first = found[key(case)]
        row = (not case.healthy, shown(case))
        table[row][first["cause"]] += 1
        good = first["cause"] in expected(case, images=images)
        if images and case.transform and first["transform"] != case.transform:
            good = False
        right[row] += good
        if case.healthy:
            sound += 1
            alarms += first["cause"] in FAULTS | {"labels-renumbered"}
        if not good:
            wrong.append(f"{case.model} ({case.condition}): {first['cause']} {first['transform']}")
    print("| condition | cases | as expected | diagnosed as |\n|---|---|---|---|")
    for row, counts in sorted(table.items()):
        named = ", ".join(f"{cause} {count}" for cause, count in counts.most_common())
        print(f"| {row[1]} | {counts.total()} | {right[row]} | {named} |")
    if sound:
        low, high = wilson(alarms, sound)
        print(f"\nfalse alarms: {alarms} of {sound} sound models (95 %: {low:.1%} to {high:.1%})")
    faulty = len(cases) - sound
    named = sum(count for (is_faulty, _), count in right.items() if is_faulty)
    if faulty:
        low, high = wilson(named, faulty)
        print(f"faults identified: {named} of {faulty} (95 %: {low:.1%} to {high:.1%})")
    print(f"as expected: {sum(right.values())} of {len(cases)}")
    print("\n".join(["not as expected:", *wrong] if wrong else ["all as expected"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--labels", action="store_true", help="use labelled images")
    parser.add_argument("--no-images", action="store_true")
    parser.add_argument("--only", default="", help="regular expression on the names of models")
    parser.add_argument("--report", action="store_true", help="print the results so far")
    asked = parser.parse_args()
    lines = [
        line
        for file in sorted(asked.directory.glob("*_s?.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    cases = [Case(**json.loads(line)) for line in lines]
    cases = [case for case in cases if re.search(asked.only, case.model)]
    every = len({(case.net["seed"], case.net["way"]) for case in cases})
    cases = [case for case in cases if trained(case) and (asked.labels or not case.labels)]
    untrained = every - len({(case.net["seed"], case.net["way"]) for case in cases})
    print(f"{untrained} of {every} trainings failed and are excluded")
    images = not asked.no_images
    how = "none" if not images else "labelled" if asked.labels else "unlabelled"
    kept = asked.directory / f"found_{how}.txt"
    kept.touch()
    done = _found(kept)
    waiting = [case for case in cases if key(case) not in done]
    if not asked.report:
        run(waiting, asked.directory, kept, labels=asked.labels, images=images)
    done = _found(kept)
    report([case for case in cases if key(case) in done], done, images=images)


def _found(kept: Path) -> dict[str, dict[str, str]]:
    rows = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    return {row["case"]: row for row in rows}


if __name__ == "__main__":
    main()
