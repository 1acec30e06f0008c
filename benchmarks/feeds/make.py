"""Which faults of the feed `modelaudit` names, on networks trained for this alone.

    python -m benchmarks.feeds.make DATA DIRECTORY [--audit [--costly] | --table] [--only REGEX]

DATA holds a file NAME.npz for each `data` of `nets.py`, with the images and labels of a task:
train_x, train_y, test_x, test_y (uint8, n x height x width x channels). Without an option, the
networks of `nets.py` are trained, and every feed of `forms.py` is written to DIRECTORY: 64 labelled
images, and 256 unlabelled ones where one thing differs. What a feed costs (accuracy of the sound
feed minus accuracy of this one) is measured on 1,000 other test images. `--audit` audits each
network with each feed (`--costly`: if it is sound or costs 10 points or more), `--table` compares
the diagnoses with what was done. All three can be interrupted and continued.

A feed is named if the first cause is of the right kind and its advice is right; where two things
differ, both must be among the first two causes. An orientation is right if it undoes the turn, up
to a mirror image for a network that was trained with mirrored images; one with a mirror image too
much that costs nothing is counted apart. A correction of values is right if, after all that the
advice changes, the network is at most 2 points less accurate than with its own convention (where
red and blue were exchanged: than after exchanging the scaled channels). A wrong convention that
also exchanges red and blue may be named in two causes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path

import msgspec

from benchmarks.feeds.cases import benches, cases_of, write
from benchmarks.feeds.table import COUNTED, report
from modelaudit import clock
from modelaudit.pipeline import audit_model
from modelaudit.probe.run import local_probe
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace


def make(data: Path, root: Path, only: str) -> None:
    """Train what is not trained, and write the feeds and `cases/NET.json`."""
    for folder in ("feeds", "cases"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for bench in benches(data, root, only):
        kept = root / "cases" / f"{bench.name}.json"
        if kept.exists():
            continue
        cases = list(write(bench, root / "feeds"))
        kept.write_text(json.dumps([vars(case) for case in cases]), encoding="utf-8")
        print(bench.name, f"{cases[0].sound:.1%}", len(cases), "feeds", flush=True)


def audit(root: Path, only: str, *, costly: bool) -> None:
    """Audit each case as `modelaudit audit MODEL --probe-data FEED` does, and keep the answer."""
    settings = Settings(probe=ProbeSettings(timeout=600))  # also enough on a busy machine
    models = root.resolve() / "models"
    paths = {path.name.removesuffix(path.suffix): path for path in models.iterdir()}
    (root / "found").mkdir(exist_ok=True)
    cases = cases_of(root, only)
    if costly:
        cases = [case for case in cases if case.feed == "sound" or case.cost >= COUNTED]
    random.Random(0).shuffle(cases)  # an interrupted audit is then a fair sample
    with local_probe(settings, [models]) as probe:
        for case in cases:
            kept = root / "found" / f"{case.key}.json"
            if kept.exists():
                continue
            data = str(root.resolve() / "feeds" / f"{case.key}.npz")
            path = paths[case.net]
            done = audit_model(
                AuditTarget(path, models, path.name, path.name),
                replace(settings, probe=replace(settings.probe, data=data)),
                clock.utc_now(),
                probe,
            )
            causes = [(each.cause, each.transform) for each in done.diagnosis.causes]
            row = {"causes": causes, "verdict": done.verdict.value, "exit": done.exit.code}
            print(case.key, f"cost {case.cost:.1%}", row, flush=True)
            partial = kept.with_suffix(f".{os.getpid()}")
            row |= {"diagnosis": msgspec.to_builtins(done.diagnosis)}
            partial.write_text(json.dumps(row), encoding="utf-8")
            partial.rename(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--audit", action="store_true", help="audit each network with each feed")
    parser.add_argument("--costly", action="store_true", help="of these, sound and costly feeds")
    parser.add_argument("--table", action="store_true", help="compare diagnoses and faults")
    parser.add_argument("--only", default="", help="regular expression on the names of networks")
    asked = parser.parse_args()
    if asked.audit:
        audit(asked.directory, asked.only, costly=asked.costly)
    elif asked.table:
        report(asked.data, asked.directory, asked.only)
    else:
        make(asked.data, asked.directory, asked.only)


if __name__ == "__main__":
    main()
