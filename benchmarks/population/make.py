"""A population of sound and faulty networks, and what an audit measures of each.

    python -m benchmarks.population.make DIRECTORY [--networks N] [--apart] [--again] [--table FILE]

Trains the networks 0 to N - 1 of `nets.py`, saves sound and faulty copies, studies each
as an audit does (in this process, see `session.py`), and keeps one JSON file per network
in DIRECTORY. Networks that are there already, with the same properties, are skipped, so an
interrupted run can be continued; each network depends on its number alone. Networks that are kept
for a first look are left out without `--apart`. `--again` derives features again from
the files and behaviours that are there, without TensorFlow. `--table` writes the features of all
cases there.

A fault that costs less than 5 points of accuracy (or 0.05 of R2) on 640 other inputs is neither
sound nor faulty (`cause` is empty), and so is a network whose training gains less, or whose batch
statistics cost as much, against statistics recomputed from other inputs. A network that is no
better than chance after its training has a fault of training.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from benchmarks.population import faults, nets
from benchmarks.population import session as sessions
from benchmarks.population.cases import COST, Made, cases
from modelaudit.audit_types.values import custom_type
from modelaudit.diagnosis.arrangement import arranged, decided
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.features import (
    BEHIND,
    BUILT_IN,
    FEATURES,
    OF_OUTPUTS,
    STEP,
    features,
)
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.study.runner import MeasurementUnavailable
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.settings import ProbeSettings
from modelaudit.structs import replace

COLUMNS = [
    *FEATURES,
    *(name + BUILT_IN for name in FEATURES if name in OF_OUTPUTS),
    *sorted({STEP + name for names in BEHIND.values() for name in names}),
]
VERSION = 1  # of what is done to a network; results of other versions are made again
NEAR = (0.05, 0.05)  # relative and absolute differences that another processor may cause


@dataclass
class Studied:
    """One case: what was done, and what an audit measures.

    `causes` are those present (`sound`, or names of `modelaudit.odds`, joined by ` + `), empty
    where the fault costs too little. `scores` are accuracies (or R2) of the sound network and of
    this case.
    """

    net: int
    condition: str
    causes: str
    mode: str
    n: int
    scores: tuple[float, float]
    features: dict[str, float]


def measured(facts: Facts) -> dict[str, float]:
    """Features of a case."""
    case = Case(facts, run_rules(CATALOGUE, facts))
    known = features(case, arranged(case, decided(case, PROCEDURE)))
    return {name: round(value, 4) for name, value in known.items()}


def kept_facts(root: Path, kept: Path) -> Iterator[tuple[dict[str, Any], Facts]]:
    """Each case of one network, and what an audit knows of it, from the files that are there."""
    with gzip.open(root / "seen" / f"{kept.stem}.json.gz", "rt", encoding="utf-8") as read:
        how = json.load(read)
    row = json.loads(kept.read_text(encoding="utf-8"))
    static: dict[str, Facts] = {}
    for case, each in zip(row["cases"], how, strict=True):
        name = each["file"]
        if name not in static:
            static[name] = sessions.static(root / "models" / name)
        given = "" if case["mode"] == "built-in" else "inputs.npz"
        settings = replace(sessions.SETTINGS, probe=ProbeSettings(timeout=600, data=given or None))
        seen = msgspec.convert(each["behaviour"], Behaviour, dec_hook=custom_type)
        yield case, replace(static[name], settings=settings, behaviour=seen)


def study(made: Made, root: Path) -> Iterator[tuple[Studied, dict[str, Any]]]:
    """Each case of a network, and how to derive it again."""
    n = made.n
    intact = None
    for number, (condition, causes, mode, feed, fault) in enumerate(cases(made)):
        made.model.set_weights(made.weights)
        if fault:
            try:
                fault.harm(made.model, made.bench)
            except (faults.Unsuited, IndexError, ValueError):
                continue
            path = made.saved(str(number), optimizer=made.optimizer and fault.cause != "untouched")
            static = sessions.static(path)
        else:
            if intact is None:
                intact = sessions.static(made.saved("intact", optimizer=made.optimizer))
            static = intact
        own = n.saver == "export"
        session = sessions.opened(static.artifact, None if own else made.live)
        now = made.score(feed)
        partly = [made.sound - now]
        if feed and " + " in causes:  # each of two faults must cost something on its own
            partly.append(made.score() - now if fault else made.sound - now)
        harmless = causes not in {"sound", "untouched", "training"} and min(partly) < COST
        least = 64 if mode == "unlabelled" else 40
        if not condition.startswith("training"):
            harmless |= made.unclear(causes)
        data, count = made.inputs(mode, feed, least, root / f"{n.number}.npz")
        facts = sessions.studied(static, session, data)
        case = Studied(
            n.number, condition, "" if harmless else causes, mode, count,
            (round(made.sound, 4), round(now, 4)), measured(facts),
        )  # fmt: skip
        yield (
            case,
            {"file": static.artifact.root.name, "behaviour": msgspec.to_builtins(facts.behaviour)},
        )


def digest(n: nets.Net) -> str:
    """Identifies what was done to a network."""
    return hashlib.sha256(json.dumps([VERSION, n.described], sort_keys=True).encode()).hexdigest()[
        :16
    ]


def run(root: Path, numbers: range, *, apart: bool) -> None:
    """Make the networks that are not there yet."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    made = None
    for number in numbers:
        n = nets.net(number)
        kept = root / "cases" / f"{number}.json"
        if n.apart and not apart:
            continue
        if kept.exists() and json.loads(kept.read_text(encoding="utf-8"))["digest"] == digest(n):
            continue
        start = time.process_time()
        try:
            made = Made(n, root / "models", made)
            found = list(study(made, root))
        except (RuntimeError, ValueError, MeasurementUnavailable) as error:
            print(number, n.body, n.data, n.saver, f"failed: {error}"[:200], flush=True)
            continue
        row = {
            "digest": digest(n),
            "net": n.described,
            "cases": [asdict(case) for case, _ in found],
        }
        with gzip.open(root / "seen" / f"{number}.json.gz", "wt", encoding="utf-8") as out:
            json.dump([how for _, how in found], out)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(row), encoding="utf-8")
        partial.rename(kept)
        spent = time.process_time() - start
        print(
            number,
            n.body,
            n.data,
            n.saver,
            f"{made.sound:.2f}",
            len(found),
            f"{spent:.1f} s",
            flush=True,
        )


