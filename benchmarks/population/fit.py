"""Fits the table of `modelaudit.odds` to the population, and writes it where it is shipped.

    python -m benchmarks.population.fit [--table FILE] [--check]

`estimate.py` says what is fitted, `calibration.py` how its probabilities are checked by families
that were left out. `--check` compares the result with the file that is there.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import msgspec

from benchmarks.population.calibration import whole
from benchmarks.population.estimate import TABLE, read, usable
from modelaudit.odds.table import OddsTable

SHIPPED = Path(__file__).resolve().parents[2] / "modelaudit" / "odds" / "odds.json"


def encoded(table: OddsTable) -> bytes:
    """The file, one statistic a line."""
    return msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--check", action="store_true", help="compare with the file that is there")
    asked = parser.parse_args()
    rows = read(asked.table)
    made = encoded(whole(usable(rows)))
    if asked.check:
        raise SystemExit(
            0 if SHIPPED.read_bytes() == made else f"{SHIPPED} is not what the table gives"
        )
    SHIPPED.write_bytes(made)
    counted = Counter(" + ".join(row.causes) for row in usable(rows))
    print(f"{SHIPPED}: {counted.total()} cases, {dict(counted)}")


if __name__ == "__main__":
    main()
