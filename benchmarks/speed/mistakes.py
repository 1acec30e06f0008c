"""CPU time of `modelaudit scan` with the rules on mistakes of design and training, and without.

    python -m benchmarks.security.honest_models DIR 10     # 30 models, to measure with
    python -m benchmarks.speed.mistakes DIR [ROUNDS]

Leaves out the rules on architectures that `docs/mistakes.md` names, and all that it names, also
those on restored weights, batch statistics and damage. Each round scans the models in a new process
for each choice, in turns in one order and the other. Counts the user and system time of the command
and of its workers; prints the medians, and those of the ratios, with 95 % intervals.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks.paired import interval
from benchmarks.speed.usage import ROOT, measure

ROUNDS = 40
# The catalogue without some rules, in the process of the command and in its forked workers.
SCAN = """
import sys
from modelaudit.rules import catalogue
left_out = set(sys.argv.pop(1).split())
catalogue.CATALOGUE = tuple(x for x in catalogue.CATALOGUE if x.code not in left_out)
from modelaudit.cli import main
sys.argv[0] = "modelaudit"
sys.exit(main())
"""


def named() -> frozenset[str]:
    """The rules that the page on mistakes names."""
    return frozenset(re.findall(r"\bMA\d{3}\b", (ROOT / "docs/mistakes.md").read_text()))


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    rules = named()
    design = [code for code in rules if code.startswith("MA3")]
    choices = {
        "all rules": [],
        f"without {len(design)} on architectures": design,
        f"without all {len(rules)}": [*rules],
    }
    found: dict[str, list[float]] = {title: [] for title in choices}
    for number in range(-1, rounds):  # the first fills caches and is not counted
        for title in [*choices][:: 1 if number % 2 else -1]:
            left_out = " ".join(choices[title])
            command = [sys.executable, "-c", SCAN, left_out, "scan", "-q", str(folder)]
            used = measure(command)
            assert used.code in {0, 1, 3, 4}, used.errors
            if number >= 0:
                found[title].append(used.cpu)
    print(f"{rounds} rounds; CPU s of `modelaudit scan`, and how many times as much all rules cost")
    for title, taken in found.items():
        middle, low, high = interval(taken)
        ratios = [most / less for most, less in zip(found["all rules"], taken, strict=True)]
        times, least, greatest = interval(ratios)
        print(f"{title:<28} {middle:6.3f} ({low:.3f} to {high:.3f})", end="")
        print(f"   {times:.3f} ({least:.3f} to {greatest:.3f})")


if __name__ == "__main__":
    main()
