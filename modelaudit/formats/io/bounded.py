"""Bounded reads: every byte and every piece of JSON that the readers take passes through here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import FileEntry, Json, ProblemKind
from modelaudit.settings import Limits

BEFORE_JSON = b" \t\r\n\0\xff\xfe\xef\xbb\xbf"
"""White space, byte order marks, and what UTF-16 and UTF-32 put between ASCII characters."""

# A JSON string with its escapes; possessive, and closing is optional, so that it stays linear
# on unterminated strings full of escaped quotes.
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_DIGITS = 1000

# One escape: a surrogate pair, a lone surrogate (captured), or any other.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def display_path(path: Path, root: Path) -> str:
    """`path` as POSIX text relative to `root` (its own name where it is the root itself).

    Names that are not UTF-8 are written with backslash escapes, so the text can go anywhere.
    """
    relative = Path(path.name) if path == root else Path(os.path.relpath(path, root))
    return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")


def open_regular(path: Path, file: str = "") -> FileIO:
    """Open `path` for reading, and nothing but a regular file (a FIFO would block for ever).

    Raises:
        ReadError: `unreadable` for permissions, I/O errors and special files.
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
    """The whole file, if it has at most `max_bytes`.

    Args:
        path: a regular file.
        max_bytes: most bytes to hold in memory.
        file: name to use in errors; the path's last part by default.
        setting: the field of `Limits` that `max_bytes` is, for the error.

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
    """Everything up to the end of `handle`, counted while reading: promised sizes can lie.

    Raises:
        LimitExceeded: there are more than `max_bytes`.
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
    """Size and streamed SHA-256 of a file; the digest is None where it cannot or may not be read.

    Args:
        path: the file.
        root: directory that the entry's path is relative to (or the file itself).
        role: what the file is for, see `FileEntry`.
        limits: `total_bytes` bounds how large a file is hashed.
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
    """The SHA-256 of a model.

    Of one file it is the file's own, as `sha256sum` gives it, so that copies under another name
    are known to be the same. Of several it is one over (path, size, digest) of each, whatever
    their order. None where a file was not hashed or there is none.
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


def json_loads(data: bytes, limits: Limits, file: str, duplicates: list[str] | None = None) -> Json:
    """Parse JSON from an untrusted file.

    Depth and number of elements are bounded before the parser (which recurses) sees the text.
    Whatever Python's own parser takes is taken, since Keras hands it the bytes: UTF-16 and
    UTF-32, surrogates in UTF-8. Lone surrogates become U+FFFD, so every string can be written as
    UTF-8, and integers of thousands of digits infinity. Of duplicate keys the last wins.

    Args:
        data: text in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
        limits: `config_bytes`, `json_depth` and `json_nodes` apply.
        file: name for errors.
        duplicates: where given, receives each key that an object names more than once.

    Raises:
        ReadError: `config-invalid` for broken text or JSON.
        LimitExceeded: too large, too deep or too many elements.
    """
    if len(data) > limits.config_bytes:
        raise LimitExceeded(file, "JSON bytes", len(data), limits.config_bytes, "config_bytes")
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        reason = f"JSON is not {name} (byte {error.start})"
        raise ReadError(ProblemKind.CONFIG_INVALID, file, reason) from error
    text = _SURROGATE.sub("\ufffd", text)
    wide = not encoding.startswith("utf-8")
    _check_structure(text.encode() if wide else data, limits, file)
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], text)
    hook = None if duplicates is None else _noting_duplicates(duplicates)
    try:
        # json.loads is typed Any; by construction it returns nothing but JSON values.
        return cast(Json, json.loads(text, object_pairs_hook=hook, parse_int=_integer))
    except (ValueError, RecursionError) as error:
        raise ReadError(ProblemKind.CONFIG_INVALID, file, f"not valid JSON: {error}") from error


def _integer(digits: str) -> int | float:
    """An integer; Python refuses to convert one of more than 4,300 digits, older ones do not."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


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


def _check_structure(data: bytes, limits: Limits, file: str) -> None:
    opened = data.count(b"{") + data.count(b"[")
    if opened <= limits.json_depth and data.count(b",") <= limits.json_nodes:
        return
    skeleton = np.frombuffer(_JSON_STRING.sub(b"", data), dtype=np.uint8)
    opens = (skeleton == ord("{")) | (skeleton == ord("["))
    nodes = int(np.count_nonzero(opens)) + int(np.count_nonzero(skeleton == ord(",")))
    if nodes > limits.json_nodes:
        raise LimitExceeded(file, "JSON elements", nodes, limits.json_nodes, "json_nodes")
    closes = (skeleton == ord("}")) | (skeleton == ord("]"))
    steps = opens.astype(np.int8) - closes.astype(np.int8)
    depth = int(np.cumsum(steps, dtype=np.int64).max(initial=0))
    if depth > limits.json_depth:
        raise LimitExceeded(file, "JSON depth", depth, limits.json_depth, "json_depth")


def _os_reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
