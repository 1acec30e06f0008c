"""Safe access to an audit's JSON: a wrong or missing value reads as empty and never crashes.

An audit file may come from another version or an untrusted source, so the shape of its sections
is not trusted.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from modelaudit.audit_types.values import AuditSection
from modelaudit.report.wording import text
from modelaudit.schema import jsonable

Map = Mapping[str, Any]


def as_map(value: object) -> Map:
    """`value` if it is an object, else an empty one."""
    value = _plain(value)
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Any]:
    """`value` as a list if it is an array, else an empty one."""
    return list(value) if isinstance(value, list | tuple) else []


def as_maps(value: object) -> list[Map]:
    """The objects in an array; anything else in it is skipped."""
    return [item for item in map(_plain, as_list(value)) if isinstance(item, Mapping)]


def _plain(value: object) -> object:
    """A section of an audit as its JSON form."""
    section = isinstance(value, AuditSection) or dataclasses.is_dataclass(value)
    return jsonable(value) if section else value


def as_text(value: object) -> str:
    """`value` if it is a string, a number as digits, else an empty string."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def as_number(value: object) -> float | None:
    """`value` if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def as_count(value: object) -> int | None:
    """`value` as a whole number of at least 0, else None."""
    found = as_number(value)
    return int(found) if found is not None and found >= 0 else None


def pair(value: object) -> tuple[float, float] | None:
    """An interval [low, high], or None."""
    ends = [as_number(item) for item in as_list(value)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]


def numbers(value: object) -> dict[str, float]:
    """The finite numbers of an object, by key."""
    found = {str(key): as_number(item) for key, item in as_map(value).items()}
    return {key: item for key, item in found.items() if item is not None}


def shape(value: object) -> str:
    """A tensor shape as `28 × 28 × 1`, open axes as `any`; empty if there is none."""
    if not isinstance(value, list | tuple):
        return ""
    if not value:
        return "scalar"
    return " × ".join("any" if axis is None else as_text(axis) or "?" for axis in value)


def _short(value: object) -> bool:
    """Whether it is a scalar or a list of scalars."""
    if isinstance(value, list | tuple):
        return all(item is None or isinstance(item, str | int | float) for item in value)
    return value is None or isinstance(value, str | int | float)


def accuracies(behaviour: object) -> dict[str, float]:
    """Accuracy in [0, 1] on the inputs as given, by output, where the audit has labels."""
    outputs = as_maps(as_map(behaviour).get("outputs"))
    found = {as_text(o.get("name")): as_number(as_map(o.get("accuracy")).get("e")) for o in outputs}
    return {name: share for name, share in found.items() if share is not None}


def plain(value: object, limit: int = 160) -> str:
    """Any JSON value as one readable line of at most `limit` characters."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return text.number(as_number(value)) if as_number(value) is not None else str(value)
    if isinstance(value, str):
        return text.shorten(value, limit)
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, Mapping) and item.get("text") for item in value):
            return text.shorten("; ".join(str(item["text"]) for item in value), limit)
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
