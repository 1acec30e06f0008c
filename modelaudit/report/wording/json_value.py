"""Formatting of values that may have any JSON form: the evidence of findings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from modelaudit.report.wording import text


def finite_number(value: object) -> float | None:
    """`value` if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def finite_interval(value: object) -> tuple[float, float] | None:
    """An interval [low, high], or None."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = map(finite_number, value)
    return None if low is None or high is None else (low, high)


def _short(value: object) -> bool:
    """Whether it is a scalar or a list of scalars."""
    if isinstance(value, list | tuple):
        return all(item is None or isinstance(item, str | int | float) for item in value)
    return value is None or isinstance(value, str | int | float)


def plain(value: object, limit: int = 160) -> str:
    """Any JSON value as one readable line of at most `limit` characters."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value) if finite_number(value) is None else text.number(value)
    if isinstance(value, str):
        return text.shorten(value, limit)
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, Mapping) and item.get("text") for item in value):
            told = "; ".join(str(item["text"]) for item in value)
            return text.shorten(told.replace("`", ""), limit)
        if _short(value):
            shown = ", ".join(plain(item, 60) for item in value[:8])
            more = f" … {len(value):,} in total" if len(value) > 8 else ""
            return text.shorten(shown, limit - len(more)) + more if value else "none"
    if isinstance(value, Mapping) and all(_short(item) for item in value.values()):
        lists = any(isinstance(item, list | tuple) for item in value.values())
        shown = ("; " if lists else ", ").join(
            f"{key}: {plain(item, 60)}" if lists else f"{key} {plain(item, 60)}"
            for key, item in list(value.items())[:8]
        )
        return text.shorten(shown, limit) if value else "none"
    return text.shorten(json.dumps(value, ensure_ascii=False, default=str), limit)
