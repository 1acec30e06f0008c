"""The population made anew: a small network against its rows of the committed table."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from tests.sharing import with_tensorflow

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "benchmarks" / "population" / "population.csv.gz"
FIRST, END = 355, 356  # a dense network for roads


COMPARE = """
import sys
from pathlib import Path
from benchmarks.population.make import compare
try:
    compare(*map(Path, sys.argv[1:]))
except SystemExit as ended:
    print(ended)
"""


def population(*args: object) -> str:
    """What the program prints; it must succeed."""
    return with_tensorflow("-m", "benchmarks.population.make", *args)


@pytest.mark.slow
def test_networks_made_anew_have_the_statistics_of_the_table(tmp_path):
    population(tmp_path, "--first", FIRST, "--networks", END, "--compare", TABLE)
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
    with_tensorflow("-m", "benchmarks.population.restudy", tmp_path, "--networks", END)
    population(tmp_path, "--compare", TABLE)

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
    said = with_tensorflow("-c", COMPARE, tmp_path, altered).splitlines()
    assert said == [f"differs: {FIRST} {own['condition']} {own['mode']}", "1 cases differ"]
