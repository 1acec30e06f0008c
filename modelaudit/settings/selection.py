"""Which models are audited, and which rules are reported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from msgspec import Struct

from modelaudit.model_versions import series_of

MOST_SHARDS = 10_000


class Shard(Struct, frozen=True):
    """One of `of` parts of a registry, counted from 1. Together they are the registry.

    Raises:
        ValueError: not 1 <= number <= of <= `MOST_SHARDS`.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 1 <= self.number <= self.of <= MOST_SHARDS:
            raise ValueError(f"{self} is not I/N with 1 <= I <= N <= {MOST_SHARDS:,}")

    def __str__(self) -> str:
        """As it is given on the command line."""
        return f"{self.number}/{self.of}"

    def takes(self, path: str) -> bool:
        """Whether the model at this path is in the shard."""
        return shard_of(path, self.of) == self


def shard_of(path: str, count: int) -> Shard:
    """The one of `count` shards that the model at this path is in.

    Only the path decides, so a model stays in its shard. All versions of a model are in one:
    each is compared with the version before it.

    Args:
        path: below the audited directory, with `/`.
        count: at least 1.
    """
    name = series_of(path).encode("utf-8", "surrogateescape")
    return Shard(int(hashlib.sha256(name).hexdigest(), 16) % count + 1, count)


class Selection(Struct, frozen=True):
    """What the user asks for; empty fields leave nothing out.

    Attributes:
        include, exclude: globs on paths below the audited directory, or on names in them.
        select, ignore: rules, by code, the beginning of a code (`MA7`), name or family.
        shard: the part of the models that is audited here; None for all.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    shard: Shard | None = None

    def takes(self, path: str) -> bool:
        """Whether the model at this path is audited.

        Args:
            path: below the audited directory, with `/`.
        """
        wanted = not self.include or fits(path, self.include)
        return wanted and not fits(path, self.exclude)

    def reports(self, code: str, name: str, family: str) -> bool:
        """Whether the findings of a rule are reported."""
        wanted = not self.select or _names(self.select, code, name, family)
        return wanted and not _names(self.ignore, code, name, family)


def fits(path: str, patterns: Iterable[str]) -> bool:
    """Whether a glob matches the path, a directory that it is in, or the name of one of these."""
    patterns = tuple(patterns)
    if not patterns:
        return False
    whole = PurePosixPath(path)
    places = [str(place) for place in (whole, *whole.parents[:-1])]
    names = {*places, *whole.parts}
    return any(fnmatchcase(name, pattern.rstrip("/")) for pattern in patterns for name in names)


def _names(words: Iterable[str], code: str, name: str, family: str) -> bool:
    return any(word in (name, family) or code.startswith(word) for word in words)
