"""Models that are at different paths in two runs: renamed or replaced by a newer version."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping

from modelaudit.model_versions import newer_versions, unique_by_value


def moves(
    gone: Mapping[str, str], new: Mapping[str, str], paths: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Paths of models that are gone or new, each with where it moved to or from.

    Args:
        gone, new: models in only one of the runs, path -> SHA-256 of its bytes, "" if unknown.
        paths: of all models in the later run.
    """
    newer = newer_versions((("", path) for path in gone), {("", path) for path in paths})
    older = {path: posixpath.basename(newest) for (_, path), newest in newer.items()}
    yield from ((path, f"superseded: {name} is a newer version") for path, name in older.items())
    left = unique_by_value((path, digest) for path, digest in gone.items() if path not in older)
    came = unique_by_value(new.items())
    for digest in left.keys() & came.keys():
        yield came[digest], f"renamed from {left[digest]}"
        yield left[digest], f"renamed to {came[digest]}"
