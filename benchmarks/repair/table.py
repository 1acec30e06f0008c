"""How often `modelaudit repair` works, on models with known outputs.

    python -m benchmarks.repair.table MODELS TARGET PYTHON [--legacy] [--each N] [--seed S]
        [--custom NAME,NAME…] [--work FOLDER]

MODELS is a folder in which each model file (`.h5` or `.keras`) lies beside a `probe.npz` with its
inputs and outputs, in the form that `worker.py` describes. The name of a file's folder is
taken for its architecture. TARGET is a runtime such as tf==2.21, and PYTHON its interpreter, which
decides with plain `load_model`: what it loads with the saved outputs needs no repair, all other
files are repaired, and the new files are loaded in it again. `--legacy` sets TF_USE_LEGACY_KERAS
for PYTHON. `--each N` repairs at most N files of an architecture, chosen by `--seed`. `--custom`
names architectures with a class that is not part of Keras: plain `load_model` cannot load these
whatever is written, so the table counts the others apart too. `--work` is a folder in which all
that was done is kept: the same command, interrupted, goes on there. Its `before.tsv` may hold what
the target is known to do (`file<TAB>equal` or what is wrong); these files are not tried again.

It prints a table of these outcomes by the folder that is the first part of a file's path, then
what was not repaired, and why. The exit code is 1 if a new file has other outputs or is refused.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import h5py

WORKER = Path(__file__).with_name("worker.py")
EQUAL = "repaired and equal"
WRONG = "written but differs"
ALL, OWN = "all", "all without a class of their own"
OUTCOMES = (EQUAL, WRONG, "refused", "unproven", "not-needed", "no report")


def loaded(
    folder: Path, probes: dict[str, Path], options: argparse.Namespace, log: Path
) -> dict[str, str]:
    """What the target does with files below `folder`: their path to `equal` or what is wrong.

    Answers are added to `log`, and files with an answer there are not loaded again.
    """
    # Relative paths: the worker takes a looser tolerance for names that tell half precision.
    known = answers(log)
    lines = "".join(
        f"{name}\t{probe.resolve()}\n" for name, probe in probes.items() if name not in known
    )
    if not lines:
        return {name: known[name] for name in probes}
    environment = os.environ | ({"TF_USE_LEGACY_KERAS": "1"} if options.legacy else {})
    with log.open("a") as out:
        command = [options.python, str(WORKER), str(options.jobs)]
        subprocess.run(
            command, input=lines, cwd=folder, env=environment, stdout=out, text=True, check=True
        )
    return {name: said for name, said in answers(log).items() if name in probes}


def answers(log: Path) -> dict[str, str]:
    """The answers in a log, by file."""
    lines = log.read_text().splitlines() if log.exists() else []
    return {line.partition("\t")[0]: line.partition("\t")[2] for line in lines if "\t" in line}


def is_model(path: Path) -> bool:
    """Whether a file is a whole model; files of weights alone are none."""
    if path.suffix not in (".h5", ".keras"):
        return False
    if not h5py.is_hdf5(path):
        return path.suffix == ".keras"
    with h5py.File(path) as file:
        return "model_config" in file.attrs


def chosen(names: list[str], each: int, seed: int) -> list[str]:
    """At most `each` files of every architecture, at random; all if `each` is 0."""
    groups = collections.defaultdict(list)
    for name in sorted(names):
        groups[Path(name).parent.name].append(name)
    draw = random.Random(seed)
    return [
        name
        for _, group in sorted(groups.items())
        for name in (draw.sample(group, min(each, len(group))) if each else group)
    ]


def repaired(
    models: Path, names: list[str], target: str, work: Path, jobs: int
) -> dict[str, tuple[str, str]]:
    """Status and reason of the repair of each file; new files are written below `work/new`.

    Reports are added to `work/reports.jsonl`, and files with a report there are not repaired again.
    """
    asked, log = work / "asked", work / "reports.jsonl"
    shutil.rmtree(asked, ignore_errors=True)
    for name in set(names) - reported(log, asked).keys():
        (work / "new" / name).unlink(missing_ok=True)  # interrupted before it was reported
        link = asked / name
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.hardlink_to(models / name)
        except OSError:  # another file system
            link.write_bytes((models / name).read_bytes())
    if asked.exists():
        command = [sys.executable, "-m", "modelaudit", "repair", str(asked), "--json"]
        command += ["--jobs", str(jobs)]
        with log.open("a") as out:
            subprocess.run(
                [*command, "--for", target, "--out", str(work / "new")], stdout=out, check=False
            )
    return {name: said for name, said in reported(log, asked).items() if name in set(names)}


def reported(log: Path, asked: Path) -> dict[str, tuple[str, str]]:
    """Status and reason in the reports of a log, by file."""
    lines = log.read_text().splitlines() if log.exists() else []
    reports = [json.loads(line) for line in lines]
    return {
        str(Path(report["path"]).relative_to(asked)): (report["status"], report["reason"])
        for report in reports
    }


def outcomes_of(
    statuses: dict[str, tuple[str, str]], new: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Outcome and reason of each file, after the new files were loaded in the target."""
    found = {}
    for name, (status, reason) in statuses.items():
        if status == "repaired":
            said = new.get(name, "fails: no answer")
            found[name] = (EQUAL if said == "equal" else WRONG, said)
        else:
            found[name] = (status, reason)
    return found


