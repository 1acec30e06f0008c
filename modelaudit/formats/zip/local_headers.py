"""Local header and data descriptor of a zip member, compared with the central directory.

Python's zipfile reads the central directory, other programs the local headers; if they contradict
each other, readers see different archives. Field layout: PKWARE APPNOTE 6.3.10, sections 4.3.7,
4.3.9 and 4.5.3.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.file_window import FileWindow

ENCRYPTED, SIZES_FOLLOW = 1, 8
UNKNOWN32 = 0xFFFFFFFF
DESCRIPTOR_BYTES = 24  # maximum: optional signature, checksum, two sizes

_LOCAL = struct.Struct("<4s5H3L2H")
_ZIP64 = 1


class MemberHeader(Struct, frozen=True):
    """Fields of a member's header. `stored` is the compressed, `size` the decompressed size."""

    flags: int
    method: int
    crc: int
    stored: int
    size: int


def local_header(window: FileWindow, offset: int) -> tuple[MemberHeader, bytes, int]:
    """Read the local header at `offset`; return it, the raw name and the offset of the data.

    Raises:
        ReadError: `corrupt` if there is no local header at `offset`.
    """
    record = window.head(_LOCAL.size, offset)
    if record[:4] != b"PK\x03\x04" or len(record) < _LOCAL.size:
        reason = f"no local header at byte {offset}"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    _, _, flags, method, _, _, crc, stored, size, name_length, extra_length = _LOCAL.unpack(record)
    after = window.head(name_length + extra_length, offset + _LOCAL.size)
    size, stored = wide(after[name_length:], (size, stored), window.file)
    start = offset + _LOCAL.size + name_length + extra_length
    return MemberHeader(flags, method, crc, stored, size), after[:name_length], start


def wide(extra: bytes, values: tuple[int, ...], file: str) -> tuple[int, ...]:
    """`values`, with each 0xFFFFFFFF replaced by its 64-bit value from the zip64 extra field.

    Raises:
        ReadError: `corrupt` if the field is truncated.
    """
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, position)
        if tag == _ZIP64:
            wanted = [index for index, value in enumerate(values) if value == UNKNOWN32]
            if length < 8 * len(wanted) or position + 4 + length > len(extra):
                raise ReadError(ProblemKind.CORRUPT, file, "zip64 field is truncated")
            found = list(values)
            for slot, index in enumerate(wanted):
                (found[index],) = struct.unpack_from("<Q", extra, position + 4 + 8 * slot)
            return tuple(found)
        position += 4 + length
    return values


def conflict(window: FileWindow, central: MemberHeader, local: MemberHeader, end: int) -> str:
    """How the local header or the data descriptor contradicts the directory; "" if it does not.

    Args:
        window: the archive.
        central: fields of the central directory.
        local: fields of the local header.
        end: offset of the end of the member's data.
    """
    if central.method != local.method:
        return f"has compression method {central.method}, in its local header {local.method}"
    if (central.flags ^ local.flags) & ENCRYPTED:
        return "is encrypted according to only one of its two headers"
    follow = local.flags & SIZES_FOLLOW
    said = {
        "checksums": (central.crc, local.crc),
        "stored sizes": (central.stored, local.stored),
        "sizes": (central.size, local.size),
    }
    for what, (ours, theirs) in said.items():
        unknown = (follow and not theirs) or (what != "checksums" and theirs == UNKNOWN32)
        if ours != theirs and not unknown:
            return f"has two {what}: {ours:,} and, in its local header, {theirs:,}"
    if follow and not local.crc and not _is_described(window, central, end):
        return "has a data descriptor that contradicts the central directory"
    return ""


def _is_described(window: FileWindow, central: MemberHeader, end: int) -> bool:
    """Whether the data descriptor agrees, in any of the four layouts that are in use."""
    data = window.head(DESCRIPTOR_BYTES, end)
    sizes = (central.crc, central.stored, central.size)
    narrow = struct.pack("<L", central.crc) + struct.pack("<QQ", *sizes[1:])
    forms = [narrow]
    if max(sizes) <= UNKNOWN32:
        forms.append(struct.pack("<3L", *sizes))
    forms += [b"PK\x07\x08" + form for form in forms]
    return data.startswith(tuple(forms))
