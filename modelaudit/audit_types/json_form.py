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
_ABOVE = 10**MOST_DIGITS
_FORM = f".{SIGNIFICANT_DIGITS}g"


def jsonable(value: object) -> Json:
    """`value` as plain JSON: structs and mappings become objects, enums their values.

    Floats are rounded to nine significant digits, which is past what any measure here means and
    keeps two runs byte-equal. NaN and infinities, which JSON does not have, become strings, and so
    do integers of more than 300 digits.
    """
    if value is None or type(value) is str or type(value) is bool:  # the most frequent ones first
        return value
    if type(value) is int:
        return value if -_ABOVE < value < _ABOVE else str(value)
    if isinstance(value, float):
        return float(format(value, _FORM)) if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    return _other(value)


def _other(value: object) -> Json:
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, AuditSection):
        return section_json(value)
    if isinstance(value, PartlyCompared):
        return jsonable(value.compared())
    if isinstance(value, Struct):
        return {name: jsonable(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [jsonable(item) for item in sorted(value, key=str)]
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
