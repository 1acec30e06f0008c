"""CPU time of `modelaudit scan` with the rules on mistakes of design and training, and without.

    python -m benchmarks.security.honest_models DIR 10     # 30 models, to measure with
    python -m benchmarks.speed.mistakes DIR [ROUNDS]
    python -m benchmarks.speed.mistakes DIR instructions   # needs valgrind

Leaves out the rules that were added for mistakes, and then all that `docs/mistakes.md` names, also
older ones on restored weights and damage. What is left out is not imported either, unless something
else needs it. Each round scans the models in a new process for each choice, in turns in one order
and the other. Counts the user and system time of the command and of its workers; prints the
medians, and those of the ratios, with 95 % intervals. Instructions are counted instead where other
programs share the cores, since they do not depend on these; time does a little, by caches.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from benchmarks.paired import interval
from benchmarks.speed.usage import ROOT, measure
from modelaudit.rules import catalogue

ROUNDS = 40
# The rules that the page names, and that are older than it.
OLDER = frozenset(
    {
        *("MA107", "MA111", "MA114", "MA302", "MA303", "MA304", "MA401", "MA402", "MA404"),
        *("MA405", "MA406", "MA407", "MA408", "MA602", "MA603", "MA604", "MA606"),
    }
)
# The catalogue without some rules, in the process of the command and in its forked workers. In
# place of modules that declare only these there is one that imports them where they are used.
SCAN = """
import importlib, sys, types
left_out, modules = (words.split() for words in (sys.argv.pop(1), sys.argv.pop(1)))
class Unneeded(types.ModuleType):
    RULES = ()
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
sys.modules.update((name, Unneeded(name)) for name in modules)
from modelaudit.rules import catalogue
catalogue.CATALOGUE = tuple(x for x in catalogue.CATALOGUE if x.code not in left_out)
from modelaudit.cli import main
sys.argv[0] = "modelaudit"
sys.exit(main())
"""


def named() -> frozenset[str]:
    """The rules that the page on mistakes names."""
    return frozenset(re.findall(r"\bMA\d{3}\b", (ROOT / "docs/mistakes.md").read_text()))


def only_for(left_out: Collection[str]) -> list[str]:
    """The modules that declare rules, and only such ones."""
    modules = [each for each in vars(catalogue).values() if hasattr(each, "RULES")]
    return [each.__name__ for each in modules if {x.code for x in each.RULES} <= set(left_out)]


def scan(left_out: Collection[str], folder: Path) -> list[str]:
    """A command that scans the models without some rules."""
    words = " ".join(sorted(left_out)), " ".join(only_for(left_out))
    return [sys.executable, "-c", SCAN, *words, "scan", "--quiet", str(folder)]


def instructions(left_out: Collection[str], folder: Path) -> int:
    """How many instructions a scan takes, with its workers."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [
                *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--quiet"),
                *("--trace-children=yes", f"--cachegrind-out-file={place}/%p"),
                *("env", "PYTHONHASHSEED=0", *scan(left_out, folder)),
            ],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        counts = (re.search(r"summary: (\d+)", each.read_text()) for each in Path(place).iterdir())
        return sum(int(count[1]) for count in counts if count)


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    counted = sys.argv[2:] == ["instructions"]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 and not counted else ROUNDS
    added, every = named() - OLDER, named()
    choices: dict[str, Collection[str]] = {
        "all rules": (),
        f"without the {len(added)} added": added,
        f"without all {len(every)} named": every,
    }
    if counted:
        counts = {title: instructions(left_out, folder) for title, left_out in choices.items()}
        print(
            "million instructions of `modelaudit scan`, and how many times as many all rules take"
        )
        for title, count in counts.items():
            print(f"{title:<24} {count / 1e6:8.1f}   {counts['all rules'] / count:.4f}")
        return
    commands = {title: scan(left_out, folder) for title, left_out in choices.items()}
    found: dict[str, list[float]] = {title: [] for title in choices}
    for number in range(-1, rounds):  # the first fills caches and is not counted
        for title in [*choices][:: 1 if number % 2 else -1]:
            used = measure(commands[title])
            assert used.code in {0, 1, 3, 4}, used.errors
            if number >= 0:
                found[title].append(used.cpu)
    print(f"{rounds} rounds; CPU s of `modelaudit scan`, and how many times as much all rules cost")
    for title, taken in found.items():
        middle, low, high = interval(taken)
        ratios = [most / less for most, less in zip(found["all rules"], taken, strict=True)]
        times, least, greatest = interval(ratios)
        print(f"{title:<24} {middle:6.3f} ({low:.3f} to {high:.3f})", end="")
        print(f"   {times:.3f} ({least:.3f} to {greatest:.3f})")


if __name__ == "__main__":
    main()
