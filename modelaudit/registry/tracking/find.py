"""The models of an MLflow registry, under the names by which they are registered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Problem, ProblemKind
from modelaudit.formats.io.problems import problem_of
from modelaudit.registry.candidates import Discovery, ModelCandidate, SkippedPath
from modelaudit.registry.discover import discover
from modelaudit.registry.found_place import FoundPlace
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.mirror import mirror
from modelaudit.registry.tracking.artifacts import files_at
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.registry.tracking.registered import (
    Registered,
    Registry,
    location_of,
    registered_at,
)
from modelaudit.settings import Settings
from modelaudit.settings.selection import Selection
from modelaudit.structs import replace


class _Fetched(Struct, frozen=True):
    """The models of one version by their paths below it. A part of a version is not judged."""

    found: Discovery
    models: Mapping[str, ModelCandidate] = field(default_factory=dict)
    complete: bool = True


def find_tracked(url: Url, settings: Settings, *, all_versions: bool) -> tuple[FoundPlace, ...]:
    """Find the models that a `models:/` or `runs:/` URL means.

    A version with one model has the version's name: `digits/3`; of several models, it is the
    beginning of theirs. Their address is the scheme alone, however they were asked for.

    Args:
        settings: the tracking server, limits, the cache, and what is left out.
        all_versions: whether to audit versions that are not the newest and have no alias.

    Raises:
        UsageError: there is no such model, or no tracking server.
    """
    address = f"{url.scheme}:"
    server = TrackingServer(settings.tracking_uri, str(url), settings.local_artifacts)
    try:
        registry = registered_at(server, url, all_versions=all_versions)
    except ReadError as error:
        problem = problem_of(error, str(url))
        asked = str(url).removeprefix(address).strip("/").partition("@")[0]
        return (FoundPlace(Discovery(Path(), problems=(problem,)), address, (asked,)),)
    chosen = settings.selection
    taken = [each for each in registry.found if chosen.takes(each.path)]
    mine = [
        each
        for each in taken
        if each.audited and not (chosen.shard and not chosen.shard.takes(each.path))
    ]
    needed = {each.before for each in mine} | {each.path for each in mine}
    fetched = {
        one.path: _fetched(server, one, settings, address)
        for one in registry.found
        if one.path in needed
    }
    left_out = [each.path for each in registry.found if each.audited and each not in taken]
    rest = _rest(registry, address, left_out)
    elsewhere = sum(each.audited for each in taken) - len(mine)
    return (
        replace(rest, elsewhere=elsewhere),
        *(_place(one, fetched, address) for one in mine),
    )


def _rest(registry: Registry, address: str, left_out: list[str]) -> FoundPlace:
    """What is known without fetching anything."""
    newer = "there is a newer version; use --all-versions to audit all"
    named = [
        *(SkippedPath(path, newer) for path in registry.older),
        *(SkippedPath(path, why) for path, why in registry.unready),
        *(SkippedPath(path, "not chosen by --include and --exclude") for path in left_out),
    ]
    problems = tuple(Problem(ProblemKind.UNSAFE_PATH, path, why) for path, why in registry.refused)
    found = Discovery(Path(), named=tuple(named), problems=problems)
    return FoundPlace(found, address, older=registry.older)


def _fetched(server: TrackingServer, one: Registered, settings: Settings, address: str) -> _Fetched:
    """Bring the files of a version here, and find the models in them."""
    limits, cache, exclude = settings.limits, settings.cache, settings.selection.exclude
    problems: tuple[Problem, ...] = ()
    try:
        source = files_at(server, one, location_of(server, one))
        if isinstance(source, Path):
            root = source
        else:
            url = Url(f"{address}/{one.path}")
            within = Selection(exclude=exclude)
            copy = mirror(url, cache, limits, within, (source, server.name))
            root, problems = copy.place, copy.problems
            if copy.unread or not copy.holds_files:
                return _Fetched(Discovery(root, problems=problems), complete=not copy.unread)
        found = discover(root, limits, cache, exclude=exclude)
    except (ReadError, UsageError) as error:
        reason = error.reason if isinstance(error, ReadError) else str(error)
        problem = Problem(ProblemKind.UNREADABLE, "", reason)
        return _Fetched(Discovery(Path(), problems=(problem,)), complete=False)
    start = f"{root.name}/" if found.root == root.parent else ""
    models = {
        f"{each.relative}/".removeprefix(start).rstrip("/"): each for each in found.candidates
    }
    return _Fetched(replace(found, problems=(*found.problems, *problems)), models)


def _place(one: Registered, fetched: Mapping[str, _Fetched], address: str) -> FoundPlace:
    """The models of one version under its name, each with that of the version before."""
    own = fetched[one.path]
    before = fetched[one.before].models if one.before else {}
    alone = len(own.models) == 1
    candidates = []
    for below, model in own.models.items():
        earlier = next(iter(before.values())) if alone and len(before) == 1 else before.get(below)
        origin = ", ".join(filter(None, (model.origin or "MLflow", one.registration)))
        candidates.append(
            replace(
                model,
                relative=one.path if alone else _join(one.path, below),
                origin=origin,
                previous=earlier.path if earlier else None,
                previous_name=one.before.rpartition("/")[2] if earlier else "",
            )
        )
    found = replace(
        own.found,
        candidates=tuple(candidates),
        named=tuple(replace(x, path=_join(one.path, x.path)) for x in own.found.named),
        empty_versions=(),
        problems=tuple(replace(x, file=_join(one.path, x.file)) for x in own.found.problems),
    )
    unread = () if own.complete else (one.path,)
    return FoundPlace(found, address, unread, frozenset((one.path,)))


def _join(path: str, below: str) -> str:
    return f"{path}/{below}".rstrip("/")
