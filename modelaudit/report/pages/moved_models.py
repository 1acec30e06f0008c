"""Models that two runs have at different places: not every one that is gone is lost."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping

from modelaudit.model_versions import alone, newer_versions


def moves(
    gone: Mapping[str, str], new: Mapping[str, str], paths: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Paths of models that are gone or new, each with where it went or came from.

    Args:
        gone, new: models of one of two runs only, path -> SHA-256 of its bytes, "" if unknown.
        paths: of all models in the later run.
    """
    newer = newer_versions((("", path) for path in gone), {("", path) for path in paths})
    older = {path: posixpath.basename(newest) for (_, path), newest in newer.items()}
    yield from ((path, f"older now: {name} is a newer version") for path, name in older.items())
    left = alone((path, digest) for path, digest in gone.items() if path not in older)
    came = alone(new.items())
    for digest in left.keys() & came.keys():
        yield came[digest], f"renamed: was {left[digest]}"
        yield left[digest], f"renamed: is {came[digest]} now"
