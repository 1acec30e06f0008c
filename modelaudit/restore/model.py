"""Two sides of a comparison of weights, and what it found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelaudit.facts import TensorStats

if TYPE_CHECKING:
    Values = Callable[[], NDArray[Any] | None]

SKETCHED = 256


class Change(StrEnum):
    """What happened to a tensor, most specific first. Views of one tensor are in `alterations`."""

    SWAPPED = "swapped"  # it and another tensor changed places
    OTHER = "another-tensor"  # it holds the values that belong to another
    ALTERED = "altered"  # its own values, transposed, rotated, cast …
    SCALED = "scaled"  # its own values times one factor
    PERMUTED = "permuted"  # its own values, rows or columns in another order
    INITIAL = "re-initialised"  # values as an initialiser makes them
    RESHAPED = "other-shape"
    VALUES = "other-values"


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor on one side.

    Attributes:
        names: every name by which the other side may know it, the most telling first; the first
            is how it is called.
        sha256: over the C-order little-endian bytes.
        values: reads the numbers, or gives None where they cannot be had.
        sketch: what `sketch` keeps of the values, where they themselves are not at hand.
        initial: tells whether it looks as it was created; None where that cannot be told.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    stats: TensorStats | None = None
    values: Values | None = field(default=None, compare=False, repr=False)
    sketch: NDArray[Any] | None = field(default=None, compare=False, repr=False)
    initial: Callable[[], bool] | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.names[0]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def sketch(values: NDArray[Any]) -> NDArray[np.float64]:
    """Up to `SKETCHED` values at even distances of the C order, alike for every array so shaped."""
    step = max(1, -(-values.size // SKETCHED))
    return values.reshape(-1)[::step].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Difference:
    """One tensor whose two sides differ.

    Attributes:
        tensor: its name on the expected side; `found` on the other.
        how: of an altered tensor, which alteration (`transposed`, `rotated-180` …).
        other: of a swapped or borrowed one, the expected name that the values belong to.
        factor: of a scaled one, found / expected.
        distance: |found - expected| / |expected|, Euclidean, over the sketches; None where the
            values are not at hand.
    """

    tensor: str
    found: str
    change: Change
    how: str = ""
    other: str = ""
    factor: float | None = None
    distance: float | None = None

    def __str__(self) -> str:
        """`conv/kernel: transposed`, for people."""
        match self.change:
            case Change.SWAPPED:
                said = f"swapped with {self.other}"
            case Change.OTHER:
                said = f"holds the values of {self.other}"
            case Change.ALTERED:
                said = self.how.replace("-", " ")
            case Change.SCALED:
                said = f"scaled by {self.factor:.6g}"
            case Change.PERMUTED:
                said = f"{self.how} in another order"
            case Change.INITIAL:
                said = "at initial values"
            case Change.RESHAPED:
                said = f"of another shape ({self.how})"
            case _:
                said = "other values"
                if self.distance is not None:
                    said += f" (relative distance {self.distance:.3g})"
        return f"{self.tensor}: {said}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Expected tensors against found ones.

    Attributes:
        compared: number of expected tensors.
        missing: expected tensors that the other side does not have in any form.
        unexpected: tensors that only the found side has.
    """

    compared: int
    identical: int
    differing: tuple[Difference, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Every tensor is there on both sides, byte for byte."""
        return self.identical == self.compared and not self.unexpected
