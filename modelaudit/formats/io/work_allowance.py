"""How much work the audit of a model may take, by the size of its files."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from modelaudit.facts import Artifact, Problem, ProblemKind
from modelaudit.formats.io.bounded import files_below
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work import COUNTED_BYTES, Phase, WorkBudget

_SETTING = "(setting work)"
# Weights beside the JSON file of a model of TensorFlow.js.
_SHARD = re.compile(r".*\.bin|group\d+-shard\d+of\d+", re.DOTALL)


def budget_of(path: Path, limits: Limits) -> WorkBudget:
    """The work that the audit of the model at `path` may take, of which nothing is taken yet."""
    size = sum(_stored(each) for each in _files(path, limits))
    return WorkBudget(limits.work * max(1.0, size / COUNTED_BYTES))


def _files(path: Path, limits: Limits) -> Iterator[Path]:
    """The files of a model: one, all in a directory, or those that begin with a prefix."""
    if path.is_dir():
        yield from files_below(path, limits.files)
        return
    yield path
    if path.suffix == ".json":
        yield from (each for each in _beside(path) if _SHARD.fullmatch(each.name))
    elif path.suffix in {".index", ".meta"} or not path.is_file():
        stem = path.stem if path.is_file() else path.name
        starts = (f"{stem}.", f"{stem}-")
        yield from (each for each in _beside(path) if each.name.startswith(starts))


def _beside(path: Path) -> Iterator[Path]:
    try:
        yield from (each for each in path.parent.iterdir() if each.name != path.name)
    except OSError:
        return


def _stored(path: Path) -> int:
    """The bytes that the file system stores, so without those in holes."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0
    return min(status.st_size, status.st_blocks * 512) if stat.S_ISREG(status.st_mode) else 0


def with_work_spent(artifact: Artifact, budget: WorkBudget) -> Artifact:
    """`artifact`, incomplete if reading or measuring it had to end, with a problem that says so."""
    if not budget.cut:
        return artifact
    artifact = replace(artifact, complete=False)
    told = any(_of_work(each) for each in artifact.problems)
    if told and budget.cut == [Phase.READING]:
        return artifact
    what = "measuring its weights" if budget.cut[-1] is Phase.MEASURING else "reading it"
    detail = f"{what} took more work than that of a file of its size may {_SETTING}"
    problem = Problem(ProblemKind.LIMIT_EXCEEDED, artifact.root.name, detail)
    return replace(artifact, problems=(*artifact.problems, problem))


def _of_work(problem: Problem) -> bool:
    """Whether reading ended because of the work; names from the file are not at the end."""
    return problem.kind is ProblemKind.LIMIT_EXCEEDED and problem.detail.endswith(_SETTING)
