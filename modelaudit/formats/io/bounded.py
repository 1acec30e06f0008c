"""Bounded reads: readers get all bytes and all JSON through this module."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import FileEntry, Json, ProblemKind
from modelaudit.file_formats import MODEL_SUFFIXES
from modelaudit.formats.io.density import CONTAINERS, ELEMENTS
from modelaudit.settings import Limits
from modelaudit.work_budget import spend

BEFORE_JSON = b" \t\r\n\0\xff\xfe\xef\xbb\xbf"
"""White space, byte order marks, and the padding bytes of ASCII text in UTF-16 and UTF-32."""

_BACKSLASHES = re.compile(rb"\\*+")
_BLOCK = 1 << 20  # bytes of JSON whose structure is looked at together

_SUFFIXES = MODEL_SUFFIXES | {".bin", ".model", ".weights", ".zip"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_DIGITS = 1000

# One escape: a surrogate pair, a lone surrogate (captured), or any other.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def display_path(path: Path, root: Path) -> str:
    """`path` as a POSIX path relative to `root`, or its file name if it is `root` itself.

    Bytes that are not valid UTF-8 become backslash escapes.
    """
    whole, start = os.fspath(path), f"{os.fspath(root)}/"
    if whole.startswith(start) and "/.." not in whole:
        return printable(whole[len(start) :])
    relative = Path(path.name) if path == root else Path(os.path.relpath(path, root))
    return printable(relative.as_posix())


def printable(name: str) -> str:
    """A name of a file; bytes that are not valid UTF-8 become backslash escapes."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def ending(path: Path) -> str:
    """The suffix that loaders see: they compare the end of the path, also of one named `.h5`."""
    return path.suffix or (path.name if path.name.startswith(".") else "")


def free_name(path: Path, suffix: str) -> str:
    """A name for the file with another suffix, which no other file beside it has."""
    name = printable(path.name)
    stem = name.removesuffix(path.suffix) if path.suffix.lower() in _SUFFIXES else name
    more = (f"{stem}-{count}{suffix}" for count in range(2, 100))
    for each in (stem + suffix, *more):
        if not (path.parent / each).exists():
            return each
    return ""


def files_below(directory: Path, most: float = math.inf) -> Iterator[Path]:
    """Files in a directory and below, however deep; linked directories count as files.

    Stops after about `most` entries. Unreadable directories are skipped.
    """
    waiting, seen = [os.fspath(directory)], 0
    while waiting and seen <= most:
        with suppress(OSError), os.scandir(waiting.pop()) as listing:
            for entry in sorted(listing, key=lambda entry: entry.name):
                seen += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield Path(entry.path)


