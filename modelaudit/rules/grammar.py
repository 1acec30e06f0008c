"""Phrases whose verb agrees with a number, including one."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, one: str, many: str) -> str:
    """`1 layer has` or `3 layers have`."""
    return f"{count:,} {one if count == 1 else many}"


def every(count: int, one: str, many: str) -> str:
    """`The only layer is` or `All 3 layers are`."""
    return f"The only {one}" if count == 1 else f"All {count:,} {many}"


def of_all(count: int, n: int, what: str, one: str, many: str) -> str:
    """`1 of 3 layers is`, `2 of 3 layers are`, or as `every` for all; `what` is `layer`."""
    if count == n:
        return every(count, f"{what} {one}", f"{what}s {many}")
    return f"{count:,} of {n:,} {what}s {one if count == 1 else many}"


def quoted(names: Iterable[str]) -> list[str]:
    """Names of layers, weights or files, as messages show them; one can be a word such as `even`."""
    return [f"`{name}`" for name in names]


def quoted_name(told: str) -> str:
    """What is told of a name, as `name: differs`, with the name as messages show it."""
    name, colon, rest = told.partition(": ")
    return f"`{name}`{colon}{rest}"


def times(count: int) -> str:
    """`once` or `3 times`."""
    return "once" if count == 1 else f"{count:,} times"
