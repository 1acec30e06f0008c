"""What modelaudit says of faulty programs: detected, named, the right fix; and of fixed twins.

    python -m benchmarks.programs.table DIRECTORY [--data] [--only REGEX] [--verbose]

DIRECTORY is the output of `make.py`. Every model is checked by its file alone, as by
`modelaudit scan` and `explain --no-probe`, in each format; with `--data`, `model.keras` is also run
on the probe inputs with their labels, as by `modelaudit audit --probe-data`. A program counts as

* detected, if a finding of severity low or higher, or a cause, concerns its fault;
* named, if one of these says what the program's answer or paper says;
* fixed, if the advice of that one is the accepted fix.

`KINDS` lists which rules and causes do so for each kind of fault, and `remedy` of a program which
words the advice has to contain. Results are kept in DIRECTORY/looks.jsonl, so an interrupted run
can be continued; delete the file after changes.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.diagnosis import diagnose
from modelaudit.findings import RuleResult, Severity
from modelaudit.measures.statistics import wilson
from modelaudit.pipeline import Probe, add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace

FORMATS = {"keras": "model.keras", "h5": "model.h5", "export": "export"}
DATA = "data"


@dataclass(frozen=True)
class Kind:
    """The codes of rules, and the causes, that say which fault it is, or only concern it."""

    named: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    harmless: bool = False  # not to the model, so an info is enough


# What says that a model does not work, whatever the fault; it needs inputs.
SYMPTOMS = (
    *("MA602", "MA606", "MA607", "MA623", "MA628"),
    *("collapse-open", "dead-units", "not-understood", "prior-only"),
)
# What accuses a model of other faults than those of the set.
OTHERS = (
    *("MA404", "MA405", "MA603", "MA610", "MA612", "MA622", "MA624", "MA626"),
    *("never-trained", "partial-restore"),
)
NOT_FINITE = ("MA111", "nonfinite-weights")
DIVERGED = ("MA435", "exploded-weights", *NOT_FINITE)
KINDS: dict[str, Kind] = {
    "softmax-one-unit": Kind(("MA305", "constant-by-construction")),
    "loss-activation": Kind(("MA306", "loss-unsuited")),
    "loss-choice": Kind(("MA306", "loss-unsuited")),
    "relu-output": Kind(("MA609", "MA306", "loss-unsuited")),
    "output-range": Kind(("MA609", "MA306", "loss-unsuited"), DIVERGED),
    "output-units": Kind(("MA317", "MA609")),
    "linear-stack": Kind(("MA309",)),
    "dropout-output": Kind(("MA308",)),
    "saturating-hidden": Kind(("MA315",), ("MA434",)),
    "recurrent-activation": Kind(("MA315",), NOT_FINITE),
    "dead-units": Kind(("MA328", "MA405", "MA433", "MA437", "MA606", "dead-units")),
    "bn-statistics": Kind(("MA438", "MA625", "MA627", "bn-statistics-unsettled")),
    "constant-init": Kind(("MA323", "MA406")),
    "regularization": Kind(("MA322", "MA436")),
    "learning-rate-high": Kind(
        ("MA319", "MA431", "MA435", "exploded-weights"), (*NOT_FINITE, "MA309", "MA437")
    ),
    "learning-rate-low": Kind(("MA319", "MA430", "MA431")),
    "undertrained": Kind(("MA404", "MA432", "never-trained")),
    "nan": Kind(NOT_FINITE),  # with the input feature whose weights are NaN
    "unscaled-input": Kind(("MA440", "MA613"), ("MA437", *DIVERGED)),
    "unscaled-target": Kind(("MA613",), DIVERGED),
    "labels-wrong": Kind(),
    "class-missing": Kind(),
    "imbalance": Kind(),
    "served-otherwise": Kind(("MA621", "input-domain")),
    "inputs-constant": Kind(("MA439", "MA611"), ("MA405", "MA433")),
    "masked-away": Kind(("MA439",)),
    "metric-choice": Kind(("MA320",), harmless=True),
    "capacity": Kind(),
    "activation-choice": Kind(),
    "batch-size": Kind(),
    "overfit": Kind(),
    "softmax-twice": Kind(("MA307",)),
    "softmax-hidden": Kind(("MA315",)),
    "stride": Kind(),
}
INFOS = {code for kind in KINDS.values() if kind.harmless for code in kind.named}


class Row(TypedDict):
    """A line of the truth."""

    name: str
    kind: str
    trace: str
    basis: str
    remedy: str
    twin: bool
    score: float
    share: float


class Said(TypedDict):
    """One finding of severity low or higher, or one cause."""

    code: str
    severity: str
    text: str
    advice: str


class Look(TypedDict):
    """What was said of one model in one way."""

    name: str
    way: str
    said: list[Said]


def look(path: Path, settings: Settings, probe: Probe | None) -> list[Said]:
    """Everything that is said of the model at `path`."""
    facts = add_probe(static_facts(path, settings), probe)
    results = run_rules(CATALOGUE, facts)
    return [*_findings(results), *_causes(diagnose(facts, results))]


def _findings(results: Iterable[RuleResult]) -> list[Said]:
    return [
        Said(code=found.code, severity=found.severity, text=found.detail, advice=found.fix)
        for result in results
        for found in result.findings
        if found.severity.rank >= (Severity.INFO if found.code in INFOS else Severity.LOW).rank
    ]


def _causes(diagnosis: Diagnosis) -> list[Said]:
    return [
        Said(
            code=cause.cause,
            severity="" if cause.belief is None else f"{cause.belief:.2f}",
            text=" ".join(item.text for item in cause.evidence),
            advice=" ".join(f"{step.text} {step.code}" for step in cause.next_steps),
        )
        for cause in diagnosis.causes
    ]


def run(names: Sequence[str], root: Path, kept: Path, *, data: bool) -> None:
    """Look at each model in each way that is not in `kept` yet; one line each."""
    done = {(seen["name"], seen["way"]) for seen in read(kept)}
    settings = Settings(probe=ProbeSettings(timeout=600))  # also enough on a busy machine
    with kept.open("a") as out:

        def keep(name: str, way: str, said: list[Said]) -> None:
            out.write(json.dumps(Look(name=name, way=way, said=said)) + "\n")
            out.flush()

        for name in names:
            for way, file in FORMATS.items():
                if (name, way) not in done and (root / name / file).exists():
                    keep(name, way, look(root / name / file, settings, None))
        if data:
            with local_probe(settings) as probe:
                for name in names:
                    if (name, DATA) not in done:
                        given = str(root / name / "probe.npz")
                        chosen = replace(settings, probe=replace(settings.probe, data=given))
                        keep(name, DATA, look(root / name / FORMATS["keras"], chosen, probe))


def read(kept: Path) -> list[Look]:
    """The looks so far."""
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def judged(row: Row, said: Iterable[Said]) -> tuple[bool, bool, bool]:
    """Whether the fault was detected, named, and given the right advice."""
    kind = KINDS.get(row["kind"], Kind())
    named = [each for each in said if each["code"] in kind.named]
    near = [each for each in said if each["code"] in (*kind.near, *SYMPTOMS)]
    fixed = any(re.search(row["remedy"], each["advice"], re.IGNORECASE) for each in named)
    return bool(named or near), bool(named), fixed


def accused(said: Iterable[Said]) -> list[str]:
    """The codes that accuse a fixed twin of a fault of any kind."""
    charges = {code for kind in KINDS.values() for code in (*kind.named, *kind.near)}
    return sorted({each["code"] for each in said} & {*charges, *SYMPTOMS, *OTHERS})


def report(truth: Sequence[Row], looks: Iterable[Look], *, verbose: bool) -> None:
    """Print a line for each program, then the shares, then the twins."""
    seen = {(each["name"], each["way"]): each["said"] for each in looks}
    ways = [way for way in (*FORMATS, DATA) if any(way == key[1] for key in seen)]
    faulty = [row for row in truth if not row["twin"]]
    print(f"| program | fault | trace | {' | '.join(ways)} |\n|{'---|' * (3 + len(ways))}")
    for row in faulty:
        cells = []
        for way in ways:
            said = seen.get((row["name"], way))
            cells.append("" if said is None else _cell(judged(row, said)))
        print(f"| {row['name']} | {row['kind']} | {row['trace']} | {' | '.join(cells)} |")
        if verbose:
            for way in ways:
                for each in seen.get((row["name"], way), []):
                    print(f"    {way} {each['code']} {each['severity']} {each['text'][:200]}")
    print(f"\n| way | programs | detected | named | right fix | twins accused |\n|{'---|' * 6}")
    for way in ways:
        for group in ("all", *sorted({row["trace"] for row in faulty})):
            some = [r for r in faulty if group in {"all", r["trace"]} and (r["name"], way) in seen]
            marks = [judged(row, seen[row["name"], way]) for row in some]
            counts = [sum(mark[i] for mark in marks) for i in range(3)]
            twins = ""
            if group == "all":
                fixed = [r for r in truth if r["twin"] and (r["name"], way) in seen]
                bad = sum(bool(accused(seen[r["name"], way])) for r in fixed)
                twins = f"{bad} of {len(fixed)}"
                low, high = wilson(counts[1], len(some)) if some else (0.0, 1.0)
                twins += f" (named: 95 % from {low:.0%} to {high:.0%})"
            print(f"| {way}, {group} | {len(some)} | {' | '.join(map(str, counts))} | {twins} |")
    charges: Counter[str] = Counter()
    for row in truth:
        for way in ways:
            if row["twin"] and (codes := accused(seen.get((row["name"], way), []))):
                print(f"{row['name']} ({way}, score {row['score']:.2f}): {', '.join(codes)}")
                charges.update(codes)


def _cell(marks: tuple[bool, bool, bool]) -> str:
    detected, named, fixed = marks
    return ("named, fix" if fixed else "named") if named else "detected" if detected else "-"


def main() -> None:
    """Look at the models that were not looked at yet, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--data", action="store_true")
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    truth: list[Row] = json.loads((args.directory / "truth.json").read_text())
    truth = [row for row in truth if re.search(args.only, row["name"])]
    kept = args.directory / "looks.jsonl"
    run([row["name"] for row in truth], args.directory, kept, data=args.data)
    report(truth, read(kept), verbose=args.verbose)


if __name__ == "__main__":
    main()
