"""A zip archive's directory, parsed by ourselves so that nothing it says is taken on trust.

Python's zipfile believes the central directory, other programs the local headers; where the two
disagree, or bytes lie outside both, different readers see different archives.
Field layout after PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.
"""

from __future__ import annotations

import stat
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.window import Window
from modelaudit.settings import Limits

STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")  # without its extensible part
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_TAIL = _END.size + 0xFFFF
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 1, 8, 0x800
_UNKNOWN32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of the central directory. `start` is where its data begin in the archive.

    `size` is what inflating promises to give, `stored` what lies in the archive. `local_name` is
    the name in the local header.
    """

    name: str
    local_name: str
    method: int
    encrypted: bool
    crc: int
    stored: int
    size: int
    start: int
    header: int
    mode: int
    local_size: int | None

    @property
    def is_directory(self) -> bool:
        """Whether it stands for a directory."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Directory:
    """All members in the order of the central directory, and bytes that belong to none.

    `prefix` and `suffix` are numbers of bytes before the first and after the last record of the
    archive; `comment` is the archive comment's length, `gaps` bytes between members.
    """

    members: tuple[Member, ...]
    prefix: int
    suffix: int
    comment: int
    gaps: int


def has_end_record(window: Window) -> bool:
    """Whether something that looks like an archive's end record stands near the end."""
    return _find_end(window) is not None


def read_directory(window: Window, limits: Limits) -> Directory:
    """Parse the central directory and every member's local header.

    Args:
        window: the archive.
        limits: `archive_members` and `config_bytes` (for the directory itself) apply.

    Raises:
        ReadError: `truncated` without an end record, `corrupt` for broken records.
        LimitExceeded: too many members.
    """
    found = _find_end(window)
    if found is None:
        reason = "zip archive without an end record: it is cut off or damaged"
        raise ReadError(ProblemKind.TRUNCATED, window.file, reason)
    end_offset, record = found
    count, size, offset, comment = record
    if count > limits.archive_members:
        raise LimitExceeded(
            window.file, "archive members", count, limits.archive_members, "archive_members"
        )
    if size > limits.config_bytes:
        raise LimitExceeded(
            window.file, "archive directory bytes", size, limits.config_bytes, "config_bytes"
        )
    # Offsets count from the archive's first byte, which need not be the file's: like zipfile,
    # take the directory to end where the end record starts.
    prefix = end_offset - size - offset
    if prefix < 0:
        reason = "central directory does not lie before its end record"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    data = window.head(size, offset + prefix)
    members = tuple(_members(window, data, prefix, limits))
    spans = sorted((member.header, member.start + member.stored) for member in members)
    covered, gaps = prefix, 0
    for start, end in spans:
        gaps += max(0, start - covered)
        covered = max(covered, end)
    tail = window.size - (end_offset + _end_size(window, end_offset) + comment)
    return Directory(members, prefix, max(tail, 0), comment, gaps)


def directory_problems(directory: Directory, file: str) -> Iterator[Problem]:
    """What is irregular about names, headers and bytes outside the members."""
    for name, count in Counter(member.name for member in directory.members).items():
        if count > 1:
            detail = f"{count} members are called {name}; readers disagree on which one counts"
            evidence: dict[str, Json] = {"measured": count, "threshold": 1}
            yield Problem(ProblemKind.DUPLICATE_MEMBER, file, detail, name, evidence)
    for member in directory.members:
        if reason := unsafe_name(member.name) or unsafe_name(member.local_name):
            yield Problem(ProblemKind.UNSAFE_PATH, file, reason, member.name, {"zip": "name"})
        if stat.S_ISLNK(member.mode):
            detail = f"{member.name} is a symbolic link"
            evidence = {"zip": "link", "link": member.name}
            yield Problem(ProblemKind.UNSAFE_PATH, file, detail, member.name, evidence)
        if member.encrypted:
            detail = f"{member.name} is encrypted"
            yield Problem(ProblemKind.UNSUPPORTED, file, detail, member.name, {"zip": "encrypted"})
        if member.local_name != member.name:
            detail = f"{member.name} calls itself {member.local_name} in its own header"
            evidence = {"zip": "local-name", "local": member.local_name}
            yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, member.name, evidence)
        elif member.local_size not in {None, member.size}:
            detail = f"{member.name} has two sizes: {member.size:,} and {member.local_size:,} bytes"
            evidence = {"zip": "local-size", "measured": member.local_size}
            yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, member.name, evidence)
    for what, size in (("before", directory.prefix), ("after", directory.suffix)):
        if size:
            detail = f"{size:,} bytes {what} the archive: the file is something else as well"
            evidence = {"zip": "prefix" if what == "before" else "suffix", "measured": size}
            yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, "", evidence)