def table(found: dict[str, tuple[str, str]], custom: Collection[str]) -> str:
    """Outcomes by the first folder of the path, and in all, as Markdown."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for name, (outcome, _) in found.items():
        rows = [Path(name).parts[0], ALL]
        if custom and Path(name).parent.name not in custom:
            rows.append(OWN)
        for row in rows:
            counts[row][outcome] += 1
    lines = ["| saved by | files | " + " | ".join(OUTCOMES) + " | share |"]
    lines.append("|---" * (3 + len(OUTCOMES)) + "|")
    for row in sorted(counts, key=lambda row: (row in (ALL, OWN), row)):
        cells = [str(counts[row][outcome]) for outcome in OUTCOMES]
        share = f"{counts[row][EQUAL] / counts[row].total():.1%}"
        lines.append(f"| {row} | {counts[row].total()} | " + " | ".join([*cells, share]) + " |")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("target")
    parser.add_argument("python")
    parser.add_argument("--legacy", action="store_true", help="PYTHON is to use tf-keras")
    parser.add_argument("--each", type=int, default=0, help="files of an architecture; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--custom", default="", help="architectures, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="files repaired or loaded at a time")
    parser.add_argument("--work", type=Path, help="folder to go on in; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        return run(options, options.work or Path(scratch))


def run(options: argparse.Namespace, work: Path) -> int:
    """Run the benchmark in the folder `work`."""
    models: Path = options.models
    (work / "new").mkdir(parents=True, exist_ok=True)
    probes = {
        str(path.relative_to(models)): path.parent / "probe.npz"
        for path in sorted(models.rglob("*"))
        if is_model(path) and (path.parent / "probe.npz").exists()
    }
    before = loaded(models, probes, options, work / "before.tsv")
    asked = [name for name in probes if before.get(name) != "equal"]
    names = chosen(asked, options.each, options.seed)
    print(f"{options.target}: loads {len(probes) - len(asked)} of {len(probes)} files as they were")
    statuses = repaired(models, names, options.target, work.resolve(), options.jobs)
    new = {name: probes[name] for name, (status, _) in statuses.items() if status == "repaired"}
    found = outcomes_of(statuses, loaded(work / "new", new, options, work / "after.tsv"))
    missing = {name: ("no report", "") for name in names if name not in found}
    print(table(found | missing, options.custom.split(",") if options.custom else ()))
    for name, (outcome, reason) in sorted((found | missing).items()):
        if outcome != EQUAL:
            print(f"{name}: {outcome}: {reason}")
    return int(any(outcome == WRONG for outcome, _ in found.values()))


if __name__ == "__main__":
    sys.exit(main())
