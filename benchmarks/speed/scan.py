"""CPU time of `modelaudit scan` in new processes: of no model, of one, and of all in a directory.

    python -m benchmarks.security.honest_models DIR 10     # 30 models, to measure with
    python -m benchmarks.speed.scan DIR [ROUNDS]

Counts the user and system time of the command and of its workers. The three take turns; prints the
median of all rounds with its 95 % interval, and the least.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.paired import interval
from benchmarks.speed.usage import measure

ROUNDS = 15


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    models = sorted(folder.iterdir())
    with tempfile.TemporaryDirectory() as empty:
        places = {"no model": empty, "one model": models[0], f"{len(models)} models": folder}
        found: dict[str, list[float]] = {title: [] for title in places}
        for number in range(-1, rounds):  # the first fills caches and is not counted
            for title, place in places.items():
                used = measure([sys.executable, "-m", "modelaudit", "scan", "--quiet", str(place)])
                assert used.code in {0, 1, 3, 4}, used.errors
                if number >= 0:
                    found[title].append(used.cpu)
    print(f"{rounds} rounds; CPU s of `modelaudit scan`")
    for title, taken in found.items():
        middle, low, high = interval(taken)
        print(f"{title:<12} {middle:6.3f} ({low:.3f} to {high:.3f}), least {min(taken):.3f}")


if __name__ == "__main__":
    main()
