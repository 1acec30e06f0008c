"""Finds every model under a path: one row per model, and nothing is skipped silently."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.facts import Format
from modelaudit.file_formats import MODEL_SUFFIXES
from modelaudit.formats.io.bounded import display_path
from modelaudit.formats.other_formats import head
from modelaudit.formats.sniff import plain_graph
from modelaudit.formats.tar.members import is_tar
from modelaudit.registry import file_groups
from modelaudit.registry.archives.cache import ArchiveCache
from modelaudit.registry.archives.contents import is_archive
from modelaudit.registry.candidates import ArchiveRoom, Discovery, ModelCandidate
from modelaudit.registry.directory_listing import list_directory
from modelaudit.registry.directory_models import is_variables
from modelaudit.registry.isolated_sniff import NOTHING_KNOWN, KnownFormats, sniff_isolated
from modelaudit.registry.tree_walk import TreeWalk
from modelaudit.settings import CacheSettings, Limits
from modelaudit.structs import replace

_ARCHIVES = (Format.ARCHIVE_OTHER, Format.UNKNOWN)


def discover(
    path: Path,
    limits: Limits | None = None,
    cache: CacheSettings | None = None,
    *,
    apart: Path | None = None,
    exclude: tuple[str, ...] = (),
    all_versions: bool = True,
    known: KnownFormats = NOTHING_KNOWN,
) -> Discovery:
    """Find the models under a directory, or the one model that a path refers to.

    A file inside a model refers to the model: `saved_model.pb` to its directory, `x.index` to the
    checkpoint `x`, `variables/` to the enclosing SavedModel. A file given explicitly is always a
    row, whatever it contains.

    Args:
        path: a directory, a file, or the prefix of a checkpoint.
        limits: `files` bounds the number of directory entries.
        cache: where archives are unpacked.
        apart: a directory that is excluded: that of our own reports.
        exclude: globs of directories and archives that are not searched, and files to leave out.
        all_versions: whether to include versions that TF-Serving would not load.
        known: formats of files that need not be opened.

    Raises:
        UsageError: the path does not exist.
    """
    place = Path(os.path.realpath(path))
    limits = limits or Limits()
    archives = ArchiveCache(cache or CacheSettings(), limits)
    if place.is_dir() and not is_variables(place):
        walk = TreeWalk(place, limits, archives, apart, exclude, known=known)
        return walk.run(all_versions=all_versions)
    meant = _meant(place, limits)
    if inside := _in_archive(place, limits, archives, all_versions=all_versions):
        return inside
    if not meant:
        raise UsageError(f"{path}: no such file, directory or checkpoint prefix")
    root = meant[0].parent
    return Discovery(
        root,
        tuple(
            ModelCandidate(model, display_path(model, root), sniff_isolated(model, limits))
            for model in meant
        ),
    )


def _in_archive(
    place: Path, limits: Limits, archives: ArchiveCache, *, all_versions: bool
) -> Discovery | None:
    """The models of an archive, or the one at a path inside an archive: `models.zip/digits.h5`."""
    archive = next((each for each in (place, *place.parents) if each.is_file()), None)
    if archive is None or not is_archive(archive.name, start := head(archive)):
        return None
    # The first member of a tar archive stands where HDF5 may have its signature.
    named = archive.suffix.lower() in MODEL_SUFFIXES or not is_tar(start)
    if named and sniff_isolated(archive, limits) not in _ARCHIVES:
        return None
    # One that is asked for is looked at, however many others there are.
    room = None if place == archive else ArchiveRoom(sys.maxsize, limits)
    walk = TreeWalk(archive.parent, limits, archives, inside=("", 0, room))
    found = walk.look_into(archive, all_versions=all_versions)
    if place == archive:
        return found if found.candidates or found.problems else None
    asked = display_path(place, archive.parent)
    within = tuple(each for each in found.candidates if f"{each.relative}/".startswith(f"{asked}/"))
    return replace(found, candidates=within, others={}, named=()) if within else None


def _meant(place: Path, limits: Limits) -> tuple[Path, ...]:
    """The models that a file, a prefix or a `variables` directory is or belongs to."""
    if is_variables(place):
        return (place.parent,)
    if is_variables(place.parent):
        return (place.parent.parent,)
    try:
        names = list_directory(place.parent, place.parent, limits.files).files
    except OSError:
        names = {}
    if place.name in file_groups.SAVED_MODEL_FILES and place.name in names:
        return (plain_graph(place.parent) or place.parent,)
    groups = file_groups.checkpoints(names)
    if place.name in file_groups.state_files(names) and groups:
        return tuple(group.place(place.parent) for group in groups)
    for group in groups:
        if place.name == group.prefix or place.name in group.files:
            return (group.place(place.parent),)
    return (place,) if place.exists() else ()
