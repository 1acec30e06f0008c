"""Named parts of a Keras archive, whether it is a zip or was unpacked into a directory."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.io.bounded import display_path
from modelaudit.formats.io.file_window import Window
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.formats.zip.decompress import PIECE_BYTES, READABLE, unpacked
from modelaudit.formats.zip.directory import STORED, Directory, Member, read_directory
from modelaudit.formats.zip.problems import directory_problems
from modelaudit.settings import Limits

# Ratios matter from this size on: a JSON file of blanks compresses well and harms nobody.
_RATIO_FLOOR = 1 << 20


class Parts(Protocol):
    """Access to parts by name; of several parts of one name the last, as Python's zipfile."""

    def names(self) -> tuple[str, ...]:
        """Names of all parts that are no directories, in stored order, duplicates included."""
        ...

    def window(self, name: str) -> Window:
        """The part's bytes, inflated to a temporary file where they are compressed.

        Raises:
            ReadError: it cannot be read, or its checksum is wrong.
            LimitExceeded: it inflates to too much.
        """
        ...

    def facts(self) -> Mapping[str, Json]:
        """For `Artifact.extra["archive"]`."""
        ...

    def problems(self) -> Iterator[Problem]:
        """What is irregular about the container itself."""
        ...


class ZipParts:
    """Members of a zip archive.

    Raises:
        ReadError: see `read_directory`.
    """

    def __init__(self, archive: Window, limits: Limits) -> None:
        self.archive = archive
        self.limits = limits
        self.directory: Directory = read_directory(archive, limits)
        self._by_name = {member.name: member for member in self.directory.members}
        self._inflated = 0

    def names(self) -> tuple[str, ...]:
        """See `Parts.names`."""
        return tuple(m.name for m in self.directory.members if not m.is_directory)

    def window(self, name: str) -> Window:
        """See `Parts.window`. Stored members are windows of the archive, nothing is copied."""
        member = self._by_name[name]
        file = f"{self.archive.file}:{name}"
        if member.method == STORED and not member.encrypted:
            for _ in self._pieces(member, file):
                pass  # for the checksum
            start = self.archive.start + member.start
            return Window(self.archive.path, start, member.stored, file, self.archive.held)
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(tempfile.TemporaryFile(prefix="modelaudit-"))
            for piece in self._pieces(member, file):
                held.write(piece)
            held.flush()
            # Whole: now the window keeps it, and the last one that is gone closes and deletes it.
            stack.pop_all()
        return Window(self.archive.path, 0, member.size, file, held)

    def facts(self) -> Mapping[str, Json]:
        """See `Parts.facts`."""
        return {
            "members": [
                {"name": m.name, "bytes": m.size, "stored": m.stored, "method": m.method}
                for m in self.directory.members
            ],
            "prefix": self.directory.prefix,
            "suffix": self.directory.suffix,
            "comment": self.directory.comment,
            "gaps": self.directory.gaps,
        }

    def problems(self) -> Iterator[Problem]:
        """See `Parts.problems`."""
        yield from directory_problems(self.directory, self.archive.file)

    def _pieces(self, member: Member, file: str) -> Iterator[bytes]:
        """The member's bytes, counted and checked while they come: headers can lie."""
        if member.encrypted:
            raise ReadError(ProblemKind.UNSUPPORTED, file, "is encrypted")
        if member.method not in READABLE:
            reason = f"is compressed by method {member.method}, which no Keras writes"
            raise ReadError(ProblemKind.UNSUPPORTED, file, reason)
        self._check_promise(member, file)
        stored = self.archive.pieces(member.start, member.stored, PIECE_BYTES)
        total = crc = 0
        for piece in unpacked(member.method, stored, file):
            total += len(piece)
            if total > member.size:
                reason = f"holds more than the {member.size:,} bytes that its header promises"
                raise ReadError(ProblemKind.SIZE_MISMATCH, file, reason)
            crc = zlib.crc32(piece, crc)
            yield piece
        if total != member.size:
            reason = f"holds {total:,} bytes, its header promises {member.size:,}"
            raise ReadError(ProblemKind.SIZE_MISMATCH, file, reason)
        if crc != member.crc:
            reason = f"checksum is {crc:08x}, its header says {member.crc:08x}"
            raise ReadError(ProblemKind.CRC_MISMATCH, file, reason)

    def _check_promise(self, member: Member, file: str) -> None:
        ratio = member.size / max(member.stored, 1)
        if ratio > self.limits.archive_ratio and member.size > _RATIO_FLOOR:
            raise LimitExceeded(
                file, "compression ratio", ratio, self.limits.archive_ratio, "archive_ratio"
            )
        self._inflated += member.size
        if self._inflated > self.limits.archive_bytes:
            raise LimitExceeded(
                file, "archive bytes", self._inflated, self.limits.archive_bytes, "archive_bytes"
            )


class DirectoryParts:
    """Files of an unpacked archive. Symbolic links are not followed out of the directory.

    Raises:
        LimitExceeded: more files than `limits.archive_members`.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self._files: dict[str, Path] = {}
        self._links: list[str] = []
        for path in sorted(root.rglob("*")):
            name = display_path(path, root)
            if path.is_symlink() and not is_inside(path, root):
                self._links.append(name)
            elif path.is_file():
                self._files[name] = path
            if len(self._files) > limits.archive_members:
                allowed = limits.archive_members
                raise LimitExceeded(
                    root.name, "archive members", len(self._files), allowed, "archive_members"
                )

    def names(self) -> tuple[str, ...]:
        """See `Parts.names`."""
        return tuple(self._files)

    def path(self, name: str) -> Path:
        """Where the part lies."""
        return self._files[name]

    def window(self, name: str) -> Window:
        """See `Parts.window`."""
        return Window.of_file(self._files[name], name)

    def facts(self) -> Mapping[str, Json]:
        """See `Parts.facts`."""
        return {"unpacked": True}

    def problems(self) -> Iterator[Problem]:
        """See `Parts.problems`."""
        for name in self._links:
            detail = f"{name} is a symbolic link out of the model"
            yield Problem(ProblemKind.UNSAFE_PATH, name, detail, evidence={"link": name})
