"""Exception tables of Python 3.11 or newer."""

from __future__ import annotations

from msgspec import Struct


class Handler(Struct, frozen=True):
    """An entry of an exception table: where it applies, where it is, and the values it keeps."""

    start: int
    end: int
    target: int
    depth: int
    position: bool


def handlers(table: bytes) -> tuple[Handler, ...] | None:
    """The entries of an exception table, with offsets in bytes."""
    numbers: list[int] = []
    value, more = 0, False
    for byte in table:
        value = value << 6 | byte & 63 if more else byte & 63
        more = bool(byte & 64)
        if not more:
            numbers.append(value)
    if more or len(numbers) % 4:
        return None
    return tuple(
        Handler(2 * start, 2 * (start + size), 2 * target, kept >> 1, bool(kept & 1))
        for start, size, target, kept in zip(*[iter(numbers)] * 4, strict=True)
    )
