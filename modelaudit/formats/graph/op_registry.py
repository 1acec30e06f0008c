"""Operations of standard TensorFlow, and which of their attributes are functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("tensorflow_ops.txt")


@cache
def known_operations() -> Mapping[str, tuple[str, ...]]:
    """Operation -> names of its attributes that hold a function or a list of functions.

    The list is package data; its header contains the TensorFlow version it was generated from.
    """
    text = _LIST.read_text(encoding="utf-8")
    operations: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, *functions = line.split(" ")
            operations[name] = tuple(function.rstrip("*") for function in functions)
    return operations
