"""Formatting of measured numbers; values too small to matter are shown as below a limit."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.report.wording import text

LEAST = 0.001  # smaller nonzero values are shown as below it; audit.json has them in full


def number(value: float | None, digits: int = 3) -> str:
    """A number in at most `digits` significant digits, `< 0.001` for less; `–` for None."""
    if value and abs(value) < LEAST:
        return f"<\N{NO-BREAK SPACE}{LEAST}" if value > 0 else f">\N{NO-BREAK SPACE}−{LEAST}"
    return text.number(value, digits)


def span(ends: tuple[float, float] | None, write: Callable[[float], str] = number) -> str:
    """An interval as `0.1 to 0.2`; one number if both ends read the same, `–` for None."""
    if ends is None:
        return "–"
    low, high = map(write, ends)
    return low if low == high else f"{low} to {high}"
