"""What an archive contains: one sequence of members, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.file_formats import MODEL_SUFFIXES, ZIP_SIGNATURES
from modelaudit.formats.io.density import MEMBERS
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.tar import members as tar
from modelaudit.formats.tar.members import FILE, TarMember, TarReader
from modelaudit.formats.tar.streams import COMPRESSED, BoundedStream, opened
from modelaudit.formats.zip.archive_members import ZipParts
from modelaudit.settings import Limits
from modelaudit.structs import replace

_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
_ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".zip", *(f".tar{x}" for x in _COMPRESSIONS))
_SUFFIXES = (*_ARCHIVES, *_COMPRESSIONS)
# Of files that are data as often, only those with the names that savers give.
_WHOLE_NAMES = ("weights.npz", "model.npz", "model.json")
_MODEL_NAMES = (*MODEL_SUFFIXES, ".pb", ".pbtxt", ".index", ".meta", ".weights.npz")
_LINK = 0o120000
_TYPE = 0o170000


class ArchiveContents(Protocol):
    """An open archive."""

    def members(self) -> Iterator[TarMember]:
        """Yield its members in stored order."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """Yield the data of the member that `members` gave last."""
        ...


def is_archive(name: str, head: bytes) -> bool:
    """Whether a file may be an archive of models, from its name and first bytes.

    Args:
        name: the file's name.
        head: its first bytes, at least 512 unless it is shorter.
    """
    if head.startswith(ZIP_SIGNATURES):
        return True
    if head.startswith(COMPRESSED):
        return name.lower().endswith(_SUFFIXES)
    return tar.is_tar(head)


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive.

    Raises:
        ReadError: `unreadable`.
    """
    return FileWindow.of_file(path).head(4).startswith(ZIP_SIGNATURES)


def stem(name: str) -> str:
    """The name without the suffixes of archives: `model` for `model.tar.gz`."""
    rest = name
    while rest.lower().endswith(_SUFFIXES):
        rest = rest.rpartition(".")[0]
    return rest or name


def leads_to_a_model(name: str) -> bool:
    """Whether a member's name is that of a model's file, or of another archive.

    Of a single compressed file, the name within decides: `table.csv.gz` is data.
    """
    file = name.rpartition("/")[2].lower()
    if file in _WHOLE_NAMES or file.endswith((*_MODEL_NAMES, *_ARCHIVES)):
        return True
    within, compression = Path(file).stem, Path(file).suffix
    if compression not in _COMPRESSIONS:
        return False
    return "." not in within or leads_to_a_model(within)


def holds_models(path: Path, limits: Limits) -> bool:
    """Whether a member's name is that of a model's file, or of another archive.

    Raises:
        ReadError: the archive cannot be read.
        LimitExceeded: it is larger than the limits allow.
    """
    # Archives of data have many members, of which nothing but the names is looked at.
    most, _ = MEMBERS.most(path.stat().st_size, limits)
    with open_archive(path, replace(limits, archive_members=most)) as archive:
        return any(x.kind == FILE and leads_to_a_model(x.name) for x in archive.members())


@contextmanager
def open_archive(path: Path, limits: Limits) -> Iterator[ArchiveContents]:
    """Open an archive for one pass over its members.

    Raises:
        ReadError: it cannot be read, also while its members are read.
        LimitExceeded: it is larger than the limits allow.
    """
    if is_zip(path):
        parts = ZipParts(FileWindow.of_file(path), limits)
        if parts.directory.overlaps:
            raise ReadError(ProblemKind.CORRUPT, path.name, "has members that share their bytes")
        yield _ZipContents(parts)
        return
    with opened(path, limits) as stream:
        start = b""
        while len(start) < tar.BLOCK and (piece := stream.read(tar.BLOCK - len(start))):
            start += piece
        whole = _Rewound(start, stream)
        if tar.is_header(start):
            yield _TarContents(TarReader(whole, path.name, limits.archive_members))
        else:
            yield _SingleFile(path.name.rpartition(".")[0], whole)


class _Rewound(Struct):
    """A stream of which the first bytes were read already."""

    start: bytes
    rest: BoundedStream

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        if self.start:
            piece, self.start = self.start[:size], self.start[size:]
            return piece
        return self.rest.read(size)


class _TarContents(Struct):
    reader: TarReader

    def members(self) -> Iterator[TarMember]:
        return iter(self.reader)

    def pieces(self) -> Iterator[bytes]:
        return self.reader.pieces()


class _SingleFile(Struct):
    """A compressed file that is no archive: `model.h5.gz`."""

    name: str
    stream: _Rewound

    def members(self) -> Iterator[TarMember]:
        yield TarMember(self.name, FILE, 0)

    def pieces(self) -> Iterator[bytes]:
        while piece := self.stream.read(tar.PIECE_BYTES):
            yield piece


class _ZipContents(Struct):
    parts: ZipParts
    current: int = 0

    def members(self) -> Iterator[TarMember]:
        for number, member in enumerate(self.parts.directory.members):
            self.current = number
            kind = tar.DIRECTORY if member.is_directory else FILE
            if member.mode & _TYPE == _LINK:
                kind = "symbolic link"
            yield TarMember(member.name, kind, member.size)

    def pieces(self) -> Iterator[bytes]:
        member = self.parts.directory.members[self.current]
        return self.parts.pieces(member, member.name)
