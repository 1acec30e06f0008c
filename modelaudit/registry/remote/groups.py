"""Which of the files below a URL may belong to models, by their names only."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from pathlib import PurePosixPath

from msgspec import Struct

from modelaudit.formats.orbax.sniff import is_orbax
from modelaudit.registry import file_groups
from modelaudit.registry.archives.contents import leads_to_a_model

_DATA_TYPES = ("image", "audio", "video", "text")
# Architectures, labels, records, descriptions, signatures
_BESIDE = (".json", ".yaml", ".yml", ".txt", ".sig")
_MOST_BESIDE_BYTES = 64 << 20
_DESCRIPTION = "MLmodel"


class Needed(Enum):
    """What of a file is needed."""

    WHOLE = "whole"
    HEAD = "head"  # the first bytes say whether it is a model
    NAME = "name"  # it is only counted


class FileGroup(Struct, frozen=True):
    """Files that are one model, or a single file. `place` is the model's path, or the file's."""

    place: str
    files: Mapping[str, Needed]


def file_groups_of(sizes: Mapping[str, int]) -> list[FileGroup]:
    """Group files into models and others.

    Args:
        sizes: bytes by path, with `/`.
    """
    below: dict[str, set[str]] = {"": set()}
    for name in sizes:
        path = PurePosixPath(name)
        for child in (path, *path.parents[:-1]):
            below.setdefault(_text(child.parent), set()).add(child.name)
    models = {folder for folder, names in below.items() if _is_model(folder, names, below)}
    groups: dict[str, dict[str, Needed]] = {}
    loose: dict[str, list[str]] = {}
    for name in sizes:
        parents = [_text(parent) for parent in PurePosixPath(name).parents]
        outermost = next((folder for folder in reversed(parents) if folder in models), None)
        if outermost is None:
            loose.setdefault(parents[0], []).append(PurePosixPath(name).name)
        else:
            groups.setdefault(outermost, {})[name] = Needed.WHOLE
    for folder, inside in loose.items():
        start = f"{folder}/" if folder else ""
        rest = set(inside)
        for found in file_groups.checkpoints(inside):
            whole = {start + each: Needed.WHOLE for each in found.files}
            groups.setdefault(start + found.prefix, {}).update(whole)
            rest -= {*found.files}
        for name in sorted(start + each for each in rest):
            groups.setdefault(name, {})[name] = _needed(name, sizes[name])
    return [FileGroup(place, files) for place, files in sorted(groups.items())]


def _text(folder: PurePosixPath) -> str:
    return "" if str(folder) == "." else str(folder)


def _is_model(folder: str, names: Collection[str], below: Mapping[str, Iterable[str]]) -> bool:
    start = f"{folder}/" if folder else ""
    variables = [*below.get(f"{start}variables", ())]
    if file_groups.is_saved_model(names, variables) or file_groups.is_keras_archive(names):
        return True
    return is_orbax(frozenset(names))


def _needed(path: str, size: int) -> Needed:
    """What is needed of a file that is no part of a model with several files."""
    name = PurePosixPath(path).name
    if leads_to_a_model(name) or name in (_DESCRIPTION, file_groups.STATE_FILE):
        return Needed.WHOLE
    if name.lower().endswith(_BESIDE) and size <= _MOST_BESIDE_BYTES:
        return Needed.WHOLE
    kind = mimetypes.guess_type(name)[0] or ""
    return Needed.NAME if kind.partition("/")[0] in _DATA_TYPES else Needed.HEAD