def unsafe_name(name: str) -> str:
    """Why a member's name would lead out of the directory it is unpacked to; "" if it would not."""
    if "\0" in name:
        return f"{name!r} has a NUL in its name"
    if "\\" in name:
        return f"{name} has a backslash in its name"
    if name.startswith("/") or name[1:2] == ":":
        return f"{name} is an absolute path"
    if ".." in name.split("/"):
        return f"{name} climbs out of the archive"
    return ""


def _find_end(window: Window) -> tuple[int, tuple[int, int, int, int]] | None:
    """Offset of the end record, and (members, directory size, directory offset, comment)."""
    start = max(0, window.size - _TAIL)
    tail = window.head(_TAIL, start)
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or position + _END.size > len(tail):
        return None
    _, _, _, _, count, size, offset, comment = _END.unpack_from(tail, position)
    end = start + position
    if _UNKNOWN32 in {size, offset} or count == 0xFFFF:
        locator = window.head(_END64_LOCATOR.size, end - _END64_LOCATOR.size)
        if locator[:4] == b"PK\x06\x07":
            at = end - _END64_LOCATOR.size - _END64.size
            record = window.head(_END64.size, at)
            if record[:4] == b"PK\x06\x06":
                _, _, _, _, _, _, _, count, size, offset = _END64.unpack(record)
                end = at
    return end, (count, size, offset, comment)


def _end_size(window: Window, offset: int) -> int:
    wide = window.head(4, offset) == b"PK\x06\x06"
    return _END.size + (_END64.size + _END64_LOCATOR.size if wide else 0)


def _members(window: Window, data: bytes, prefix: int, limits: Limits) -> Iterator[Member]:
    position = count = 0
    while position < len(data):
        count += 1
        if count > limits.archive_members:
            raise LimitExceeded(
                window.file, "archive members", count, limits.archive_members, "archive_members"
            )
        if data[position : position + 4] != b"PK\x01\x02" or position + _CENTRAL.size > len(data):
            reason = f"central directory is broken at entry {count}"
            raise ReadError(ProblemKind.CORRUPT, window.file, reason)
        values = _CENTRAL.unpack_from(data, position)
        flags, method, crc, stored, size = values[3], values[4], *values[7:10]
        lengths, mode, header = values[10:13], values[15] >> 16, values[16]
        at = position + _CENTRAL.size
        raw_name = data[at : at + lengths[0]]
        extra = data[at + lengths[0] : at + lengths[0] + lengths[1]]
        size, stored, header = _wide(extra, (size, stored, header), window.file)
        position = at + sum(lengths)
        start, local_name, local_size = _local(window, header + prefix)
        if start + stored > window.size:
            reason = f"data of {_text(raw_name, flags)} end after the file"
            raise ReadError(ProblemKind.TRUNCATED, window.file, reason)
        yield Member(
            name=_text(raw_name, flags),
            local_name=_text(local_name, flags),
            method=method,
            encrypted=bool(flags & _ENCRYPTED),
            crc=crc,
            stored=stored,
            size=size,
            start=start,
            header=header + prefix,
            mode=mode,
            local_size=None if flags & _SIZES_FOLLOW or local_size == _UNKNOWN32 else local_size,
        )


def _local(window: Window, offset: int) -> tuple[int, bytes, int]:
    """Start of the data, name and size by the local header."""
    record = window.head(_LOCAL.size, offset)
    if record[:4] != b"PK\x03\x04" or len(record) < _LOCAL.size:
        reason = f"no member's header at byte {offset}"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    *_, size, name_length, extra_length = _LOCAL.unpack(record)
    name = window.head(name_length, offset + _LOCAL.size)
    return offset + _LOCAL.size + name_length + extra_length, name, size


def _wide(extra: bytes, values: tuple[int, int, int], file: str) -> tuple[int, int, int]:
    """Size, stored size and offset, with those that need 64 bits taken from the extra field."""
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, position)
        if tag == 1:
            wanted = [index for index, value in enumerate(values) if value == _UNKNOWN32]
            if length < 8 * len(wanted) or position + 4 + length > len(extra):
                raise ReadError(ProblemKind.CORRUPT, file, "zip64 field is cut off")
            wide = list(values)
            for slot, index in enumerate(wanted):
                (wide[index],) = struct.unpack_from("<Q", extra, position + 4 + 8 * slot)
            return wide[0], wide[1], wide[2]
        position += 4 + length
    return values


def _text(name: bytes, flags: int) -> str:
    return name.decode("utf-8", "backslashreplace") if flags & _UTF8 else name.decode("cp437")
