"""Matching of moved models: versions by their numbers, others by their bytes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable
from typing import TypeVar

Key = TypeVar("Key")
RootAndPath = tuple[str, str]  # a root directory, and a model's path below it

_VERSION = re.compile(r"[0-9]+")


def is_version(name: str) -> bool:
    """Whether TF-Serving treats a directory with this name as a version."""
    return _VERSION.fullmatch(name) is not None


def series_of(path: str) -> str:
    """The directory of a model's versions, if this is the path of one, else the path itself."""
    series, name = posixpath.split(path)
    return (series or ".") if is_version(name) else path


def newer_versions(
    before: Iterable[RootAndPath], present: Collection[RootAndPath]
) -> dict[RootAndPath, str]:
    """Versions that are not present, each with the path of the newest one, if that is newer."""
    newest: dict[RootAndPath, int] = {}
    paths: dict[RootAndPath, str] = {}
    for root, path in present:
        series, name = posixpath.split(path)
        if is_version(name) and int(name) > newest.get((root, series), -1):
            newest[root, series], paths[root, series] = int(name), path
    found = {}
    for root, path in before:
        series, name = posixpath.split(path)
        if (root, path) in present or not is_version(name):
            continue
        if newest.get((root, series), -1) > int(name):
            found[root, path] = paths[root, series]
    return found


def unique_by_value(values: Iterable[tuple[Key, object]]) -> dict[str, Key]:
    """Keys by their value, such as a digest, if that value is unique."""
    keys: dict[str, list[Key]] = {}
    for key, value in values:
        if isinstance(value, str) and value:
            keys.setdefault(value, []).append(key)
    return {value: found[0] for value, found in keys.items() if len(found) == 1}
