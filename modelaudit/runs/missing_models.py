"""Known models that were not found: inaccessible, or superseded by a newer version."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from modelaudit.model_versions import newer_versions
from modelaudit.registry.remote.address import is_url
from modelaudit.result_row import ResultRow
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.settings.selection import Shard, shard_of
from modelaudit.store.records import ModelKey


def unreachable_models(
    before: Mapping[ModelKey, ResultRow],
    present: Collection[ModelKey],
    unread: Collection[tuple[str, str]] = (),
    missing: Collection[Shard] = (),
) -> Iterator[AuditTarget]:
    """Known models in directories that cannot be read, of URLs that could not be fetched, or in
    shards without a result.

    Whether they still exist is unknown. They are audited like all others, which ends as incomplete
    with the reason, instead of being reported as gone.

    Args:
        before: the models of the run before.
        present: those that were found.
        unread: pairs of a URL and the path below it.
        missing: shards without a result, of the same number of shards.
    """
    for place, row in before.items():
        if place not in present and (
            _is_unread(place, unread)
            or _is_in(missing, place)
            or _is_hidden(Path(place.root), place.path)
        ):
            yield known_target(place, row)


def known_target(place: ModelKey, row: ResultRow) -> AuditTarget:
    """A model as the history knows it."""
    url = place.root if is_url(place.root) else ""
    root, shown = Path(place.root), row.path
    label = shown.removesuffix(place.path).rstrip("/") if shown != place.path else ""
    return AuditTarget(root / place.path, root, place.path, row.slug, label=label, address=url)


def superseded_versions(
    before: Iterable[ModelKey],
    present: Collection[ModelKey],
    copies: Mapping[str, Path],
    listed: Collection[tuple[str, str]] = (),
) -> Iterator[tuple[ModelKey, str]]:
    """Known versions that still exist, and the path of the newer one that replaced each.

    Args:
        before: the models of the run before.
        present: those that were found.
        copies: where the models at a URL are on this machine.
        listed: pairs of a URL and a path below it that exist there.
    """
    for place, newer in older_versions(before, present):
        here = copies.get(place.root, Path(place.root)) / place.path
        if (place.root, place.path) in listed or here.exists():
            yield place, newer


def restored_versions(
    before: Collection[ModelKey], present: Collection[ModelKey]
) -> Iterator[tuple[ModelKey, str]]:
    """Versions that are the newest again, and the path of the newer one that is gone."""
    gone = {(place.root, place.path) for place in before if place not in present}
    for place, newer in older_versions(present, before):
        if (place.root, newer) in gone:
            yield place, newer


def older_versions(
    before: Iterable[ModelKey], present: Collection[ModelKey]
) -> Iterator[tuple[ModelKey, str]]:
    """Known versions that are not present, with the path of a newer one that is."""
    places = {(place.root, place.path): place for place in before}
    for spot, newer in newer_versions(places, {(p.root, p.path) for p in present}).items():
        yield places[spot], newer


def _is_unread(place: ModelKey, unread: Collection[tuple[str, str]]) -> bool:
    return any(
        place.root == root and (not path or f"{place.path}/".startswith(f"{path}/"))
        for root, path in unread
    )


def _is_in(shards: Collection[Shard], place: ModelKey) -> bool:
    """Whether the model is, or may be, in one of these shards."""
    paths = [place.path]
    if is_url(place.root):  # what it is in decides: archives are fetched as a whole
        paths += map(str, PurePosixPath(place.path).parents[:-1])
    count = next((shard.of for shard in shards), 0)
    return count > 0 and any(shard_of(path, count) in shards for path in paths)


def _is_hidden(root: Path, relative: str) -> bool:
    """Whether a directory on the path is inaccessible, so that the model may exist."""
    place = root
    for name in Path(relative).parts:
        try:
            os.scandir(place).close()
            place /= name
            place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
    return False
