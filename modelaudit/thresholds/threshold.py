"""What a threshold is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Threshold(Generic[Number]):
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
