"""CPU time of `modelaudit scan` with the rules on mistakes of design and training, and without.

    python -m benchmarks.security.honest_models DIR 10     # 30 models, to measure with
    python -m benchmarks.speed.mistakes DIR [ROUNDS]
    python -m benchmarks.speed.mistakes DIR judging [ROUNDS]

Leaves out the rules that were added for mistakes, and then all that `docs/mistakes.md` names, also
older ones on restored weights and damage. What is left out is not imported either, unless something
else needs it. Each round scans the models in a new process for each choice, in turns in one order
and the other. Counts the user and system time of the command and of its workers; prints the
medians, and those of the ratios, with 95 % intervals.

Where other programs share the cores, `judging` depends less on them: the time of each audit
and, behind all other rules, of each added one, in one process: sums of the least of all rounds for
each model and rule.
"""

from __future__ import annotations

import gc
import re
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from time import perf_counter_ns, thread_time_ns

from benchmarks.paired import interval
from benchmarks.speed.usage import ROOT, measure
from modelaudit import pipeline
from modelaudit.rules import catalogue
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.model import Need
from modelaudit.settings import Settings
from modelaudit.work_budget import Phase, within
from modelaudit.workers.worker_pool import COLLECTED

ROUNDS = 40
SETTINGS = Settings()
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


def judging(added: Collection[str], folder: Path, rounds: int) -> None:
    """Print what audits and the added rules take in one process that has imported everything."""
    rules = [rule for rule in catalogue.CATALOGUE if Need.DIAGNOSIS not in rule.needs]
    others = [rule for rule in rules if rule.code not in added]
    whole: dict[str, int] = {}
    taken: dict[tuple[str, str], int] = {}
    for path in sorted(folder.iterdir()) * rounds:
        target = pipeline.AuditTarget(path, path.parent, path.name, "x")
        start = thread_time_ns()
        pipeline.audit_model(target, SETTINGS, "2026-01-01T00:00:00Z")
        spent = thread_time_ns() - start
        whole[path.name] = min(spent, whole.get(path.name, spent))
        # What the caches of the rules hold is kept: no rule is charged with freeing a model.
        kept = pipeline.static_facts(path, SETTINGS)
        run_rules(rules, kept)
        facts = pipeline.static_facts(path, SETTINGS)
        run_rules(others, facts)
        with within(facts.work, Phase.JUDGING):
            for rule in (each for each in rules if each.code in added):
                start = perf_counter_ns()
                run_rule(rule, facts)
                spent = perf_counter_ns() - start
                key = rule.code, path.name
                taken[key] = min(spent, taken.get(key, spent))
    total, own = sum(whole.values()) / 1e6, sum(taken.values()) / 1e6
    print(f"{rounds} rounds; {len(whole)} audits in one process: {total:.0f} ms")
    print(f"the {len(added)} added rules: {own:.1f} ms, {own / (total - own):.1%} of the rest")
    by_rule: Counter[str] = Counter()
    for (code, _), spent in taken.items():
        by_rule[code] += spent
    print(*(f"{code} {spent / 1e6:.2f}" for code, spent in by_rule.most_common(8)), sep=", ")


def main() -> None:
    folder, *said = Path(sys.argv[1]).absolute(), *sys.argv[2:]
    rounds = int(said[-1]) if said and said[-1].isdecimal() else ROUNDS
    added, every = named() - OLDER, named()
    if said[:1] == ["judging"]:
        gc.set_threshold(COLLECTED)  # as the workers of a scan do
        judging(added, folder, rounds)
        return
    choices: dict[str, Collection[str]] = {
        "all rules": (),
        f"without the {len(added)} added": added,
        f"without all {len(every)} named": every,
    }
    commands = {title: scan(left_out, folder) for title, left_out in choices.items()}
    found: dict[str, list[float]] = {title: [] for title in choices}
    for number in range(-1, rounds):  # the first fills caches and is not counted
        for title in [*choices][:: 1 if number % 2 else -1]:
            used = measure(commands[title], {"PYTHONDONTWRITEBYTECODE": ""})
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
