"""Finds every model at a path or a URL."""

from __future__ import annotations

from pathlib import Path

from modelaudit.errors import ReadError, UsageError
from modelaudit.formats.io.problems import problem_of
from modelaudit.registry.candidates import Discovery, merged
from modelaudit.registry.discover import discover
from modelaudit.registry.found_place import FoundPlace
from modelaudit.registry.isolated_sniff import NOTHING_KNOWN, KnownFormats
from modelaudit.registry.remote.address import Place, Url
from modelaudit.settings import Settings
from modelaudit.structs import replace


def find_at(
    place: Place,
    settings: Settings,
    *,
    apart: Place | None = None,
    all_versions: bool = False,
    known: KnownFormats = NOTHING_KNOWN,
) -> tuple[FoundPlace, ...]:
    """Find the models at a path; those at a URL are copied into the cache first.

    Each version of a registered model is a place of its own.

    Args:
        settings: limits, the cache, and what is left out.
        apart: a directory or URL that is excluded: that of our own reports.
        all_versions: whether to include versions that TF-Serving would not load.
        known: formats of files at a path that need not be opened.

    Raises:
        UsageError: there is nothing at the place, or it is in `apart`, a URL.
    """
    if isinstance(place, Url) and place.is_tracked:
        from modelaudit.registry.tracking.find import find_tracked  # for few runs

        return find_tracked(place, settings, all_versions=all_versions)
    if isinstance(place, Url):
        reports = _reports_below(place, apart)
        return (_find_at_url(place, settings, reports, all_versions=all_versions),)
    found = discover(
        *(place, settings.limits, settings.cache),
        apart=apart if isinstance(apart, Path) else None,
        exclude=settings.selection.exclude,
        all_versions=all_versions,
        known=known,
    )
    return (FoundPlace(found),)


def _reports_below(url: Url, apart: Place | None) -> str | None:
    """The path of our own reports below the models; None if they are elsewhere.

    Raises:
        UsageError: the models are among the reports.
    """
    if not isinstance(apart, Url):
        return None
    from modelaudit.registry.remote.library import path_below  # for few runs

    if path_below(url, apart) is not None:
        raise UsageError(f"{url} is in {apart}, where files are written; choose another --out")
    return path_below(apart, url)


def _find_at_url(
    url: Url, settings: Settings, apart: str | None, *, all_versions: bool
) -> FoundPlace:
    from modelaudit.registry.remote.mirror import mirror  # for few runs

    try:
        copy = mirror(url, settings.cache, settings.limits, settings.selection, apart=apart)
    except ReadError as error:
        problem = problem_of(error, str(url))
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