def open_regular(path: Path, file: str = "") -> FileIO:
    """Open a regular file for reading; anything else is an error (a FIFO would block).

    Raises:
        ReadError: `unreadable` for missing permissions, I/O errors and special files.
    """
    label = file or path.name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise ReadError(ProblemKind.UNREADABLE, label, _os_reason(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ReadError(ProblemKind.UNREADABLE, label, "not a regular file")
    return FileIO(descriptor, "rb")


def read_bytes(path: Path, max_bytes: int, file: str = "", setting: str = "") -> bytes:
    """Read a whole file of at most `max_bytes`.

    Args:
        path: a regular file.
        max_bytes: maximum file size, in bytes.
        file: file name for errors; the last component of `path` by default.
        setting: name of the field of `Limits` that sets `max_bytes`, for errors.

    Raises:
        ReadError: `unreadable`.
        LimitExceeded: the file is larger.
    """
    label = file or path.name
    with open_regular(path, label) as handle:
        try:
            size = os.fstat(handle.fileno()).st_size
            if size > max_bytes:
                raise LimitExceeded(label, "file bytes", size, max_bytes, setting)
            return read_up_to(handle, max_bytes, label, setting)
        except OSError as error:
            raise ReadError(ProblemKind.UNREADABLE, label, _os_reason(error)) from error


def read_up_to(handle: BinaryIO, max_bytes: int, file: str, setting: str = "") -> bytes:
    """Read `handle` to its end. Bytes are counted while reading, since declared sizes can be wrong.

    Raises:
        LimitExceeded: more than `max_bytes` bytes.
    """
    pieces: list[bytes] = []
    total = 0
    while piece := handle.read(min(1 << 20, max_bytes + 1 - total)):
        pieces.append(piece)
        total += len(piece)
        if total > max_bytes:
            raise LimitExceeded(file, "bytes", total, max_bytes, setting)
    return b"".join(pieces)


def file_entry(path: Path, root: Path, role: str, limits: Limits) -> FileEntry:
    """Size and SHA-256 of a file, read as a stream.

    The digest is None if the file cannot be read or is larger than `limits.total_bytes`.

    Args:
        path: the file.
        root: directory that the entry's path is relative to (or the file itself).
        role: see `FileEntry.role`.
        limits: `total_bytes` is the maximum size of a file that is hashed.
    """
    name = display_path(path, root)
    try:
        with open_regular(path, name) as handle:
            size = os.fstat(handle.fileno()).st_size
            if size > limits.total_bytes:
                return FileEntry(name, size, None, role)
            return FileEntry(name, size, hashlib.file_digest(handle, "sha256").hexdigest(), role)
    except (ReadError, OSError):
        try:
            size = path.lstat().st_size
        except OSError:
            size = 0
        return FileEntry(name, size, None, role)


def model_digest(files: Iterable[FileEntry]) -> str | None:
    """SHA-256 digest of a model; None without files or if a file was not hashed.

    For a single file it equals the output of `sha256sum`, so renamed copies have the same digest.
    For several files it is a digest over (path, size, digest) of each, sorted by path.
    """
    entries = sorted(files, key=lambda entry: entry.path)
    if not entries or any(entry.sha256 is None for entry in entries):
        return None
    if len(entries) == 1:
        return entries[0].sha256
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry.path}\0{entry.size}\0{entry.sha256}\n".encode())
    return digest.hexdigest()


def json_loads(
    data: bytes,
    limits: Limits,
    file: str,
    duplicates: list[str] | None = None,
    impossible: list[str] | None = None,
) -> Json:
    """Parse JSON from an untrusted file.

    Nesting depth and number of elements are checked before the recursive parser runs. Keras passes
    bytes to Python's `json`, so this function accepts the same input: UTF-16, UTF-32, and
    surrogates encoded in UTF-8. Lone surrogates become U+FFFD, so that every string can be encoded
    as UTF-8. Integers of more than 1,000 digits become floats (infinity). The last of several
    equal keys wins.

    Args:
        data: JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
        limits: `config_bytes`, `json_depth` and `json_nodes` apply.
        file: file name for errors.
        duplicates: if given, receives every key that occurs more than once in an object.
        impossible: if given, receives what some loader does not take: NaN, infinity, numbers that
            are too large for their type, lone surrogates.

    Raises:
        ReadError: `config-invalid` for invalid text or JSON.
        LimitExceeded: too large, too deep or too many elements, or the audit has taken its work.
    """
    if len(data) > limits.config_bytes:
        raise LimitExceeded(file, "JSON bytes", len(data), limits.config_bytes, "config_bytes")
    spend()
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        reason = f"JSON is not {name} (byte {error.start})"
        raise ReadError(ProblemKind.CONFIG_INVALID, file, reason) from error
    found: list[str] = []
    text = _SURROGATE.sub(lambda match: _replaced(found, match[0]), text)
    wide = not encoding.startswith("utf-8")
    _check_structure(text.encode() if wide else data, limits, file)
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(lambda match: _replaced(found, match[0]) if match[1] else match[0], text)
    hook = None if duplicates is None else _noting_duplicates(duplicates)
    try:
        # json.loads is typed Any; by construction it returns nothing but JSON values.
        numbers = _Numbers(found)
        value = json.loads(
            text,
            object_pairs_hook=hook,
            parse_int=numbers.whole,
            parse_float=numbers.real,
            parse_constant=numbers.real,
        )
    except (ValueError, RecursionError) as error:
        raise ReadError(ProblemKind.CONFIG_INVALID, file, f"not valid JSON: {error}") from error
    if impossible is not None:
        impossible.extend(found)
    return cast(Json, value)


def _replaced(found: list[str], text: str) -> str:
    found.append(f"the lone surrogate {text!a}")
    return "\ufffd"


class _Numbers:
    """Converts numbers, and notes those that are none, or too large, in `found`."""

    def __init__(self, found: list[str]) -> None:
        self.found = found

    def whole(self, digits: str) -> int | float:
        """Python 3.11 and later refuse integers of more than 4,300 digits, earlier ones do not."""
        if len(digits) <= _MOST_DIGITS:
            return int(digits)
        self.found.append(f"an integer of {len(digits):,} digits")
        return float(digits)

    def real(self, text: str) -> float:
        """A number with a fraction or exponent, or one of the words for what is none."""
        number = float(text)
        if not math.isfinite(number):
            self.found.append(text[:40])
        return number


def _noting_duplicates(
    duplicates: list[str],
) -> Callable[[list[tuple[str, Json]]], dict[str, Json]]:
    def mapping_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        mapping = dict(pairs)
        if len(mapping) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            duplicates.extend(key for key, count in counts.items() if count > 1)
        return mapping

    return mapping_of


def json_parts(data: bytes) -> tuple[int, int]:
    """At most how many containers, and how many elements of them, a JSON text has."""
    opened = data.count(b"{") + data.count(b"[")
    return opened, opened + data.count(b",")


def _check_structure(data: bytes, limits: Limits, file: str) -> None:
    opened, nodes = json_parts(data)
    bounds = (CONTAINERS.most(len(data), limits)[0], ELEMENTS.most(len(data), limits)[0])
    if opened <= min(limits.json_depth, bounds[0]) and nodes <= bounds[1]:
        return
    opened = nodes = level = depth = 0
    for outside in _outside_strings(data):
        opens = (outside == ord("{")) | (outside == ord("["))
        closes = (outside == ord("}")) | (outside == ord("]"))
        opened += int(np.count_nonzero(opens))
        nodes += int(np.count_nonzero(outside == ord(",")))
        levels = np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int64)
        depth = max(depth, level + int(levels.max(initial=0)))
        level += int(levels[-1]) if levels.size else 0
    ELEMENTS.check(opened + nodes, len(data), limits, file)
    CONTAINERS.check(opened, len(data), limits, file)
    if depth > limits.json_depth:
        raise LimitExceeded(file, "JSON depth", depth, limits.json_depth, "json_depth")


def _outside_strings(data: bytes) -> Iterator[NDArray[np.uint8]]:
    """The bytes of JSON that are not inside strings, in blocks of bounded size."""
    start, inside = 0, 0
    while start < len(data):
        end = start + _BLOCK
        if data[end - 1 : end] == b"\\":  # an escape is in one block
            end = _cut(data, end)
        block = data[start:end].replace(b"\\\\", b"").replace(b'\\"', b"")
        codes = np.frombuffer(block, dtype=np.uint8)
        quotes = (codes == ord('"')).view(np.uint8)
        within = np.bitwise_xor.accumulate(quotes) ^ np.uint8(inside)
        yield codes[within == 0]
        inside = int(within[-1]) if within.size else inside
        start = end


def _cut(data: bytes, end: int) -> int:
    """The end of the escape that goes on at `end`, with all backslashes before it."""
    found = _BACKSLASHES.match(data, end)
    return (found.end() if found else end) + 1


def _os_reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
