"""What was observed of a model to JSON and back, by its types: nothing in a store is executable."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from modelaudit.audit_types.values import Real, custom_type
from modelaudit.facts import Json

T = TypeVar("T")


def encode(value: object) -> Json:
    """`value` as JSON; NaN and infinities are kept as Python's `json` writes them.

    Raises:
        TypeError: it holds something that `decode` cannot restore.
    """
    encoded: Json = msgspec.to_builtins(value, enc_hook=_plain)
    return encoded


def decode(kind: type[T], data: object) -> T:
    """The inverse of `encode`.

    Raises:
        ValueError: `data` does not match the type.
    """
    return msgspec.convert(data, kind, dec_hook=_value)


def layout(kind: type) -> str:
    """A digest of the field names and types of a type, including nested ones.

    Data written with another layout is not read.
    """
    return hashlib.sha256(repr(msgspec.inspect.type_info(kind)).encode()).hexdigest()[:16]


def _value(kind: type, value: object) -> object:
    return Path(str(value)) if issubclass(kind, Path) else custom_type(kind, value)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")
