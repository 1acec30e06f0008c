"""How often `modelaudit repair` works, on models with known outputs.

    python -m benchmarks.repair.table MODELS TARGET PYTHON [--legacy] [--each N] [--seed S]

MODELS is a folder in which each model file (`.h5` or `.keras`) lies beside a `probe.npz` with its
inputs and outputs, in the form that `worker.py` describes. The name of a file's folder is
taken for its architecture. TARGET is a runtime such as tf==2.21, and PYTHON its interpreter, which
decides with plain `load_model`: what it loads with the saved outputs needs no repair, all other
files are repaired, and the new files are loaded in it again. `--legacy` sets TF_USE_LEGACY_KERAS
for PYTHON. `--each N` repairs at most N files of an architecture, chosen by `--seed`.

It prints a table of these outcomes by the folder that is the first part of a file's path, then
what was not repaired, and why. The exit code is 1 if a new file has other outputs or is refused.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
EQUAL = "repaired and equal"
WRONG = "written but differs"
OUTCOMES = (EQUAL, WRONG, "refused", "unproven", "not-needed", "no report")


def loaded(folder: Path, probes: dict[str, Path], python: str, legacy: bool) -> dict[str, str]:
    """What the target does with files below `folder`: their path to `equal` or what is wrong."""
    # Relative paths: the worker takes a looser tolerance for names that tell half precision.
    lines = "".join(f"{name}\t{probe.resolve()}\n" for name, probe in probes.items())
    environment = os.environ | ({"TF_USE_LEGACY_KERAS": "1"} if legacy else {})
    done = subprocess.run(
        [python, str(WORKER)],
        input=lines,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    return {name: said for name, said in answers if name in probes}


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


def repaired(models: Path, names: list[str], target: str, out: Path) -> dict[str, tuple[str, str]]:
    """Status and reason of the repair of each file; new files are written below `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            link = Path(scratch, name)
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                link.hardlink_to(models / name)
            except OSError:  # another file system
                link.write_bytes((models / name).read_bytes())
        command = [sys.executable, "-m", "modelaudit", "repair", scratch, "--json"]
        done = subprocess.run(
            [*command, "--for", target, "--out", str(out)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        return {
            str(Path(report["path"]).relative_to(scratch)): (report["status"], report["reason"])
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


def table(found: dict[str, tuple[str, str]]) -> str:
    """Outcomes by the first folder of the path, and in all, as Markdown."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for name, (outcome, _) in found.items():
        for row in (Path(name).parts[0], "all"):
            counts[row][outcome] += 1
    lines = ["| saved by | files | " + " | ".join(OUTCOMES) + " |"]
    lines.append("|---" * (2 + len(OUTCOMES)) + "|")
    for row in sorted(counts, key=lambda row: (row == "all", row)):
        cells = [str(counts[row][outcome]) for outcome in OUTCOMES]
        lines.append(f"| {row} | {counts[row].total()} | " + " | ".join(cells) + " |")
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
    options = parser.parse_args()
    models: Path = options.models
    probes = {
        str(path.relative_to(models)): path.parent / "probe.npz"
        for path in sorted(models.rglob("*"))
        if path.suffix in (".h5", ".keras") and (path.parent / "probe.npz").exists()
    }
    before = loaded(models, probes, options.python, options.legacy)
    asked = [name for name in probes if before.get(name) != "equal"]
    names = chosen(asked, options.each, options.seed)
    print(f"{options.target}: loads {len(probes) - len(asked)} of {len(probes)} files as they were")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "new")
        statuses = repaired(models, names, options.target, out)
        written = [name for name, (status, _) in statuses.items() if status == "repaired"]
        new = {name: probes[name] for name in written}
        found = outcomes_of(statuses, loaded(out, new, options.python, options.legacy))
    missing = {name: ("no report", "") for name in names if name not in found}
    print(table(found | missing))
    for name, (outcome, reason) in sorted((found | missing).items()):
        if outcome != EQUAL:
            print(f"{name}: {outcome}: {reason}")
    return int(any(outcome == WRONG for outcome, _ in found.values()))


if __name__ == "__main__":
    sys.exit(main())
