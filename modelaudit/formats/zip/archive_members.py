"""Members of a Keras archive, either a zip file or an unpacked directory."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.io.bounded import display_path
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.formats.zip.decompress import PIECE_BYTES, READABLE, unpacked
from modelaudit.formats.zip.directory import STORED, CentralDirectory, ZipMember, read_directory
from modelaudit.formats.zip.problems import directory_problems
from modelaudit.settings import Limits

# Ratios of smaller members are ignored: JSON with much white space compresses well.
_RATIO_FLOOR = 1 << 20


class ArchiveParts(Protocol):
    """Access to members by name. The last of several equal names wins, as in Python's zipfile."""

    def names(self) -> tuple[str, ...]:
        """Names of all members but directories, in stored order, duplicates included."""
        ...

    def count(self, name: str) -> int:
        """Number of members with this name."""
        ...

    def window(self, name: str, index: int = -1) -> FileWindow:
        """Window over the member's bytes, decompressed to a temporary file if necessary.

        `index` chooses between members with the same name, in stored order.

        Raises:
            ReadError: the member cannot be read, or its checksum is wrong.
            LimitExceeded: the member decompresses to more bytes than allowed.
        """
        ...

    def facts(self) -> Mapping[str, Json]:
        """Value of `Artifact.extra["archive"]`."""
        ...

    def problems(self) -> Iterator[Problem]:
        """Irregularities of the container itself."""
        ...


class ZipParts:
    """Members of a zip archive.

    Raises:
        ReadError: see `read_directory`.
    """

    def __init__(self, archive: FileWindow, limits: Limits) -> None:
        self.archive = archive
        self.limits = limits
        self.directory: CentralDirectory = read_directory(archive, limits)
        self._by_name: dict[str, list[ZipMember]] = {}
        for member in self.directory.members:
            for name in (member.name, *filter(None, [member.other_name])):
                self._by_name.setdefault(name, []).append(member)
        self._inflated = 0

    def names(self) -> tuple[str, ...]:
        """See `ArchiveParts.names`."""
        members = [member for member in self.directory.members if not member.is_directory]
        others = [member.other_name for member in members if member.other_name]
        return (*(member.name for member in members), *others)

    def count(self, name: str) -> int:
        """See `ArchiveParts.count`."""
        return len(self._by_name[name])

    def window(self, name: str, index: int = -1) -> FileWindow:
        """See `ArchiveParts.window`. Stored (uncompressed) members are not copied."""
        member = self._by_name[name][index]
        file = f"{self.archive.file}:{name}"
        if member.method == STORED and not member.encrypted:
            for _ in self.pieces(member, file):
                pass  # computes the checksum
            start = self.archive.start + member.start
            return FileWindow(self.archive.path, start, member.stored, file, self.archive.held)
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(tempfile.TemporaryFile(prefix="modelaudit-"))
            for piece in self.pieces(member, file):
                held.write(piece)
            held.flush()
            # Complete: the window owns the file now; the last window closes and deletes it.
            stack.pop_all()
        return FileWindow(self.archive.path, 0, member.size, file, held)

    def facts(self) -> Mapping[str, Json]:
        """See `ArchiveParts.facts`."""
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
        """See `ArchiveParts.problems`."""
        yield from directory_problems(self.directory, self.archive.file)

    def pieces(self, member: ZipMember, file: str) -> Iterator[bytes]:
        """Yield a member's decompressed bytes. Headers can be wrong: size and CRC are checked.

        Args:
            member: one of the directory.
            file: name for messages.

        Raises:
            ReadError: it cannot be decompressed, or differs from its header.
            LimitExceeded: it decompresses to more bytes than allowed.
        """
        if member.encrypted:
            raise ReadError(ProblemKind.UNSUPPORTED, file, "is encrypted")
        if member.method not in READABLE:
            reason = f"uses compression method {member.method}, which no version of Keras writes"
            raise ReadError(ProblemKind.UNSUPPORTED, file, reason)
        self._check_promise(member, file)
        stored = self.archive.pieces(member.start, member.stored, PIECE_BYTES)
        total = crc = 0
        for piece in unpacked(member.method, stored, file):
            total += len(piece)
            if total > member.size:
                reason = f"has more than the {member.size:,} bytes that its header declares"
                raise ReadError(ProblemKind.SIZE_MISMATCH, file, reason)
            crc = zlib.crc32(piece, crc)
            yield piece
        if total != member.size:
            reason = f"has {total:,} bytes, its header declares {member.size:,}"
            raise ReadError(ProblemKind.SIZE_MISMATCH, file, reason)
        if crc != member.crc:
            reason = f"CRC-32 is {crc:08x}, its header declares {member.crc:08x}"
            raise ReadError(ProblemKind.CRC_MISMATCH, file, reason)

    def _check_promise(self, member: ZipMember, file: str) -> None:
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
    """Files of an unpacked archive. Symbolic links that lead out of the directory are skipped.

    Raises:
        LimitExceeded: more files, directories and links than `limits.archive_members`.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self._files: dict[str, Path] = {}
        self._links: list[str] = []
        self._unread: list[tuple[str, str]] = []
        for path in sorted(self._entries(limits.archive_members)):
            name = display_path(path, root)
            if path.is_symlink() and not is_inside(path, root):
                self._links.append(name)
            elif path.is_file():
                self._files[name] = path

    def _entries(self, allowed: int) -> list[Path]:
        """Everything below the root: files, links and directories."""
        found: list[Path] = []
        pending = [self.root]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(folder) as listing:
                    for entry in listing:
                        found.append(folder / entry.name)
                        if len(found) > allowed:
                            raise LimitExceeded(
                                *(self.root.name, "archive members", len(found), allowed),
                                "archive_members",
                            )
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(found[-1])
            except OSError as error:
                reason = error.strerror or str(error)
                self._unread.append((display_path(folder, self.root), reason))
        return found

    def names(self) -> tuple[str, ...]:
        """See `ArchiveParts.names`."""
        return tuple(self._files)

    def path(self, name: str) -> Path:
        """Path of the member on disk."""
        return self._files[name]

    def count(self, name: str) -> int:
        """See `ArchiveParts.count`."""
        return int(name in self._files)

    def window(self, name: str, index: int = -1) -> FileWindow:
        """See `ArchiveParts.window`."""
        return FileWindow.of_file(self._files[name], name)

    def facts(self) -> Mapping[str, Json]:
        """See `ArchiveParts.facts`."""
        return {"unpacked": True}

    def problems(self) -> Iterator[Problem]:
        """See `ArchiveParts.problems`."""
        for name in self._links:
            detail = f"{name} is a symbolic link that leads out of the model"
            yield Problem(ProblemKind.UNSAFE_PATH, name, detail, evidence={"link": name})
        for name, reason in self._unread:
            yield Problem(ProblemKind.UNREADABLE, name, f"cannot be listed: {reason}")
