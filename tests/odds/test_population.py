"""The population made anew: a small network against its rows of the committed table."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "benchmarks" / "population" / "population.csv.gz"
FIRST, END = 355, 356  # a dense network for roads


def population(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.population.make", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300
    )


@pytest.mark.slow
def test_networks_made_anew_have_the_statistics_of_the_table(tmp_path):
    made = population(tmp_path, "--first", FIRST, "--networks", END, "--compare", TABLE)
    assert made.returncode == 0, made.stdout + made.stderr[-2000:]
    cases = [
        case
        for number in range(FIRST, END)
        for case in json.loads((tmp_path / "cases" / f"{number}.json").read_text())["cases"]
    ]
    assert {"sound", "orientation", "values"} & {case["causes"] for case in cases}
    assert len(cases) > 5

    # Studied again from its file, a network has the same statistics.
    kept = tmp_path / "cases" / f"{FIRST}.json"
    emptied = json.loads(kept.read_text())
    for case in emptied["cases"]:
        case["features"] = {}
    kept.write_text(json.dumps(emptied))
    command = [sys.executable, "-m", "benchmarks.population.restudy", str(tmp_path)]
    subprocess.run([*command, "--networks", str(FIRST + 1)], check=True, cwd=ROOT, timeout=300)
    again = population(tmp_path, "--compare", TABLE)
    assert again.returncode == 0, again.stdout

    # A statistic of one case that differs is noticed.
    with gzip.open(TABLE, "rt", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    own = next(row for row in rows if row["net"] == str(FIRST) and row["score"])
    own["score"] = str(float(own["score"]) + 0.3)
    altered = tmp_path / "altered.csv.gz"
    with gzip.open(altered, "wt", encoding="utf-8") as text:
        out = csv.DictWriter(text, rows[0])
        out.writeheader()
        out.writerows(rows)
    compared = population(tmp_path, "--compare", altered)
    assert compared.returncode != 0
    assert f"differs: {FIRST} {own['condition']} {own['mode']}" in compared.stdout
