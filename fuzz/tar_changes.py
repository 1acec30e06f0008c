"""Changes of tar archives, compressed or not, that keep the checksum of every header valid."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable

BLOCK = 512
_CHECKSUM = slice(148, 156)
# Name, mode, size, time, type, link, magic, prefix (POSIX.1-2017, ustar).
_FIELDS = ((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155))
_VALUES = (
    *(
        b"",
        b"0",
        b"7" * 11,
        b"-1",
        b"\x80" + b"\xff" * 11,
        b"\xff" * 12,
        b"\x80" + b"\0" * 10 + b"\1",
    ),
    *(b"../x.keras", b"/etc/x", b"a/" * 60, b"a\0b.keras", b"m.keras", b"\xff\xfe", b"9" * 12),
)
_TYPES = b"\x0001234567LKxgSDMVZ"
_RECORDS = (
    *(b"path=../../x.h5", b"path=m.keras", b"size=99999999999999999999", b"size=3", b"size=x"),
    *(b"linkpath=/etc", b"GNU.sparse.major=1", b"path=" + b"a/" * 999, b"=", b"x", b"path=a\0b"),
)
_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    *(bytes, bytes, lambda data: gzip.compress(data, 1, mtime=0)),
    *(lambda data: bz2.compress(data, 1), lambda data: lzma.compress(data, preset=0)),
)


def changed_tar(rng: random.Random, data: bytes, raw: Callable[[bytes], bytes]) -> bytes:
    """Change one member of an archive, and compress it again in some way."""
    plain = _unpacked(data)
    if plain is None or rng.random() < 0.1:
        return raw(data)
    members = _members(plain)
    if not members:
        return rng.choice(_PACKERS)(raw(plain))
    where = rng.randrange(len(members))
    header, content = members[where]
    match rng.randrange(6):
        case 0:
            del members[where]
        case 1:
            members.insert(rng.randrange(len(members) + 1), members[where])
        case 2:
            members[where] = (header, raw(content))
        case 3:
            members.insert(where, _extended(rng, header))
        case _:
            start, size = rng.choice(_FIELDS)
            value = rng.choice((*_VALUES, bytes([rng.choice(_TYPES)])))[:size].ljust(size, b"\0")
            members[where] = (header[:start] + value + header[start + size :], content)
    out = b"".join(
        _checked(head) + body.ljust(-(-len(body) // BLOCK) * BLOCK, b"\0") for head, body in members
    )
    out = rng.choice(_PACKERS)(out + bytes(2 * BLOCK))
    return raw(out) if rng.random() < 0.1 else out


def _unpacked(data: bytes) -> bytes | None:
    """The archive without its compression; None where that cannot be undone."""
    for magic, unpack in (
        (b"\x1f\x8b", gzip.decompress),
        (b"BZh", bz2.decompress),
        (b"\xfd7z", lzma.decompress),
    ):
        if data.startswith(magic):
            try:
                return unpack(data)
            except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error):
                return None
    return data


def _members(data: bytes) -> list[tuple[bytes, bytes]]:
    """Headers and contents, as far as the sizes in the headers lead to further headers."""
    found, at = [], 0
    while at + BLOCK <= len(data) and data[at]:
        header = data[at : at + BLOCK]
        digits = header[124:135].strip(b"\0 ")
        size = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else 0
        size = min(size, len(data) - at - BLOCK)
        found.append((header, data[at + BLOCK : at + BLOCK + size]))
        at += BLOCK + -(-size // BLOCK) * BLOCK
    return found


def _extended(rng: random.Random, header: bytes) -> tuple[bytes, bytes]:
    """An extended header for the member with `header`: of GNU tar or of pax."""
    kind = rng.choice((b"L", b"K", b"x", b"g"))
    body = rng.choice(_VALUES) + b"\0"
    if kind in (b"x", b"g"):
        body = b"".join(_record(rng.choice(_RECORDS)) for _ in range(rng.choice((1, 2, 50))))
    size = b"%011o\0" % rng.choice((len(body), len(body), 0, 1 << 17))
    return header[:124] + size + header[136:156] + kind + header[157:], body


def _record(text: bytes) -> bytes:
    """`LENGTH TEXT` and a line feed, where the length counts its own digits."""
    size = len(text) + 3
    while size != len(text) + 2 + len(str(size)):
        size = len(text) + 2 + len(str(size))
    return b"%d %s\n" % (size, text)


def _checked(header: bytes) -> bytes:
    """The header with its right checksum."""
    blank = header[: _CHECKSUM.start] + b" " * 8 + header[_CHECKSUM.stop :]
    return blank[: _CHECKSUM.start] + b"%06o\0 " % sum(blank) + blank[_CHECKSUM.stop :]
