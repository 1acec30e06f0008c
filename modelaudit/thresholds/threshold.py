"""What a threshold is made of."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

Number = TypeVar("Number", int, float)


class Threshold(Struct, Generic[Number], frozen=True):
    """A value that a decision depends on.

    Attributes:
        value: the number itself.
        unit: its unit, as text to place after the number.
        meaning: what is decided by it, in one phrase.
        source: how the value was chosen: what was measured, or where it was published.
    """

    value: Number
    unit: str
    meaning: str
    source: str
