"""How much work the audit of a model may take, by the size of its files."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Problem, ProblemKind
from modelaudit.formats.io.bounded import files_below, read_bytes
from modelaudit.formats.io.problems import limit_problem
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work_budget import COUNTED_BYTES, Phase, WorkBudget, lent_budget

WORK = "work"  # the setting
# The lists of files in a manifest of weights; escaped quotes are in other strings.
_LISTED = re.compile(rb'"paths"\s*+:\s*+\[((?:\s*+"[^"\\]*+"\s*+,?+)*+)')
_NAME = re.compile(rb'"([^"]*+)"')
_PART = re.compile(r"\.(?:index|meta|data-\d+-of-\d+)\Z|-\d+-of-\d+\Z")
_SETTLED = 2_000_000_000  # nanoseconds


def budget_of(path: Path, limits: Limits) -> WorkBudget:
    """The work that the audit of the model at `path` may take, of which nothing is taken yet."""
    sizes: dict[tuple[int, int], int] = {}  # a file with several names counts once
    with suppress(OSError):  # without permission, which reading it reports
        for each in _files(path, limits):
            sizes.update(_stored(each))
    return lent_budget(limits.work * max(1.0, sum(sizes.values()) / COUNTED_BYTES))


def _files(path: Path, limits: Limits) -> Iterator[Path]:
    """The files of a model: one, all in a directory, or those of a checkpoint or manifest."""
    if path.is_dir():
        yield from files_below(path, limits.files)
        return
    yield path
    if path.suffix == ".json":
        yield from _shards(path, limits)
    elif path.suffix in {".index", ".meta"} or not path.is_file():
        yield from _parts(path.with_suffix("") if path.is_file() else path)


def _shards(path: Path, limits: Limits) -> Iterator[Path]:
    """The files of weights that the JSON file of a model of TensorFlow.js lists."""
    try:
        data = read_bytes(path, limits.config_bytes, path.name, "config_bytes")
    except ReadError:
        return
    listed = (name[1] for names in _LISTED.finditer(data) for name in _NAME.finditer(names[1]))
    for name in islice(dict.fromkeys(listed), limits.files):
        shard = path.parent / os.fsdecode(name)
        if b"\0" not in name and is_inside(shard, path.parent):
            yield shard


def _parts(prefix: Path) -> Iterator[Path]:
    """The files of a checkpoint."""
    directory = prefix.parent
    changed = directory.stat().st_mtime_ns
    # A change within the resolution of its time does not show.
    of_prefix = _by_prefix if time.time_ns() - changed > _SETTLED else _by_prefix.__wrapped__
    for name in of_prefix(directory, changed).get(prefix.name, ()):
        yield directory / name


@lru_cache(maxsize=1)
def _by_prefix(directory: Path, _changed: int) -> dict[str, list[str]]:
    """Names of the files of all checkpoints in a directory, listed once for all of them."""
    found: dict[str, list[str]] = {}
    with os.scandir(directory) as listing:
        for entry in listing:
            if part := _PART.search(entry.name):
                found.setdefault(entry.name[: part.start()], []).append(entry.name)
    return found


def _stored(path: Path) -> dict[tuple[int, int], int]:
    """By file, the bytes that the file system stores, so without those in holes."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return {}
    if not stat.S_ISREG(status.st_mode):
        return {}
    return {(status.st_dev, status.st_ino): min(status.st_size, status.st_blocks * 512)}


def with_work_spent(artifact: Artifact, budget: WorkBudget) -> Artifact:
    """`artifact`, incomplete if reading or measuring it had to end, with a problem that says so."""
    if not budget.cut:
        return artifact
    artifact = replace(artifact, complete=False)
    told = any(is_of_work(each) for each in artifact.problems)
    if told and budget.cut == [Phase.READING]:
        return artifact
    what = "measuring its weights" if budget.cut[-1] is Phase.MEASURING else "reading it"
    detail = f"{what} took more work than its files may take for their size"
    problem = limit_problem(artifact.root.name, detail, WORK)
    return replace(artifact, problems=(*artifact.problems, problem))


def is_of_work(problem: Problem) -> bool:
    """Whether reading ended because of the work."""
    return problem.kind is ProblemKind.LIMIT_EXCEEDED and problem.evidence.get("setting") == WORK
