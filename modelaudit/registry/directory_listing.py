"""The content of a directory in an untrusted tree; symbolic links are kept inside the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from modelaudit.facts import ProblemKind
from modelaudit.file_formats import MODEL_SUFFIXES
from modelaudit.formats.io.symlinks import is_inside


class DirectoryFile(Struct, frozen=True):
    """A regular file. `identity` is (device, inode), the same for all its links."""

    path: Path
    identity: tuple[int, int]
    link: bool

    @property
    def plainness(self) -> tuple[bool, bool, bytes]:
        """Sorts the links of one file: those named like models first, then those that are files."""
        named = self.path.suffix.lower() in MODEL_SUFFIXES
        return (not named, self.link, os.fsencode(self.path))


class DirectoryListing(Struct, frozen=True):
    """The entries of one directory by name.

    `links` are symbolic links to directories inside the tree, with their targets. `refused` are
    entries that cannot or must not be followed, with the kind of problem and the reason.
    `cut` means that there are more entries than allowed; which are missing depends on the file
    system.
    """

    files: Mapping[str, DirectoryFile] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    links: Mapping[str, Path] = field(default_factory=dict)
    refused: Mapping[str, tuple[ProblemKind, str]] = field(default_factory=dict)
    cut: bool = False

    @property
    def count(self) -> int:
        """Number of entries."""
        return len(self.files) + len(self.directories) + len(self.links) + len(self.refused)


def list_directory(directory: Path, scope: Path, most: int) -> DirectoryListing:
    """List `directory` in byte order of the names.

    Args:
        scope: resolved directory that symbolic links must not leave (but see `links.is_inside`).
        most: maximum number of entries to read.

    Raises:
        OSError: the directory cannot be read.
    """
    with os.scandir(directory) as scan:
        entries = list(islice(scan, most + 1))
    cut = len(entries) > most
    files: dict[str, DirectoryFile] = {}
    directories: list[str] = []
    links: dict[str, Path] = {}
    refused: dict[str, tuple[ProblemKind, str]] = {}
    for entry in sorted(entries[:most], key=lambda entry: os.fsencode(entry.name)):
        name, path = entry.name, directory / entry.name
        try:
            link = entry.is_symlink()
            if link and not is_inside(target := path.resolve(strict=True), scope):
                reason = f"symbolic link to a path outside the audited directory: {_text(target)}"
                refused[name] = (ProblemKind.UNSAFE_PATH, reason)
                continue
            status = entry.stat()
        except (OSError, RuntimeError) as error:  # RuntimeError: symbolic link loop
            refused[name] = (ProblemKind.UNREADABLE, _reason(error))
            continue
        if stat.S_ISREG(status.st_mode):
            files[name] = DirectoryFile(path, (status.st_dev, status.st_ino), link)
        elif not stat.S_ISDIR(status.st_mode):
            refused[name] = (ProblemKind.UNREADABLE, "neither a file nor a directory")
        elif link:
            links[name] = path.resolve()
        else:
            directories.append(name)
    return DirectoryListing(files, tuple(directories), links, refused, cut)


def _reason(error: OSError | RuntimeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "symbolic link loop"


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
