"""Frozen dataclasses to JSON and back, by their type hints: nothing in a store is executable.

Supports the types used in facts: dataclasses, enums, tuples, mappings, numbers, strings, None and
JSON values.
"""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import TypeVar

import numpy as np

from modelaudit.facts import Json

T = TypeVar("T")


def encode(value: object) -> Json:
    """`value` as JSON; NaN and infinities are kept as Python's `json` writes them.

    Raises:
        TypeError: it holds something that `decode` cannot restore.
    """
    if isinstance(value, Enum):
        return encode(value.value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.generic):
        return encode(value.item())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")


def decode(kind: type[T], data: object) -> T:
    """The inverse of `encode` for a dataclass.

    Raises:
        TypeError, ValueError, KeyError: `data` does not match the dataclass.
    """
    value = _decode(kind, data)
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} is not {kind.__name__}")
    return value


def _decode(hint: object, data: object) -> object:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(data, Mapping):
            raise TypeError(f"cannot decode {hint.__name__} from {type(data).__name__}")
        values = {name: _decode(each, data[name]) for name, each in _fields(hint).items()}
        return hint(**values)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(data)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(data, list):
        if arguments[1:] == (...,):
            return tuple(_decode(arguments[0], item) for item in data)
        return tuple(_decode(each, item) for each, item in zip(arguments, data, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(data, Mapping):
        return {key: _decode(arguments[1], item) for key, item in data.items()}
    if origin in (types.UnionType, typing.Union) and data is not None:
        chosen = [each for each in arguments if each is not type(None)]
        # The only unions in use are of JSON types, which need no decoding.
        return _decode(chosen[0], data) if len(chosen) == 1 else data
    return float(data) if hint is float and isinstance(data, int) else data


@cache
def _fields(kind: type) -> Mapping[str, object]:
    """The type hint of every field, by name."""
    hints = typing.get_type_hints(kind)
    return {name: hints[name] for name in getattr(kind, "__dataclass_fields__", ())}


def layout(kind: type) -> str:
    """A digest of the field names and types of a dataclass, including nested ones.

    Data written with another layout is not read.
    """
    told: dict[str, str] = {}
    _describe(kind, told)
    text = "\n".join(f"{name}: {fields}" for name, fields in sorted(told.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _describe(hint: object, told: dict[str, str]) -> None:
    for each in typing.get_args(hint):
        _describe(each, told)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint.__qualname__ not in told:
        told[hint.__qualname__] = ", ".join(f"{k}={v}" for k, v in _fields(hint).items())
        for each in _fields(hint).values():
            _describe(each, told)
