"""The JSON form of sections, and of the values that they are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum

import numpy as np
from msgspec import UNSET, Struct

from modelaudit.audit_types.values import AuditSection, OptionalSection
from modelaudit.facts import Json
from modelaudit.structs import PartlyCompared

SIGNIFICANT_DIGITS = 9
MOST_DIGITS = 300  # of an integer: what is computed from it is a finite float


def jsonable(value: object) -> Json:
    """`value` as plain JSON: structs and mappings become objects, enums their values.

    Floats are rounded to nine significant digits, which is past what any measure here means and
    keeps two runs byte-equal. NaN and infinities, which JSON does not have, become strings, and so
    do integers of more than 300 digits.
    """
    if isinstance(value, Enum):
        return jsonable(value.value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**MOST_DIGITS else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, AuditSection):
        return section_json(value)
    if isinstance(value, PartlyCompared):
        return jsonable(value.compared())
    if isinstance(value, Struct):
        return {name: jsonable(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [jsonable(item) for item in items]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    return str(value)


def section_json(section: AuditSection) -> dict[str, Json]:
    """A section's keys, without those that it lacks."""
    plain = type(section)() if isinstance(section, OptionalSection) and section.empty else None
    written = {}
    for name, key in zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True):
        value = getattr(section, name)
        if value is UNSET or (plain is not None and value == getattr(plain, name)):
            continue
        written[key] = jsonable(value)
    return written
