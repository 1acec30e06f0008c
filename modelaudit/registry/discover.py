"""Finds every model under a path: one row per model, and nothing is skipped silently."""

from __future__ import annotations

import os
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.formats.io.bounded import display_path
from modelaudit.registry import file_groups
from modelaudit.registry.candidates import Discovery, ModelCandidate
from modelaudit.registry.directory_listing import list_directory
from modelaudit.registry.isolated_sniff import sniff_isolated
from modelaudit.registry.tree_walk import TreeWalk, is_variables
from modelaudit.settings import Limits


def discover(
    path: Path,
    limits: Limits | None = None,
    *,
    apart: Path | None = None,
    all_versions: bool = True,
) -> Discovery:
    """Find the models under a directory, or the one model that a path refers to.

    A file inside a model refers to the model: `saved_model.pb` to its directory, `x.index` to the
    checkpoint `x`, `variables/` to the enclosing SavedModel. A file given explicitly is always a
    row, whatever it contains.

    Args:
        path: a directory, a file, or the prefix of a checkpoint.
        limits: `files` bounds the number of directory entries.
        apart: a directory that is excluded: that of our own reports.
        all_versions: whether to include versions that TF-Serving would not load.

    Raises:
        UsageError: the path does not exist.
    """
    place = Path(os.path.realpath(path))
    limits = limits or Limits()
    if place.is_dir() and not is_variables(place):
        return TreeWalk(place, limits, apart).run(all_versions=all_versions)
    meant = _meant(place, limits)
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
        return (place.parent,)
    groups = file_groups.checkpoints(names)
    if place.name in file_groups.state_files(names) and groups:
        return tuple(group.place(place.parent) for group in groups)
    for group in groups:
        if place.name == group.prefix or place.name in group.files:
            return (group.place(place.parent),)
    return (place,) if place.exists() else ()
