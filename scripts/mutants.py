"""Mutation testing: change the code in small ways, and list the changes that no test notices.

python scripts/mutants.py                          all groups
python scripts/mutants.py thresholds verdict       some groups
python scripts/mutants.py --only rules/engine      modules whose path contains this
python scripts/mutants.py --sample 20              20 mutants of each module, evenly spaced

Cosmic Ray makes the mutants. Each is tested in a fork of this process, in a copy of the repository.
Exits with 1 if a mutant survives that mutation/equivalent.toml does not list.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import sys
import tempfile
import tomllib
from ast import literal_eval
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast, is_number
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Number
from parso.tree import NodeOrLeaf

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = ROOT / "mutation" / "equivalent.toml"
COPIED = ("modelaudit", "tests")
# Imported once, so that the forks have them.
HEAVY = ("numpy", "scipy.optimize", "scipy.special", "h5py", "hypothesis", "google.protobuf")
Place = tuple[int, int]  # line and column
SECONDS = 300  # CPU time of the tests of one mutant


class NumberNudger(Operator):
    """Changes integers by 1 and other numbers by 10 %."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[Place, Place]]:
        """Two for every number."""
        if is_number(node):
            yield from [(node.start_pos, node.end_pos)] * 2

    def mutate(self, node: Number, index: int) -> Number:
        """The number, lowered or raised."""
        value, sign = literal_eval(node.value), (-1, 1)[index]
        changed = value + sign if isinstance(value, int) else value * (1 + sign / 10)
        return Number(f" {changed!r}", node.start_pos)

    @classmethod
    def examples(cls) -> tuple[()]:
        """None: Cosmic Ray uses them for its own tests."""
        return ()


NEGATED = ("Lt_GtE", "LtE_Gt", "Gt_LtE", "GtE_Lt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")
AT_THE_EDGE = ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")
COMPARISONS = tuple(f"core/ReplaceComparisonOperator_{each}" for each in (*NEGATED, *AT_THE_EDGE))
BOOLEANS = (
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceUnaryOperator_Delete_Not",
)
NUMBERS = "numbers"


@dataclass(frozen=True)
class Group:
    """Modules that are changed in the same ways, and tests that should notice it.

    The tests that mirror a module are added: `tests/rules/test_engine.py` for `rules/engine.py`.
    """

    modules: tuple[str, ...]  # patterns below modelaudit/
    operators: tuple[str, ...]
    tests: tuple[str, ...]


VERDICT = (
    *("rules/engine.py", "rules/model.py", "rules/policies.py"),
    "findings.py",
)
GROUPS = {
    "thresholds": Group(("thresholds/*.py",), (NUMBERS,), ("tests/thresholds",)),
    "verdict": Group(VERDICT, (NUMBERS, *COMPARISONS, *BOOLEANS), ("tests/rules/test_engine.py",)),
    "diagnosis": Group(
        ("diagnosis/**/*.py",), COMPARISONS, ("tests/diagnosis", "tests/thresholds")
    ),
    "measures": Group(("measures/**/*.py",), COMPARISONS, ("tests/thresholds",)),
}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies it in the list of equivalent mutants."""
        return self.module, self.before, self.after


def operator(name: str) -> Operator:
    """Cosmic Ray's operator of this name, or ours for numbers."""
    return NumberNudger() if name == NUMBERS else get_operator(name)()


def mutants(module: str, operators: Sequence[str]) -> Iterator[Mutant]:
    """Every mutant of a module, by operator."""
    source = (ROOT / module).read_text()
    nodes = list(ast_nodes(get_ast(source)))
    for each in map(operator, operators):
        places = [place for node in nodes for place in each.mutation_positions(node)]
        for occurrence, ((line, _), _) in enumerate(places):
            changed = mutate_code(source, each, occurrence)
            if changed is not None and changed != source:
                before, after = (text.splitlines()[line - 1] for text in (source, changed))
                yield Mutant(module, line, _plain(before), _plain(after), changed)


def _plain(line: str) -> str:
    return " ".join(line.split())


def survives(mutant: Mutant, copy: Path, tests: Sequence[str]) -> bool:
    """Whether all tests pass with this mutant."""
    target = copy / mutant.module
    original = target.read_text()
    target.write_text(mutant.source)
    try:
        return passes(copy, tests)
    finally:
        target.write_text(original)


def passes(copy: Path, tests: Sequence[str]) -> bool:
    """Whether the tests pass in the copy. They run in a fork, which has imported `HEAVY`."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # kills the fork
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            os.chdir(copy)
            sys.path.insert(0, str(copy))
            plain = ("-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist")
            code = int(pytest.main([*plain, *tests]))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def copy_of_repository(folder: Path) -> Path:
    """The packages, and links to everything else."""
    for entry in ROOT.iterdir():
        if entry.name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(entry, folder / entry.name, ignore=ignored)
        elif not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    return folder


def modules(group: Group, only: str) -> Iterator[str]:
    """Paths of the modules of a group, relative to the repository."""
    package = ROOT / "modelaudit"
    paths = (path for pattern in group.modules for path in sorted(package.glob(pattern)))
    return (name for path in paths if only in (name := path.relative_to(ROOT).as_posix()))


def tests_of(module: str, group: Group) -> list[str]:
    """The tests of the group, and those that mirror the module."""
    path = Path(module).relative_to("modelaudit")
    mirror = Path("tests", path.parent, f"test_{path.name}").as_posix()
    return [*group.tests, *([mirror] if (ROOT / mirror).exists() else [])]


def counts(
    module: str, group: Group, copy: Path, known: Set[tuple[str, str, str]], most: int
) -> tuple[int, int, int, int]:
    """Numbers of mutants, of killed, surviving and equivalent ones; prints those that survive."""
    made, tests = list(mutants(module, group.operators)), tests_of(module, group)
    if most and len(made) > most:
        made = [made[i * len(made) // most] for i in range(most)]
    if made and not passes(copy, tests):
        sys.exit(f"the tests of {module} fail without a mutant: {' '.join(tests)}")
    tried = [each for each in made if each.key not in known]
    alive = 0
    for each in tried:
        if survives(each, copy, tests):
            alive += 1
            print(f"{each.module}:{each.line}: {each.before}  ->  {each.after}", flush=True)
    return len(made), len(tried) - alive, alive, len(made) - len(tried)


def main() -> int:
    """Test the mutants of the chosen groups."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", help=", ".join(GROUPS))
    parser.add_argument("--only", default="", help="modules whose path contains this")
    parser.add_argument("--sample", type=int, default=0, help="at most so many of each module")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    listed = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    known = {(each["module"], each["before"], each["after"]) for each in listed}
    sys.dont_write_bytecode = True
    for name in HEAVY:
        importlib.import_module(name)
    rows = ["| module | mutants | killed | survived | equivalent |", "|---|---|---|---|---|"]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copy_of_repository(Path(folder))
        for group in (GROUPS[name] for name in options.groups or GROUPS):
            for module in modules(group, options.only):
                numbers = counts(module, group, copy, known, options.sample)
                survived += numbers[2]
                if numbers[0]:
                    rows.append(f"| `{module}` | {' | '.join(map(str, numbers))} |")
                    print(rows[-1], flush=True)
    print("\n".join(["", *rows]))
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
