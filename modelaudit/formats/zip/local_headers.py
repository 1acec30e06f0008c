"""A zip member's own header and its data descriptor, against what the central directory says.

Python's zipfile believes the central directory, other programs the local headers; where the two
disagree, they see different archives. Field layout after PKWARE's APPNOTE 6.3.10, sections 4.3.7,
4.3.9 and 4.5.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.file_window import Window

ENCRYPTED, SIZES_FOLLOW = 1, 8
UNKNOWN32 = 0xFFFFFFFF
DESCRIPTOR_BYTES = 24  # at most: a signature that may be missing, a checksum, two sizes

_LOCAL = struct.Struct("<4s5H3L2H")
_ZIP64 = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What one of a member's headers says. `stored` are bytes in the archive, `size` inflated."""

    flags: int
    method: int
    crc: int
    stored: int
    size: int


def local_header(window: Window, offset: int) -> tuple[Header, bytes, int]:
    """The member's own header, its name, and where its data begin.

    Raises:
        ReadError: `corrupt`: there is no header.
    """
    record = window.head(_LOCAL.size, offset)
    if record[:4] != b"PK\x03\x04" or len(record) < _LOCAL.size:
        reason = f"no member's header at byte {offset}"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    _, _, flags, method, _, _, crc, stored, size, name_length, extra_length = _LOCAL.unpack(record)
    after = window.head(name_length + extra_length, offset + _LOCAL.size)
    size, stored = wide(after[name_length:], (size, stored), window.file)
    start = offset + _LOCAL.size + name_length + extra_length
    return Header(flags, method, crc, stored, size), after[:name_length], start


def wide(extra: bytes, values: tuple[int, ...], file: str) -> tuple[int, ...]:
    """The values, with those that need 64 bits taken from the extra field.

    Raises:
        ReadError: `corrupt`: the field is cut off.
    """
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, position)
        if tag == _ZIP64:
            wanted = [index for index, value in enumerate(values) if value == UNKNOWN32]
            if length < 8 * len(wanted) or position + 4 + length > len(extra):
                raise ReadError(ProblemKind.CORRUPT, file, "zip64 field is cut off")
            found = list(values)
            for slot, index in enumerate(wanted):
                (found[index],) = struct.unpack_from("<Q", extra, position + 4 + 8 * slot)
            return tuple(found)
        position += 4 + length
    return values


def conflict(window: Window, central: Header, local: Header, end: int) -> str:
    """What a member's own header, or the descriptor behind its data, contradicts; "" for nothing.

    Args:
        window: the archive.
        central: by the directory.
        local: by the member's header.
        end: offset behind its data.
    """
    if central.method != local.method:
        return f"is compressed by method {central.method}, by its own header {local.method}"
    if (central.flags ^ local.flags) & ENCRYPTED:
        return "is encrypted by one of its headers and not by the other"
    follow = local.flags & SIZES_FOLLOW
    said = {
        "checksums": (central.crc, local.crc),
        "stored sizes": (central.stored, local.stored),
        "sizes": (central.size, local.size),
    }
    for what, (ours, theirs) in said.items():
        unknown = (follow and not theirs) or (what != "checksums" and theirs == UNKNOWN32)
        if ours != theirs and not unknown:
            return f"has two {what}: {ours:,} and, by its own header, {theirs:,}"
    if follow and not local.crc and not _is_described(window, central, end):
        return "is followed by a record of its size and checksum that contradicts the directory"
    return ""


def _is_described(window: Window, central: Header, end: int) -> bool:
    """Whether the data descriptor says the same, in any of the four forms that are in use."""
    data = window.head(DESCRIPTOR_BYTES, end)
    sizes = (central.crc, central.stored, central.size)
    narrow = struct.pack("<L", central.crc) + struct.pack("<QQ", *sizes[1:])
    forms = [narrow]
    if max(sizes) <= UNKNOWN32:
        forms.append(struct.pack("<3L", *sizes))
    forms += [b"PK\x07\x08" + form for form in forms]
    return data.startswith(tuple(forms))
