"""The models under the paths of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from modelaudit.facts import Problem
from modelaudit.registry.export_sources import export_sources
from modelaudit.registry.found_place import FoundPlace
from modelaudit.registry.isolated_sniff import NOTHING_KNOWN, KnownFormats
from modelaudit.registry.output_directory import slug
from modelaudit.registry.places import find_at
from modelaudit.registry.remote.address import Place, Url
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.settings.selection import Shard
from modelaudit.structs import replace


class FoundModels(Struct, frozen=True):
    """What was found under the paths: models to audit, and everything else.

    `named` are paths that look like models but are skipped, `empty_versions` are versions without
    a model that a server would load: each with the reason.
    `whole`: some path is a directory of models, not a model. `unread` are models at URLs that could
    not be fetched: pairs of a root and the path below it. `elsewhere` is the number of models that
    are in other shards. `missing` are shards without a result, of a merge.
    """

    root: str
    targets: tuple[AuditTarget, ...]
    others: dict[str, int]
    named: tuple[tuple[str, str], ...]
    empty_versions: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    whole: bool
    unread: tuple[tuple[str, str], ...] = ()
    elsewhere: int = 0
    missing: frozenset[Shard] = frozenset()
    older: frozenset[tuple[str, str]] = frozenset()


def find_models(
    paths: Sequence[Place],
    settings: Settings,
    *,
    apart: Place | None = None,
    all_versions: bool = False,
    known: KnownFormats = NOTHING_KNOWN,
) -> FoundModels:
    """Every model under `paths`, each once, excluding `apart` (our own reports).

    If the paths are in several directories, model names include the directory's name.
    In a directory of versions only the newest is included, unless all are requested. Of a shard
    only the models in it are targets; they have the names that they have in a run over all.
    Files with a `known` format are not opened for it.

    Raises:
        UsageError: a path does not exist.
    """
    targets: dict[Path, AuditTarget] = {}
    units: dict[Path, str] = {}  # what decides on the shard of each
    others: dict[str, int] = {}
    named: list[tuple[str, str]] = []
    unserved: list[tuple[str, str]] = []
    problems: list[Problem] = []
    places = [
        found
        for each in paths
        for found in find_at(each, settings, apart=apart, all_versions=all_versions, known=known)
    ]
    labels = _labels({_name(place) for place in places})
    unread: list[tuple[str, str]] = []
    for place in places:
        found = place.models
        unread += [(place.address, path) for path in place.unread]
        label = labels[_name(place)]
        start = f"{label}/" if label else ""
        for suffix, count in found.others.items():
            others[suffix] = others.get(suffix, 0) + count
        named += [(start + each.path, each.reason) for each in found.named]
        unserved += [(start + each.path, each.reason) for each in found.empty_versions]
        problems += [replace(each, file=start + each.file) for each in found.problems]
        for each in found.candidates:
            if not settings.selection.takes(each.relative):
                named.append((start + each.relative, "not chosen by --include and --exclude"))
                continue
            name = slug(start + each.relative)
            target = AuditTarget(
                *(each.path, found.root, each.relative, name, each.origin, each.previous, label),
                each.declared_signature,
                each.format,
                place.address,
                previous_name=each.previous_name,
                archive=each.archive,
            )
            targets.setdefault(each.path, target)
            if settings.selection.shard:
                units.setdefault(each.path, place.unit_of(each.relative))
    every, shard = _with_sources(_distinct(targets.values())), settings.selection.shard
    mine = tuple(each for each in every if shard is None or shard.takes(units[each.path]))
    return FoundModels(
        root=", ".join(map(_title, paths)),
        targets=mine,
        others=others,
        named=tuple(named),
        empty_versions=tuple(unserved),
        problems=tuple(problems),
        whole=any(_is_registry(each, targets) for each in paths),
        unread=tuple(unread),
        elsewhere=len(every) - len(mine) + sum(place.elsewhere for place in places),
        older=frozenset((place.address, path) for place in places for path in place.older),
    )


def _title(place: Place) -> str:
    """The place as it was given, or what `.` and `..` mean."""
    if isinstance(place, Path) and place.name in ("", ".."):
        place = place.resolve()
    return str(place)


def _is_registry(place: Place, targets: Mapping[Path, AuditTarget]) -> bool:
    if isinstance(place, Url):
        shown = {f"{each.address}/{each.relative}" for each in targets.values()}
        return str(place) not in shown and not (place.is_tracked and "@" in str(place))
    return place.is_dir() and place.resolve() not in targets


def _name(place: FoundPlace) -> str:
    return place.address or str(place.models.root)


def _labels(names: Collection[str]) -> dict[str, str]:
    """The shortest ends of the names that are all different; "" if there is only one."""
    if len(names) < 2:
        return dict.fromkeys(names, "")
    parts = {name: [part for part in name.split("/") if part] for name in names}
    for depth in range(1, max(map(len, parts.values())) + 1):
        labels = {name: "/".join(each[-depth:]) for name, each in parts.items()}
        if len({*labels.values()}) == len(names):
            return labels
    return {name: name for name in names}  # they differ only in slashes


def _with_sources(targets: Sequence[AuditTarget]) -> tuple[AuditTarget, ...]:
    """Targets, of which exports have the models that they may have been made from."""
    sources = export_sources({each.path: each.format for each in targets})
    if not sources:
        return tuple(targets)
    return tuple(
        replace(each, sources=sources[each.path]) if each.path in sources else each
        for each in targets
    )


def _distinct(targets: Iterable[AuditTarget]) -> tuple[AuditTarget, ...]:
    """Targets with unique slugs: models of two roots can share a relative path."""
    taken: set[str] = set()
    result = []
    for target in targets:
        name, salt = target.slug, ""
        while name in taken:
            salt += " "
            name = slug(f"{target.path}{salt}")
        taken.add(name)
        result.append(target if name == target.slug else replace(target, slug=name))
    return tuple(result)
