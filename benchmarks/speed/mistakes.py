"""CPU time of `modelaudit scan` with the rules on mistakes of design and training, and without.

    python -m benchmarks.security.honest_models DIR 10     # 30 models, to measure with
    python -m benchmarks.speed.mistakes DIR [ROUNDS]

Leaves out all rules that `docs/mistakes.md` names. Each round scans the models in two new
processes, in turns the one or the other first. Counts the user and system time of the command and
of its workers; prints the medians, and that of the ratio, with 95 % intervals.
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
    choices = {"with": "", "without": " ".join(sorted(rules))}
    found: dict[str, list[float]] = {title: [] for title in choices}
    for number in range(-1, rounds):  # the first fills caches and is not counted
        for title in sorted(choices, reverse=number % 2 == 0):
            command = [sys.executable, "-c", SCAN, choices[title], "scan", "-q", str(folder)]
            used = measure(command)
            assert used.code in {0, 1, 3, 4}, used.errors
            if number >= 0:
                found[title].append(used.cpu)
    print(f"{rounds} rounds; CPU s of `modelaudit scan`; {len(rules)} rules on mistakes")
    for title, taken in found.items():
        middle, low, high = interval(taken)
        print(f"{title:<8} {middle:6.3f} ({low:.3f} to {high:.3f}), least {min(taken):.3f}")
    ratios = [more / less for more, less in zip(*found.values(), strict=True)]
    middle, low, high = interval(ratios)
    print(f"ratio    {middle:6.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
