"""What a run over one shard leaves for the merge, besides its history and reports."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec
from msgspec import Struct

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Problem
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.registry.output_directory import write_atomic
from modelaudit.runs.found_models import FoundModels
from modelaudit.settings.selection import Shard

NAME = "shard.json"
MOST_BYTES = 1 << 28


class ShardRun(Struct, frozen=True):
    """One complete run over a shard.

    Attributes:
        shard: which.
        registry: the name of the whole registry.
        run: number of the run in the history beside this file.
        command: `audit` or `nightly`.
        probed: whether models were run.
    """

    shard: Shard
    registry: str
    run: int
    command: str
    probed: bool


class FoundInShard(Struct, frozen=True):
    """What was found besides models: the fields of `FoundModels` that its history lacks."""

    root: str
    others: dict[str, int]
    named: tuple[tuple[str, str], ...]
    empty_versions: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    whole: bool
    unread: tuple[tuple[str, str], ...]


class ShardFile(Struct, frozen=True):
    """The content of the file."""

    told: ShardRun
    found: FoundInShard


def write_shard(out: Path, told: ShardRun, found: FoundModels) -> None:
    """Write the file to the output directory of a complete run."""
    here = FoundInShard(
        *(found.root, found.others, found.named, found.empty_versions, found.problems),
        *(found.whole, found.unread),
    )
    write_atomic(out / NAME, msgspec.json.format(msgspec.json.encode(ShardFile(told, here))))


def read_shard(out: Path) -> ShardFile | None:
    """Read the file of an output directory; None if there is none, so no run was completed.

    Raises:
        UsageError: it is damaged.
    """
    if not (out / NAME).exists():
        return None
    try:
        return msgspec.json.decode(read_bytes(out / NAME, MOST_BYTES), type=ShardFile)
    except ReadError as error:
        raise UsageError(f"{out} is not the output of a run with --shard: {error}") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{out / NAME}: damaged: {error}") from error


def all_found(files: Collection[ShardFile]) -> FoundModels:
    """What the shards found, each thing once, as one run over all of them does; without models."""
    parts = [file.found for file in files]
    others: dict[str, int] = {}
    for part in parts:  # each shard has seen all files
        for suffix, count in part.others.items():
            others[suffix] = max(count, others.get(suffix, 0))
    problems = {msgspec.json.encode(each): each for part in parts for each in part.problems}
    return FoundModels(
        root=parts[0].root,
        targets=(),
        others=dict(sorted(others.items())),
        named=tuple(sorted({each for part in parts for each in part.named})),
        empty_versions=tuple(sorted({each for part in parts for each in part.empty_versions})),
        problems=tuple(sorted(problems.values(), key=lambda each: each.file)),
        whole=any(part.whole for part in parts),
        unread=tuple(sorted({each for part in parts for each in part.unread})),
    )
