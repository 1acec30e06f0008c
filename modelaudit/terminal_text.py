"""Text in lines of limited width, for terminals, logs and mails: sanitised, cut and wrapped."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence

INDENT = " " * 6


# Control sequences of ECMA-48: CSI, OSC and other strings up to their end, two-character escapes.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x9c|\x1b\\)?"
    r"|\x1b[ -/]*+[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """`text` of a program or a file as lines, without control sequences for terminals.

    Control characters that remain become escapes, `\\x00`.
    """
    if text.isprintable():
        return text
    lines = _SEQUENCE.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", lines)


def clean(text: str) -> str:
    """`text` without characters that control a terminal or reorder a line."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def shorten(text: str, width: int) -> str:
    """`text` cut at the end to `width` columns."""
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"


def elided(line: str, width: int) -> str:
    """`line` and an ellipsis for what follows it, less its last words where that does not fit."""
    while cells(line) + 2 > width and " " in line.strip():
        line = line.rstrip().rpartition(" ")[0]
    return shorten(f"{line} …", width)


def first_of(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """The first `most` items and how many more there are: `a, b and 3 more`."""
    more = len(items) - most
    rest = f"{separator.rstrip(', ')} and {more:,} more" if more > 0 else ""
    return separator.join(items[:most]) + rest


def cells(text: str) -> int:
    """Display width of `text`: wide characters and emoji count two, combining marks zero."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in {"Mn", "Me"} for c in text)


def shorten_path(text: str, width: int) -> str:
    """`text` cut in the middle to `width` columns, so that directory and name stay readable.

    Wide characters count as two columns.
    """
    limit = width
    while cells(text) > width and limit > 1:
        tail = limit * 2 // 3
        shown = text[: limit - tail - 1] + "…" + text[-tail:]
        if len(text) > limit and cells(shown) <= width:
            return shown
        limit -= 1
    return text


def wrapped(text: str, width: int, first: str = "", rest: str = INDENT) -> str:
    """`text` wrapped at spaces to `width` columns: a path that fits is not broken."""
    return textwrap.fill(
        clean(text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
