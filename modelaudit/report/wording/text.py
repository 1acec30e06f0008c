"""Formatting of values as text: numbers, sizes, names that may be hostile."""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
KEPT = frozenset("\n\t")
MOST_MARKS = 3  # pointed Hebrew has as many on one letter
SIZE_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_PLAIN = re.compile(r"[\x20-\x7e\n\t]*")
_PERCENT = re.compile(r"(?<=\d)[ \u00a0]?%(?!\w)")
_SPELLED = re.compile(r"\\u\{[0-9A-F]{4,6}\}")
_SPACES = re.compile(r"[ \t\n\r\f\v]+")  # not the no-break space between number and unit


def printable(text: str) -> str:
    """`text` with every invisible or order-changing character written out as `\\u{202E}`.

    Names come out of untrusted files. Control characters, bidirectional overrides, zero-width
    joiners, lone surrogates and unassigned code points would let a name hide or reverse what a
    reader sees (Boucher and Anderson 2021, "Trojan Source"). So would accents piled on one letter,
    which cover the lines around: the fourth and further ones are written out. Line breaks and tabs
    stay.
    """
    if _PLAIN.fullmatch(text):
        return text
    shown, marks = [], 0
    for c in text:
        category = unicodedata.category(c)
        marks = marks + 1 if category.startswith("M") else 0
        hides = (category in INVISIBLE and c not in KEPT) or marks > MOST_MARKS
        shown.append(spelled(ord(c)) if hides else c)
    return "".join(shown)


def one_line(text: str) -> str:
    """`text` with every run of white space as one space."""
    return _SPACES.sub(" ", text).strip()


def spelled(point: int) -> str:
    """A character written out, `\\u{202E}`."""
    return f"\\u{{{point:04X}}}"


def _between(text: str, at: int) -> tuple[int, int]:
    """The positions nearest to `at`, before and after, that cut no written-out character."""
    for found in _SPELLED.finditer(text, max(at - len(spelled(0x10FFFF)), 0)):
        if found.start() >= at:
            break
        if at < found.end():
            return found.span()
    return at, at


def shorten(text: str, limit: int) -> str:
    """`text` on one line in at most `limit` characters, with an ellipsis in the middle.

    Both ends are kept because layer routes differ at the end.
    """
    flat = one_line(printable(text))
    if len(flat) <= limit:
        return flat
    head = (limit - 1) * 2 // 3
    tail = limit - 1 - head
    return f"{flat[: _between(flat, head)[0]]}…{flat[_between(flat, len(flat) - tail)[1] :]}"


def fitted(text: str, room: float) -> str:
    """`text` on one line, shortened to the width of `room` letters such as n, in any font."""
    limit = int(room)
    while _width(short := shorten(text, limit)) > room and limit > 1:
        limit -= 1
    return short


def _width(text: str) -> float:
    """Approximate width of a text, in letters such as n."""
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF"
        else 1.65 if c in "MWmw@%"
        else 1.2 if c.isupper()
        else 1
        for c in text
    )  # fmt: skip


def cut(text: str, limit: int) -> str:
    """`text` on one line in at most `limit` characters, cut after a word."""
    flat = one_line(printable(text))
    if len(flat) <= limit:
        return flat
    return f"{flat[: _between(flat, limit - 1)[0]].rsplit(' ', 1)[0]}…"


def percent_signs(text: str) -> str:
    """`text` with one no-break space between every number and its percent sign."""
    return _PERCENT.sub("\N{NO-BREAK SPACE}%", text)


def plain_text(text: str, limit: int) -> str:
    """Running text for places without markup: cut after a word, without backticks."""
    return percent_signs(cut(text.replace("`", ""), limit))


def number(value: float | None, digits: int = 3) -> str:
    """A number in at most `digits` significant digits, integers in full; `–` for None.

    Also `–` for an integer that no float can hold.
    """
    if value is None or (isinstance(value, int) and abs(value) > sys.float_info.max):
        return "–"
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    if 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.{digits}g}".replace("-", "−")


def percent(value: float | None, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage, never rounded up to 100 % or down to 0 %."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value * 100:.{digits}f}"
    if value < 1 and float(text) >= 100:
        return f">{100 - 10**-digits:.{digits}f}\N{NO-BREAK SPACE}%"
    if value > 0 and float(text) <= 0:
        return f"<{10**-digits:.{digits}f}\N{NO-BREAK SPACE}%"
    return f"{text}\N{NO-BREAK SPACE}%"


def interval(low: float, high: float) -> str:
    """An interval of shares, `33 % to 100 %`: its ends are estimates, so 99.8 % may be 100 %."""
    return f"{low * 100:.0f}\N{NO-BREAK SPACE}% to {high * 100:.0f}\N{NO-BREAK SPACE}%"


def file_size(nbytes: float | None) -> str:
    """A size in bytes as text, in decimal units."""
    if nbytes is None:
        return "–"
    amount, power = float(nbytes), 0
    while amount >= 1000 and power < len(SIZE_UNITS) - 1:
        amount, power = amount / 1000, power + 1
    digits = 0 if power == 0 or amount >= 100 else 1
    return f"{amount:,.{digits}f}\N{NO-BREAK SPACE}{SIZE_UNITS[power]}"


def instant(created: str) -> str:
    """An ISO 8601 instant as `2026-03-14 09:26 UTC`; unchanged if it is not one."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return shorten(created, 40)
    zone = f"{found:%z}"
    return f"{found:%Y-%m-%d %H:%M} " + ("UTC" if zone in ("", "+0000") else zone)


def shape(sizes: Sequence[int | None] | None) -> str:
    """A tensor shape as `28 × 28 × 1`, open axes as `any`; empty if there is none."""
    if sizes is None:
        return ""
    return " × ".join("any" if size is None else str(size) for size in sizes) or "scalar"


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 layer`, `1,234 layers`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listing(items: list[str], limit: int = 6) -> str:
    """`a, b and c`, or the first `limit` items and `N more`."""
    if len(items) > limit:
        return f"{', '.join(items[:limit])} and {len(items) - limit:,} more"
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
