"""The JSON form of sections, and of the values that they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

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
    form = _FORMS.get(type(value))
    if form is None:
        form = _FORMS[type(value)] = _form_of(value)
    return form(value)


_Form = Callable[[Any], Json]
_FORMS: dict[type, _Form] = {}  # the form of the values of a type, of which there are few


def _form_of(value: object) -> _Form:
    """How values of the type of this one are written."""
    if type(value) is int:
        return _whole
    forms: tuple[tuple[type | tuple[type, ...], _Form], ...] = (
        (float, _real),
        ((list, tuple), _listed),
        (dict, _mapped),
        (Enum, lambda each: jsonable(each.value)),
        (str, lambda each: each),
        (AuditSection, section_json),
        (PartlyCompared, lambda each: jsonable(each.compared())),
        (Struct, _fields),
        (Mapping, _mapped),
        ((set, frozenset), lambda each: [jsonable(item) for item in sorted(each, key=str)]),
        (np.generic, lambda each: jsonable(each.item())),
    )
    return next((form for kinds, form in forms if isinstance(value, kinds)), str)


def _whole(value: int) -> Json:
    return value if -_ABOVE < value < _ABOVE else str(value)


def _real(value: float) -> Json:
    return float(format(value, _FORM)) if math.isfinite(value) else str(value)


def _listed(value: Sequence[object]) -> Json:
    return [item if type(item) is str else jsonable(item) for item in value]


def _mapped(value: Mapping[object, object]) -> Json:
    return {str(key): jsonable(item) for key, item in value.items()}


def _fields(value: Struct) -> Json:
    return {name: jsonable(getattr(value, name)) for name in value.__struct_fields__}


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
