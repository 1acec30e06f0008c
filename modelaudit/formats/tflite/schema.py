"""Tables and enumerations of TensorFlow Lite's FlatBuffers, and versions of its operators."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct

_HERE = Path(__file__).parent


class Field(Struct, frozen=True):
    """A field of a table.

    Attributes:
        name: as in the schema.
        number: its position in the table's vtable.
        kind: a scalar (`i8` … `u64`, `f32`, `f64`, `bool`), `string`, `union`, or a table.
        vector: whether it is a vector of these.
        tables: for a union: the table of each value of its type; "NONE" for none.
        default: the value of a scalar that is not stored.
    """

    name: str
    number: int
    kind: str
    vector: bool = False
    tables: tuple[str, ...] = ()
    default: int = 0


class Schema(Struct, frozen=True):
    """`tables`: name -> field name -> field. `enums`: name -> names of the values 0, 1, 2 …"""

    tables: Mapping[str, Mapping[str, Field]]
    enums: Mapping[str, tuple[str, ...]]


@cache
def schema() -> Schema:
    """The schema of models and of their metadata, which is package data."""
    tables: dict[str, dict[str, Field]] = {}
    enums: dict[str, tuple[str, ...]] = {}
    for word, name, *items in _lines("schema.txt"):
        if word == "enum":
            enums[name] = tuple(items)
            continue
        fields: dict[str, Field] = {}
        for number, item in enumerate(items):
            label, _, kind = item.partition(":")
            if not kind:
                continue  # no longer used
            kind, _, value = kind.partition("=")
            union = enums[value] if kind == "union" else ()
            default = int(value) if value and not union else 0
            vector = kind.startswith("[")
            fields[label] = Field(label, number, kind.strip("[]"), vector, union, default)
        tables[name] = fields
    return Schema(tables, enums)


@cache
def runtime_versions() -> Mapping[str, tuple[str, ...]]:
    """Builtin operator -> the first runtime with its version 1, 2 …; "-" if there is none."""
    return {name: tuple(versions) for name, *versions in _lines("runtime_versions.txt")}


def _lines(name: str) -> list[list[str]]:
    text = (_HERE / name).read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]
