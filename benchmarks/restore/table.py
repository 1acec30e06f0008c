"""Audit what `make.py` made, and print which restore faults are named.

    python -m benchmarks.restore.table DIRECTORY [--jobs N] [--again]

Every model is audited statically. Faults of which the static audit does not say anything at the
severity asked are then also run, in the sandbox, as is every ninth twin. A fault is named if a
finding at the severity asked or above has one of its codes, or its words, and mentions a faulty
layer where the format stores their names. A twin raises a false alarm if it has a finding of
severity medium or above. Findings on the runtimes in which a model loads (MA2xx but MA210) count
for neither.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from modelaudit.measures.statistics import wilson

RUN_EVERY = 9  # coprime to the number of formats
LEVELS = ("info", "low", "medium", "high", "critical")
Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


Findings = list[dict[str, Any]]


def audit(folder: Path, out: Path, jobs: int, *options: str) -> dict[str, Findings]:
    """Audit every model below a directory; all findings by the model's directory."""
    command = [sys.executable, "-P", "-m", "modelaudit", "audit", str(folder), "-o", str(out)]
    command += ["-f", "json", "-j", str(jobs), "-q", *options]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    found: dict[str, Findings] = defaultdict(list)
    for path in out.glob("models/*/audit.json"):
        audit = json.loads(path.read_text())
        found[audit["model"]["path"].split("/", 1)[0]] += _relevant(audit["findings"])
    return found


def _relevant(findings: Findings) -> Findings:
    return [f for f in findings if f["code"] == "MA210" or not f["code"].startswith("MA2")]


def at_least(finding: dict[str, Any], severity: str) -> bool:
    return LEVELS.index(finding["severity"]) >= LEVELS.index(severity)


def _mentions(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}(?!\w)", text))


def says(finding: dict[str, Any], row: dict[str, str]) -> bool:
    """Whether the finding names the fault, at whatever severity."""
    text = json.dumps([finding[x] for x in ("title", "detail", "location", "evidence")])
    words = bool(row["words"]) and re.search(row["words"], text, re.IGNORECASE)
    placed = not row["where"] or any(_mentions(text, x) for x in row["where"].split())
    return bool((finding["code"] in row["codes"].split() or words) and placed)


def outcome(row: dict[str, str], findings: Findings | None) -> str:
    if findings is None:
        return "not audited"
    found = [f for f in findings if says(f, row)]
    if any(at_least(f, row["severity"]) for f in found):
        return "named"
    return "lower" if found else "unnamed"


def judge_faults(directory: Path, jobs: int) -> Rows:
    """Outcome of every fault: by its files, and by a run where the files do not name it."""
    out, left = directory / "audits", directory / "left"
    found = audit(directory / "faults", out / "faults", jobs, "--no-probe")
    rows = read(directory / "faults.tsv")
    shutil.rmtree(left, ignore_errors=True)
    for row in rows:
        row["outcome"], row["by"] = outcome(row, found.get(row["path"])), "files"
        if row["outcome"] != "named":
            shutil.copytree(directory / "faults" / row["path"], left / row["path"])
    run = audit(left, out / "left", jobs) if left.exists() else {}
    for row in rows:
        if row["path"] in run:
            row["outcome"], row["by"] = outcome(row, run[row["path"]]), "run"
        row["findings"] = _short(run.get(row["path"], found.get(row["path"], [])))
    shutil.rmtree(left, ignore_errors=True)
    return rows


def judge_twins(directory: Path, jobs: int) -> Rows:
    """Whether an honest twin raises an alarm: by its files, and a share of them by a run."""
    rows = read(directory / "twins.tsv")
    found = audit(directory / "twins", directory / "audits" / "twins", jobs, "--no-probe")
    chosen, left = {_folder(row) for row in rows[::RUN_EVERY]}, directory / "left"
    for folder in chosen:
        shutil.copytree(directory / "twins" / folder, left / folder)
    run = audit(left, directory / "audits" / "run", jobs)
    shutil.rmtree(left, ignore_errors=True)
    for row in rows:
        folder = _folder(row)
        row["by"] = "run" if folder in run else "files"
        findings = run.get(folder, found.get(folder))
        alarms = [f for f in findings or [] if at_least(f, "medium")]
        row["outcome"] = "not audited" if findings is None else "alarm" if alarms else "silent"
        row["findings"] = _short(alarms)
    return rows


def _folder(row: dict[str, str]) -> str:
    return row["path"].split("/", 1)[0]


def _short(findings: Findings) -> str:
    return "; ".join(f"{f['code']} {f['severity']}: {f['detail'][:160]}" for f in findings[:4])


def _write(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def show(faults: Rows, twins: Rows) -> None:
    kinds = list(dict.fromkeys(row["fault"] for row in faults))
    print(
        "| fault | asked | files | named | lower | unnamed |\n| --- | --- | --- | --- | --- | --- |"
    )
    for kind in kinds:
        rows = [row for row in faults if row["fault"] == kind]
        counts = Counter(row["outcome"] for row in rows)
        cells = (counts["named"], counts["lower"], len(rows) - counts["named"] - counts["lower"])
        print(f"| {kind} | {rows[0]['severity']} | {len(rows)} |", *(f"{c} |" for c in cells))
    named = sum(row["outcome"] == "named" for row in faults)
    low, high = wilson(named, len(faults))
    alarms = [row for row in twins if row["outcome"] != "silent"]
    print(f"\n{named} of {len(faults)} faults named at the severity asked: "
          f"{named / len(faults):.1%} [{low:.1%}, {high:.1%}]")  # fmt: skip
    ran = sum(row["by"] == "run" for row in twins)
    print(f"{len(alarms)} of {len(twins)} twins, {ran} of them run, have an alarm\n")
    for row in faults:
        if row["outcome"] != "named":
            print(f"{row['outcome']}: {row['path']}: {row['where']}: {row['findings']}")
    for row in alarms:
        print(f"{row['outcome']}: {row['path']}: {row['findings']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="print the last result again")
    options = parser.parse_args()
    results = [options.directory / name for name in ("faults.result.tsv", "twins.result.tsv")]
    if not options.again:
        shutil.rmtree(options.directory / "audits", ignore_errors=True)
        for path, judge in zip(results, (judge_faults, judge_twins), strict=True):
            _write(path, judge(options.directory, options.jobs))
    show(read(results[0]), read(results[1]))


if __name__ == "__main__":
    main()
