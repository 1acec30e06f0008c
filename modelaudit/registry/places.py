"""Finds every model at a path or a URL."""

from __future__ import annotations

from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Problem, ProblemKind
from modelaudit.registry.candidates import Discovery, merged
from modelaudit.registry.discover import discover
from modelaudit.registry.found_place import FoundPlace
from modelaudit.registry.remote.address import Place, Url
from modelaudit.settings import Settings
from modelaudit.structs import replace


def find_at(
    place: Place, settings: Settings, *, apart: Path | None = None, all_versions: bool = False
) -> tuple[FoundPlace, ...]:
    """Find the models at a path; those at a URL are copied into the cache first.

    Each version of a registered model is a place of its own.

    Args:
        settings: limits, the cache, and what is left out.
        apart: a directory that is excluded: that of our own reports.
        all_versions: whether to include versions that TF-Serving would not load.

    Raises:
        UsageError: there is nothing at the place.
    """
    if isinstance(place, Url) and place.is_tracked:
        from modelaudit.registry.tracking.find import find_tracked  # for few runs

        return find_tracked(place, settings, all_versions=all_versions)
    if isinstance(place, Url):
        return (_find_at_url(place, settings, all_versions=all_versions),)
    found = discover(
        *(place, settings.limits, settings.cache),
        apart=apart,
        exclude=settings.selection.exclude,
        all_versions=all_versions,
    )
    return (FoundPlace(found),)


def _find_at_url(url: Url, settings: Settings, *, all_versions: bool) -> FoundPlace:
    from modelaudit.registry.remote.mirror import mirror  # for few runs

    try:
        copy = mirror(url, settings.cache, settings.limits, settings.selection)
    except ReadError as error:
        problem = Problem(ProblemKind(error.kind), str(url), error.reason)
        return FoundPlace(Discovery(Path(), problems=(problem,)), str(url), ("",))
    selection = settings.selection
    if copy.holds_files:
        found = discover(
            *(copy.place, settings.limits, settings.cache),
            exclude=selection.exclude,
            all_versions=all_versions,
        )
    else:
        found = Discovery(copy.place)
    # A model's own path begins with its name, as for a path.
    above = found.root == copy.place.parent
    start, address = (
        (f"{copy.place.name}/", str(url).rpartition("/")[0]) if above else ("", str(url))
    )
    unread = tuple((start + path).rstrip("/") for path in copy.unread)
    problems = tuple(replace(each, file=start + each.file) for each in copy.problems)
    return FoundPlace(
        merged(found, (Discovery(found.root, problems=problems),)),
        address,
        unread,
        frozenset((start + unit).rstrip("/") for unit in copy.units),
        copy.elsewhere,
    )