def again(root: Path) -> None:
    """Derive features again, from the files and behaviours that are there."""
    for kept in sorted((root / "cases").glob("*.json")):
        row = json.loads(kept.read_text(encoding="utf-8"))
        row["cases"] = [
            case | {"features": measured(facts)} for case, facts in kept_facts(root, kept)
        ]
        kept.write_text(json.dumps(row), encoding="utf-8")


def table(root: Path, file: Path) -> None:
    """Write all cases as CSV: families, what was done, what is present, features."""
    own = ("body", "data", "task", "saver", "convention", "steps", "classes", "fault")
    head = [
        "net",
        "apart",
        *own,
        "condition",
        "causes",
        "mode",
        "n",
        "sound",
        "now",
        *COLUMNS,
    ]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(head)
    for kept in sorted((root / "cases").glob("*.json"), key=lambda path: int(path.stem)):
        row = json.loads(kept.read_text(encoding="utf-8"))
        apart = int(nets.net(int(kept.stem)).apart)
        for case in row["cases"]:
            values = [f"{case['features'][f]:g}" if f in case["features"] else "" for f in COLUMNS]
            rows.writerow([
                case["net"], apart, *(row["net"][key] for key in own), case["condition"],
                case["causes"], case["mode"], case["n"], *case["scores"], *values,
            ])  # fmt: skip
    with file.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
        out.write(text.getvalue().encode())


def compare(root: Path, file: Path) -> None:
    """Compare cases of a directory with those of a table: causes, and statistics up to rounding."""
    with gzip.open(file, "rt", encoding="utf-8") as text:
        known = {(row["net"], row["condition"], row["mode"]): row for row in csv.DictReader(text)}
    other = 0
    for kept in sorted((root / "cases").glob("*.json")):
        for case in json.loads(kept.read_text(encoding="utf-8"))["cases"]:
            row = known.get((str(case["net"]), case["condition"], case["mode"]))
            same = (
                row is not None
                and row["causes"] == case["causes"]
                and all(
                    (row[name] == "") == (name not in case["features"])
                    and (
                        row[name] == ""
                        or np.isclose(float(row[name]), case["features"][name], *NEAR)
                    )
                    for name in COLUMNS
                )
            )
            if not same:
                other += 1
                print("differs:", kept.stem, case["condition"], case["mode"])
    if other:
        raise SystemExit(f"{other} cases differ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--networks", type=int, default=0, help="how many networks to make")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--apart", action="store_true", help="also those for the first look")
    parser.add_argument("--again", action="store_true", help="derive features again")
    parser.add_argument("--table", type=Path, help="write the table")
    parser.add_argument("--compare", type=Path, help="compare the cases with those of a table")
    asked = parser.parse_args()
    for folder in ("models", "cases", "seen"):
        (asked.directory / folder).mkdir(parents=True, exist_ok=True)
    if asked.networks:
        run(asked.directory, range(asked.first, asked.networks), apart=asked.apart)
    if asked.again:
        again(asked.directory)
    if asked.compare:
        compare(asked.directory, asked.compare)
    if asked.table:
        table(asked.directory, asked.table)


if __name__ == "__main__":
    main()
