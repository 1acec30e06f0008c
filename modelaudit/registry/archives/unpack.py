"""Unpacks an archive into a new private directory: files and directories only, within limits."""

from __future__ import annotations

import os
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Json, ProblemKind
from modelaudit.formats.io.density import Density
from modelaudit.formats.tar.members import DIRECTORY, FILE, TarMember
from modelaudit.formats.zip.problems import unsafe_name
from modelaudit.registry.archives.contents import (
    ArchiveContents,
    holds_models,
    is_zip,
    leads_to_a_model,
    open_archive,
)
from modelaudit.settings import Limits

# Of a SavedModel or checkpoint, more than one file is named like this.
_NAMED = Density("members named like models", "files", 600, 25_000)
_MOST_PARTS = 64  # directories in a member's path
_MOST_BYTES = 255  # of one name, as file systems allow
_MOST_TOLD = 100


def unpack(path: Path, tree: Path, limits: Limits) -> dict[str, Json]:
    """Write an archive's files below `tree`, if one of their names is that of a model's file.

    Links, devices, and members whose names lead elsewhere are left out. Where a name occurs twice,
    the last member counts, as for tar and Python's zipfile.

    Args:
        tree: a directory that does not exist yet.
        limits: `archive_members`, `archive_bytes`, `archive_ratio` and `density` apply.

    Returns:
        `models`: whether there were such names; `bytes`: the number of bytes written; `left_out`:
        pairs of a name and the reason, at most 100; `unsafe`: the same for members that may be an
        attack.

    Raises:
        ReadError: the archive cannot be read.
        LimitExceeded: it is larger than the limits allow.
        OSError: the files cannot be written.
    """
    # Of a zip archive, the caller has read the names.
    if not is_zip(path) and not holds_models(path, limits):
        return {"models": False, "bytes": 0, "left_out": [], "unsafe": []}
    tree.mkdir(mode=0o700)
    writer = _TreeWriter(tree)
    size = path.stat().st_size
    with open_archive(path, limits) as archive:
        for member in archive.members():
            writer.add(member, archive)
            # Some of them would be parts of models, which then look damaged.
            _NAMED.check(writer.named, size, limits, path.name)
    return {
        "models": True,
        "bytes": writer.written,
        "left_out": [list(each) for each in writer.left_out[:_MOST_TOLD]],
        "unsafe": [list(each) for each in writer.unsafe[:_MOST_TOLD]],
    }


class _TreeWriter:
    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self.named = 0
        self._written: set[Path] = set()
        self.written = 0
        self.left_out: list[tuple[str, str]] = []
        self.unsafe: list[tuple[str, str]] = []

    def add(self, member: TarMember, archive: ArchiveContents) -> None:
        """Write one member, or note why not."""
        if reason := unsafe_name(member.name):
            self.unsafe.append((_shown(member.name), _shown(reason)))
            return
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if len(parts) > _MOST_PARTS or any(len(os.fsencode(x)) > _MOST_BYTES for x in parts):
            self.unsafe.append((_shown(member.name[:200]), "has a name that no file system takes"))
            return
        if member.kind not in (FILE, DIRECTORY):
            links = member.kind.endswith("link")
            into = self.left_out if links or member.kind == "sparse file" else self.unsafe
            into.append((_shown(member.name), member.kind))
            return
        if member.kind == FILE and leads_to_a_model(member.name):
            self.named += 1
        place = self._tree.joinpath(*parts)
        try:
            if member.kind == DIRECTORY:
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                return
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if place in self._written:
                self.left_out.append((_shown(member.name), "another member has the same name"))
                place.unlink()
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except (FileExistsError, NotADirectoryError):
            self.unsafe.append((_shown(member.name), "is both a file and a directory"))
            return
        self._written.add(place)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in archive.pieces():
                    self.written += file.write(piece)
        except ReadError as error:
            if error.kind not in (ProblemKind.CRC_MISMATCH, ProblemKind.UNSUPPORTED):
                raise
            place.unlink()
            self.unsafe.append((_shown(member.name), error.reason))


def _shown(text: str) -> str:
    return os.fsencode(text).decode("utf-8", "backslashreplace")
