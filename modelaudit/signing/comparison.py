"""The files of a model against a signed manifest."""

from __future__ import annotations

import hashlib
import math
import os
import posixpath
from collections.abc import Mapping
from io import FileIO
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Artifact
from modelaudit.formats.added_architecture import BESIDE
from modelaudit.formats.io.bounded import files_below, open_regular
from modelaudit.settings import Limits
from modelaudit.signing.dsse import unusable
from modelaudit.signing.manifest import WHOLE_MODEL, Manifest, SignedPart

CHUNK = 1 << 20
# Roles of files that loaders read.
LOADED = frozenset(("config", "weights", "graph", "index", "asset", "archive"))


class PlacedModel(Struct, frozen=True):
    """A model, seen from the directory that was signed.

    Attributes:
        files: its files by their name in the manifest.
        base: the directory that the names are relative to.
        prefix: how the names of all its files begin; those that a signature has beyond `files`, and
            that are not there, are missing. None if `files` has all that it can have.
        digests: SHA-256 of those that were hashed before, by the same names.
        loaded: names of files that loaders read.
    """

    files: Mapping[str, Path]
    base: Path
    prefix: str | None
    digests: Mapping[str, str]
    loaded: frozenset[str]


class FileComparison(Struct, frozen=True):
    """Names of the model's files by what became of them."""

    same: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether there is at least one signed file, and all are as they were."""
        return bool(self.same) and not (self.changed or self.missing or self.added)


def placed(artifact: Artifact, *, signed: Path, one_file: bool, limits: Limits) -> PlacedModel:
    """The model as a manifest names it.

    Args:
        artifact: the model.
        signed: the directory that was signed, which is the model or the one that it is in.
        one_file: the manifest is that of the model's only file.
        limits: `files` is the largest number of files.

    Raises:
        LimitExceeded: it has more files.
    """
    root = artifact.root
    known = {entry.path: entry for entry in artifact.files}
    prefix: str | None
    if root.is_dir():
        inside = listed_files(root, limits)
        inside.update({name: root / name for name in known if name.startswith(BESIDE)})
        before = prefix = "" if signed == root else f"{root.name}/"
    else:
        inside = {name: root.parent / name for name in known or (root.name,)}
        before, prefix = "", None if root.name in inside else f"{root.name}."  # of a checkpoint
    names = {own: posixpath.normpath(before + own) for own in inside}
    if one_file:
        prefix = names[root.name] = WHOLE_MODEL
    named = {names[own]: known[own] for own in inside if own in known}
    return PlacedModel(
        files={names[own]: path for own, path in inside.items()},
        base=signed,
        prefix=prefix,
        digests={name: each.sha256 for name, each in named.items() if each.sha256},
        loaded=frozenset(name for name, each in named.items() if each.role in LOADED),
    )


def listed_files(root: Path, limits: Limits) -> dict[str, Path]:
    """Every file in a directory by its name, links and special files too.

    Raises:
        LimitExceeded: more than `limits.files`.
    """
    paths = list(islice(files_below(root), limits.files + 1))
    if len(paths) > limits.files:
        raise LimitExceeded(root.name, "files", len(paths), limits.files, "files")
    return {path.relative_to(root).as_posix(): path for path in paths}


def compare(
    manifest: Manifest, model: PlacedModel, signature: Path, *, links: bool, limits: Limits
) -> FileComparison:
    """Which files of a model are as they were signed.

    Args:
        manifest: what was signed.
        model: its files.
        signature: which is no part of what it signs.
        links: whether links to files count as these files, also if the manifest does not say so.
        limits: `total_bytes` is the largest file that is hashed.

    Raises:
        ReadError: a link makes it impossible to say.
    """
    found = FileComparison()
    for name, path in sorted(model.files.items()):
        parts = manifest.files.get(name)
        _check_link(path, name, allowed=links or manifest.allow_symlinks)
        if parts is None and path == signature:
            continue
        if parts is None and manifest.ignores(name):
            found.left_out.append(name)
        elif parts is None:
            empty = manifest.in_shards and path.is_file() and path.stat().st_size == 0
            (found.left_out if empty else found.added).append(name)
        elif _same(path, name, parts, manifest, model, limits):
            found.same.append(name)
        else:
            found.changed.append(name)
    if model.prefix is not None:
        own = (name for name in manifest.files if name.startswith(model.prefix))
        gone = (name for name in own if name not in model.files)
        found.missing.extend(sorted(each for each in gone if not (model.base / each).is_file()))
    return found


def _check_link(path: Path, name: str, *, allowed: bool) -> None:
    if not path.is_symlink():
        return
    shown = path.name if name == WHOLE_MODEL else name
    if path.is_dir():
        raise unusable(shown, "is a link to a directory, whose files no signature covers")
    if not allowed:
        raise unusable(
            shown,
            "is a symbolic link, which the signature does not allow (allow_symlinks in [signing])",
        )


def _same(
    path: Path,
    name: str,
    parts: tuple[SignedPart, ...],
    manifest: Manifest,
    model: PlacedModel,
    limits: Limits,
) -> bool:
    known = model.digests.get(name)
    if known and not manifest.in_shards and manifest.algorithm == "sha256":
        return bytes.fromhex(known) == parts[0].digest
    with open_regular(path, name) as opened:
        size = os.fstat(opened.fileno()).st_size
        if size > limits.total_bytes:
            raise LimitExceeded(name, "file bytes", size, limits.total_bytes, "total_bytes")
        if parts[-1].end not in (None, size):
            return False
        return all(_digest(opened, each, manifest.algorithm) == each.digest for each in parts)


def _digest(opened: FileIO, part: SignedPart, algorithm: str) -> bytes:
    """The digest of the next bytes: those of the part."""
    digest = hashlib.new(algorithm)
    left = math.inf if part.end is None else part.end - part.start
    while left > 0 and (piece := opened.read(int(min(CHUNK, left)))):
        digest.update(piece)
        left -= len(piece)
    return digest.digest()
