"""Members of a tar stream, one after another, without trusting any size or name.

Python's tarfile reads extended headers of any size into memory and follows what they say. Here only
names, kinds and sizes are read. Layout: POSIX.1-2017, pax "ustar Interchange Format" and "pax
Extended Header", and the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind

BLOCK = 512
PIECE_BYTES = 1 << 20
MAGIC = b"ustar"
MAGIC_OFFSET = 257

FILE, DIRECTORY = "file", "directory"
_KINDS = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,  # contiguous: an ordinary file everywhere today
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "character device",
    b"4": "block device",
    b"5": DIRECTORY,
    b"6": "FIFO",
    b"S": "sparse file",
}
_WITHOUT_DATA = frozenset(_KINDS[flag] for flag in (b"1", b"2", b"3", b"4", b"6"))
_LONG_NAME, _LONG_LINK = b"L", b"K"
_PAX, _PAX_FOR_ALL = b"x", b"g"
# Longer than any path that Linux accepts, with other attributes beside it.
_HEADER_BYTES = 1 << 16
_MOST_DIGITS = 20


class ByteStream(Protocol):
    """What is read."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class TarMember(Struct, frozen=True):
    """One member. `kind` is `FILE`, `DIRECTORY`, or what else it is, in words."""

    name: str
    kind: str
    size: int


class TarReader:
    """Iterates over the members of a stream; `pieces` gives the data of the current one.

    Args:
        stream: the uncompressed archive.
        file: name for messages.
        most: maximum number of members, extended headers included.
    """

    def __init__(self, stream: ByteStream, file: str, most: int) -> None:
        self._stream = stream
        self._file = file
        self._most = most
        self._left = 0  # bytes of the current member that were not read yet
        self._padding = 0

    def __iter__(self) -> Iterator[TarMember]:
        """Yield the members in stored order.

        Raises:
            ReadError: `corrupt`, if a header is none, or the stream ends inside a member.
            LimitExceeded: too many members, or an extended header that is too long.
        """
        name = ""
        attributes: dict[str, str] = {}
        count = 0
        while (block := self._header()) is not None:
            count += 1
            if count > self._most:
                raise LimitExceeded(
                    self._file, "archive members", count, self._most, "archive_members"
                )
            size, type_flag = _number(block[124:136], self._file), block[156:157]
            if type_flag in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_FOR_ALL):
                data = self._extended(size)
                if type_flag == _LONG_NAME:
                    name = _text(data)
                elif type_flag == _PAX:
                    attributes = _attributes(data, self._file)
                elif type_flag == _PAX_FOR_ALL and _attributes(data, self._file).keys() & _MEANT:
                    raise self._corrupt("gives the same name or size to all members")
                continue
            kind = _KINDS.get(type_flag, f"member of type {type_flag!r}")
            if any(key.startswith("GNU.sparse.") for key in attributes):
                kind = "sparse file"
            if "size" in attributes:
                size = self._decimal(attributes["size"])
            self._open(0 if kind in _WITHOUT_DATA else size)
            name = attributes.get("path") or name or _header_name(block)
            if kind == FILE and name.endswith("/"):  # as the oldest archives mark directories
                kind = DIRECTORY
            yield TarMember(name, kind, size)
            name, attributes = "", {}

    def pieces(self) -> Iterator[bytes]:
        """Yield the data of the current member that were not read yet.

        Raises:
            ReadError: `corrupt`, if the stream ends first.
        """
        while self._left:
            piece = self._stream.read(min(self._left, PIECE_BYTES))
            if not piece:
                raise self._corrupt("ends inside a member: the archive is incomplete")
            self._left -= len(piece)
            yield piece

    def _open(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _header(self) -> bytes | None:
        """The next header block; None at the end of the archive."""
        for _ in self.pieces():
            pass
        self._open(self._padding)
        for _ in self.pieces():
            pass
        self._padding = 0
        block = b""
        while len(block) < BLOCK:
            piece = self._stream.read(BLOCK - len(block))
            if not piece:
                break
            block += piece
        if not block.strip(b"\0"):
            return None
        if len(block) < BLOCK or not _has_checksum(block, self._file):
            raise self._corrupt("contains a block that is no header of a member")
        return block

    def _extended(self, size: int) -> bytes:
        if size > _HEADER_BYTES:
            raise LimitExceeded(self._file, "bytes of an extended header", size, _HEADER_BYTES)
        self._open(size)
        return b"".join(self.pieces())

    def _decimal(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
            raise self._corrupt("has a size that is no number")
        return int(text)

    def _corrupt(self, reason: str) -> ReadError:
        return ReadError(ProblemKind.CORRUPT, self._file, reason)


_MEANT = frozenset(("path", "size", "linkpath"))


def is_tar(head: bytes) -> bool:
    """Whether a file with these first bytes, at least 512, is a tar archive."""
    return head[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] == MAGIC and is_header(head)


def is_header(block: bytes) -> bool:
    """Whether a block of 512 bytes is the header of a first member."""
    try:
        return len(block) >= BLOCK and bool(block.strip(b"\0")) and _has_checksum(block[:BLOCK], "")
    except ReadError:
        return False


def _has_checksum(block: bytes, file: str) -> bool:
    """Whether the sum of the header's bytes is the stored one; some writers summed signed bytes."""
    said = _number(block[148:156], file)
    rest = block[:148] + b" " * 8 + block[156:]
    return said in (sum(rest), sum(byte - 256 * (byte > 127) for byte in rest))


def _number(field: bytes, file: str) -> int:
    """A number in octal digits or, as GNU tar writes large ones, in binary."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40:
            raise ReadError(ProblemKind.CORRUPT, file, "has a negative number in a header")
        return value
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise ReadError(ProblemKind.CORRUPT, file, "has a header with a field that is not a number")
    return int(digits or b"0", 8)


def _attributes(data: bytes, file: str) -> dict[str, str]:
    """The records of an extended header, each `LENGTH KEY=VALUE` and a line feed."""
    found: dict[str, str] = {}
    while data.strip(b"\0"):
        length, _, _ = data.partition(b" ")
        end = int(length) if length.isdigit() and len(length) <= len(str(_HEADER_BYTES)) else 0
        key, equals, value = data[len(length) + 1 : end - 1].partition(b"=")
        if not equals or end > len(data) or data[end - 1 : end] != b"\n":
            raise ReadError(ProblemKind.CORRUPT, file, "has an extended header that cannot be read")
        found[_text(key)] = _text(value)
        data = data[end:]
    return found


def _header_name(block: bytes) -> str:
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
