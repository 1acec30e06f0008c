"""Models that two runs have at different places: not every one that is gone is lost."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping


def moves(
    gone: Mapping[str, str], new: Mapping[str, str], paths: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Paths of models that are gone or new, each with where it went or came from.

    Args:
        gone, new: models of one of two runs only, path -> SHA-256 of its bytes, "" if unknown.
        paths: of all models in the later run.
    """
    newest, older = _newest(paths), set()
    for path in gone:
        base, version = posixpath.split(path)
        if version.isdecimal() and int(newest.get(base, "-1")) > int(version):
            older.add(path)
            yield path, f"older now: {newest[base]} is a newer version"
    left = _alone({path: digest for path, digest in gone.items() if path not in older})
    came = _alone(new)
    for digest in left.keys() & came.keys():
        yield came[digest], f"renamed: was {left[digest]}"
        yield left[digest], f"renamed: is {came[digest]} now"


def _alone(models: Mapping[str, str]) -> dict[str, str]:
    """Paths by the bytes of the model, of those whose bytes no other of them has."""
    count = Counter(models.values())
    return {digest: path for path, digest in models.items() if digest and count[digest] == 1}


def _newest(paths: Iterable[str]) -> dict[str, str]:
    """The highest version by the directory that holds it."""
    newest: dict[str, str] = {}
    for path in paths:
        base, name = posixpath.split(path)
        if name.isdecimal() and int(name) > int(newest.get(base, "-1")):
            newest[base] = name
    return newest
