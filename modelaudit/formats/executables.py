"""Detection of programs and pickles by their first bytes."""

from __future__ import annotations

import base64
import binascii
import re

HEAD_BYTES = 64
"""Number of bytes that `executable_kind` needs."""

_PICKLE = "a pickle"
_WINDOWS = "a Windows program"
_SIGNATURES = (
    (b"\x80\x02", _PICKLE),
    (b"\x80\x03", _PICKLE),
    (b"\x80\x04", _PICKLE),
    (b"\x80\x05", _PICKLE),
    (b"PK\x03\x04", "a zip archive (PyTorch keeps pickles in one)"),
    (b"\x7fELF", "a native library"),
    (b"\xcf\xfa\xed\xfe", "a native library"),
    (b"\xce\xfa\xed\xfe", "a native library"),
    (b"\xfe\xed\xfa\xcf", "a native library"),
    (b"\xfe\xed\xfa\xce", "a native library"),
    (b"\xca\xfe\xba\xbe", "a native library or Java class"),
    (b"#!", "a script"),
)
# Protocols 0 and 1 have no signature: match a container or a global that is memoised.
_OLD_PICKLE = re.compile(
    rb"\((?:[dl]p\d+\n|[\]}]q[\x00-\x0f])|[\]})]q[\x00-\x0f]"
    rb"|\(*c[a-zA-Z_][\w.]*\n[a-zA-Z_]\w*\n(?:p\d+\n|q[\x00-\x0f]|[().]|S['\"])"
    rb"|\(+i[a-zA-Z_][\w.]*\n[a-zA-Z_]\w*\n"
)
_FRAME = b"\x95"
# A pickle of protocol 2 to 5, a zip archive, ELF. Shorter data cannot be a program.
_IN_BASE64 = (
    *(b"gAI", b"gAJ", b"gAM", b"gAN", b"gAQ", b"gAR", b"gAS", b"gAT", b"gAU", b"gAV"),
    *(b"UEsDB", b"f0VMR"),
)
SHORTEST_TEXT = 24


def executable_kind(head: bytes) -> str:
    """Kind of the program that starts with these bytes, "" if it is not a program."""
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return what
    if head.startswith(b"MZ") and b"\0" in head:  # text can start with these letters
        return _WINDOWS
    return _PICKLE if _OLD_PICKLE.match(head) else ""


def is_pickle(head: bytes) -> bool:
    """Whether the bytes start a pickle of Python."""
    return executable_kind(head) == _PICKLE


def is_native(head: bytes) -> bool:
    """Whether the bytes start a program that the machine itself runs, such as a library."""
    return executable_kind(head).startswith(("a native library", _WINDOWS))


def executable_in_base64(text: bytes) -> str:
    """Kind of the program that a text encodes in base64, "" if it does not encode one.

    Two-byte signatures occur in ordinary text, so a pickle must also end like one.
    """
    if len(text) < SHORTEST_TEXT or not text.lstrip().startswith(_IN_BASE64):
        return ""
    try:
        data = base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    ends = data[:1] != b"\x80" or data.endswith(b".")
    return executable_kind(data[:HEAD_BYTES]) if ends else ""


def executable_in_numbers(head: bytes, size: int, last: bytes) -> str:
    """Like `executable_kind` for numeric data, where two matching bytes can be a coincidence.

    Args:
        head: the first bytes.
        size: total number of bytes.
        last: the last byte; empty if it is unknown.
    """
    what = executable_kind(head)
    if what == _PICKLE:
        framed = head[2:3] == _FRAME and int.from_bytes(head[3:11], "little") <= size
        marked = head[:1] == b"\x80" and head[2:3] in {b"}", b"]", b"(", b")", b"c", b"C", b"X"}
        old = head[:1] != b"\x80"
        return what if framed or (last == b"." and (marked or old)) else ""
    if what == "a script":
        return what if head.startswith((b"#!/", b"#! /")) else ""
    if what == _WINDOWS:  # of its first header, the last 4 bytes say where the second one is
        at = int.from_bytes(head[60:64], "little") if len(head) >= HEAD_BYTES else HEAD_BYTES
        return what if HEAD_BYTES <= at < size else ""
    return what
