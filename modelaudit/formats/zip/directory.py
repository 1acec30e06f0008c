"""Parser of a zip archive's central directory that reports every inconsistency.

If records contradict each other, or bytes belong to no record, different readers see different
archives. Field layout: PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.zip.local_headers import (
    DESCRIPTOR_BYTES,
    ENCRYPTED,
    SIZES_FOLLOW,
    UNKNOWN32,
    MemberHeader,
    conflict,
    local_header,
    wide,
)
from modelaudit.settings import Limits
from modelaudit.work_budget import spend

STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")  # without the extensible data sector
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END_SIGNATURE = b"PK\x05\x06"
_TAIL = _END.size + 0xFFFF
_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_LONG_COMMENT = 1024
_RECORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")


class ZipMember(Struct, frozen=True):
    """An entry of the central directory.

    Attributes:
        name: file name in the central directory, up to the first NUL, as Python's zipfile reads it.
        stored_name: the same with everything after a NUL.
        other_name: name in the Unicode field, which zipfile prefers from Python 3.12 on; or "".
        local_name: file name in the local header.
        method: compression method.
        encrypted: whether the data are encrypted.
        crc: CRC-32 of the decompressed data, as declared.
        stored: size of the data in the archive, in bytes.
        size: size of the decompressed data in bytes, as declared.
        start: offset of the data in the archive.
        header: offset of the local header.
        mode: Unix file mode, 0 if unknown.
        conflict: how the local header or the data descriptor contradicts the directory, or "".
        tail: maximum size of the data descriptor after the data, in bytes.
    """

    name: str
    stored_name: str
    other_name: str
    local_name: str
    method: int
    encrypted: bool
    crc: int
    stored: int
    size: int
    start: int
    header: int
    mode: int
    conflict: str
    tail: int

    @property
    def is_directory(self) -> bool:
        """Whether the member is a directory."""
        return self.name.endswith("/")


class CentralDirectory(Struct, frozen=True):
    """All members in the order of the central directory, and bytes that belong to no member.

    Attributes:
        members: entries of the central directory.
        prefix: bytes before the first record of the archive.
        suffix: bytes after the last record of the archive.
        comment: length of the archive comment, in bytes.
        gaps: bytes between records that belong to no record.
        overlaps: bytes that belong to two members.
        conflict: how the end records contradict each other or the directory, or "".
        hidden: whether the comment is long enough for an archive, or contains zip signatures.
        zeros: whether the bytes after the last record are all 0, as copies in whole blocks add.
    """

    members: tuple[ZipMember, ...]
    prefix: int
    suffix: int
    comment: int
    gaps: int
    overlaps: int = 0
    conflict: str = ""
    hidden: bool = False
    zeros: bool = False


def has_end_record(window: FileWindow) -> bool:
    """Whether there is the signature of an end record near the end of the file."""
    return _find_end(window) is not None


def read_directory(window: FileWindow, limits: Limits) -> CentralDirectory:
    """Parse the central directory and every member's local header.

    Args:
        window: the archive.
        limits: `archive_members`, and `config_bytes` for the size of the directory, apply.

    Raises:
        ReadError: `truncated` without an end record, `corrupt` for malformed records.
        LimitExceeded: too many members, or the audit has taken its work.
    """
    with window.kept_open() as held:
        return _read(held, limits)


def _read(window: FileWindow, limits: Limits) -> CentralDirectory:
    found = _find_end(window)
    if found is None:
        reason = "no zip end record: the archive is truncated or damaged"
        raise ReadError(ProblemKind.TRUNCATED, window.file, reason)
    end_offset, (count, size, offset, comment), conflict = found
    if count > limits.archive_members:
        raise LimitExceeded(
            window.file, "archive members", count, limits.archive_members, "archive_members"
        )
    if size > limits.config_bytes:
        raise LimitExceeded(
            window.file, "archive directory bytes", size, limits.config_bytes, "config_bytes"
        )
    # Offsets are relative to the start of the archive, which may be preceded by other data. Like
    # zipfile, assume that the directory ends where the end record starts.
    prefix = end_offset - size - offset
    if prefix < 0:
        reason = "the central directory does not precede its end record"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    data = window.head(size, offset + prefix)
    members = tuple(_members(window, data, prefix, limits))
    if count not in {len(members), len(members) & 0xFFFF}:
        conflict = conflict or f"declares {count:,} members but lists {len(members):,}"
    tail_start = end_offset + _end_size(window, end_offset)
    text = window.head(comment, tail_start)
    behind = window.head(_TAIL, tail_start + comment)  # the end record is among the last of _TAIL
    first = min((member.header for member in members), default=prefix)
    gaps, overlaps = _gaps(members, first, offset + prefix)
    return CentralDirectory(
        members,
        prefix=max(prefix, first),
        suffix=max(window.size - tail_start - comment, 0),
        comment=comment,
        gaps=gaps,
        overlaps=overlaps,
        conflict=conflict,
        hidden=comment > _LONG_COMMENT or any(record in text for record in _RECORDS),
        zeros=not any(behind),
    )


def _gaps(members: tuple[ZipMember, ...], first: int, end: int) -> tuple[int, int]:
    """Bytes between the first member and the directory that no member, and that two, claim."""
    covered, loose, gaps, overlaps = first, 0, 0, 0
    spans = sorted((member.header, member.start + member.stored, member.tail) for member in members)
    for start, stop, tail in [*spans, (end, end, 0)]:
        gap = start - covered
        gaps += gap if gap > loose else 0
        overlaps += max(-gap, 0)
        covered, loose = max(covered, stop), tail
    return gaps, overlaps


def _find_end(window: FileWindow) -> tuple[int, tuple[int, int, int, int], str] | None:
    """Offset of the end record, (members, directory size, directory offset, comment), conflict.

    Same search as Python's zipfile: first without a comment, then backwards, and a zip64 record
    wins wherever there is one. Other programs read it only if 32 bits are not enough.
    """
    start = max(0, window.size - _TAIL)
    tail = window.head(_TAIL, start)
    position = len(tail) - _END.size
    if position < 0 or tail[position : position + 4] != _END_SIGNATURE or any(tail[-2:]):
        position = tail.rfind(_END_SIGNATURE)
    if position < 0 or position + _END.size > len(tail):
        return None
    _, _, _, _, count, size, offset, comment = _END.unpack_from(tail, position)
    end, conflict = start + position, ""
    locator = window.head(_END64_LOCATOR.size, end - _END64_LOCATOR.size)
    if locator[:4] == b"PK\x06\x07":
        at = end - _END64_LOCATOR.size - _END64.size
        record = window.head(_END64.size, at)
        if record[:4] == b"PK\x06\x06":
            narrow = (count, size, offset)
            _, _, _, _, _, _, _, count, size, offset = _END64.unpack(record)
            pairs = zip(narrow, (count, size, offset), (0xFFFF, UNKNOWN32, UNKNOWN32), strict=True)
            if any(few not in {many, unknown} for few, many, unknown in pairs):
                conflict = "describes two directories, with 32-bit and with 64-bit fields"
            end = at
    return end, (count, size, offset, comment), conflict


def _end_size(window: FileWindow, offset: int) -> int:
    has_64_bits = window.head(4, offset) == b"PK\x06\x06"
    return _END.size + (_END64.size + _END64_LOCATOR.size if has_64_bits else 0)


def _members(window: FileWindow, data: bytes, prefix: int, limits: Limits) -> Iterator[ZipMember]:
    position = count = 0
    while position < len(data):
        spend(1)
        count += 1
        if count > limits.archive_members:
            raise LimitExceeded(
                window.file, "archive members", count, limits.archive_members, "archive_members"
            )
        if data[position : position + 4] != b"PK\x01\x02" or position + _CENTRAL.size > len(data):
            reason = f"central directory is malformed at entry {count}"
            raise ReadError(ProblemKind.CORRUPT, window.file, reason)
        values = _CENTRAL.unpack_from(data, position)
        flags, method, crc, stored, size = values[3], values[4], *values[7:10]
        lengths, mode, header = values[10:13], values[15] >> 16, values[16]
        at = position + _CENTRAL.size
        raw_name = data[at : at + lengths[0]]
        extra = data[at + lengths[0] : at + lengths[0] + lengths[1]]
        size, stored, header = wide(extra, (size, stored, header), window.file)
        position = at + sum(lengths)
        local, local_name, start = local_header(window, header + prefix)
        if start + stored > window.size:
            reason = f"data of {_text(raw_name, flags)} extend past the end of the file"
            raise ReadError(ProblemKind.TRUNCATED, window.file, reason)
        central = MemberHeader(flags, method, crc, stored, size)
        stored_name = _text(raw_name, flags)
        name = stored_name.partition("\0")[0]
        other = _unicode_name(extra, raw_name).partition("\0")[0]
        yield ZipMember(
            name=name,
            stored_name=stored_name,
            other_name="" if other == name else other,
            local_name=_text(local_name, flags),
            method=method,
            encrypted=bool(flags & ENCRYPTED),
            crc=crc,
            stored=stored,
            size=size,
            start=start,
            header=header + prefix,
            mode=mode,
            conflict=conflict(window, central, local, start + stored),
            tail=DESCRIPTOR_BYTES if local.flags & SIZES_FOLLOW else 0,
        )


def _text(name: bytes, flags: int) -> str:
    return name.decode("utf-8", "backslashreplace") if flags & _UTF8 else name.decode("cp437")


def _unicode_name(extra: bytes, raw_name: bytes) -> str:
    """The name in a valid Unicode Path field (0x7075), which belongs to `raw_name`; else ""."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        field = extra[position + 4 : position + 4 + size]
        position += 4 + size
        own = zlib.crc32(raw_name).to_bytes(4, "little")
        if kind == _UNICODE_PATH and field[:1] == b"\1" and field[1:5] == own:
            return field[5:].decode("utf-8", "backslashreplace")
    return ""
