"""The JSON form of sections, and of the values that they are made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import UNSET

from modelaudit.audit_types.values import AuditSection, OptionalSection
from modelaudit.facts import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SIGNIFICANT_DIGITS = 9
MOST_DIGITS = 300  # of an integer: what is computed from it is a finite float


def jsonable(value: object) -> Json:
    """`value` as plain JSON: dataclasses and mappings become objects, enums their values.

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
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return json_object(value)
    if isinstance(value, AuditSection):
        return section_json(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [jsonable(item) for item in items]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    return str(value)


def json_object(value: DataclassInstance) -> dict[str, Json]:
    """A dataclass as `jsonable` gives it: an object of the fields by which two are compared."""
    names = [each.name for each in dataclasses.fields(value) if each.compare]
    return {name: jsonable(getattr(value, name)) for name in names}


def section_json(section: AuditSection) -> dict[str, Json]:
    """A section's keys, without those that it lacks."""
    plain = type(section)() if isinstance(section, OptionalSection) and section.empty else None
    written = {}
    for each in msgspec.structs.fields(section):
        value = getattr(section, each.name)
        if value is UNSET or (plain is not None and value == getattr(plain, each.name)):
            continue
        written[each.encode_name] = jsonable(value)
    return written
