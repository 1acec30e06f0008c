"""The inputs and the result of a comparison of weights."""

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


class TensorChange(StrEnum):
    """What happened to a tensor, most specific first. `conversions` lists the alterations."""

    SWAPPED = "swapped"  # it and another tensor were swapped
    OTHER = "another-tensor"  # it has the values that belong to another tensor
    ALTERED = "altered"  # its own values, transposed, rotated, cast …
    SCALED = "scaled"  # its own values multiplied by one factor
    PERMUTED = "permuted"  # its own values with rows or columns reordered
    INITIAL = "re-initialised"  # values like those of an initialiser
    RESHAPED = "other-shape"
    VALUES = "other-values"


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor on one side.

    Attributes:
        names: every name by which the other side may know it, the most specific first; the first
            is its display name.
        sha256: digest of the C-order little-endian bytes.
        values: reads the values, or returns None if they are not available.
        sketch: result of `sketch`, for when the values themselves are not available.
        initial: returns whether the values look untrained; None if this is unknown.
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
        """The display name."""
        return self.names[0]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def sketch(values: NDArray[Any]) -> NDArray[np.float64]:
    """Up to `SKETCHED` evenly spaced values in C order; same positions for arrays of one shape."""
    step = max(1, -(-values.size // SKETCHED))
    return values.reshape(-1)[::step].astype(np.float64)


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """One tensor that differs between the two sides.

    Attributes:
        tensor: its name on the expected side; `found` on the other.
        how: for an altered tensor, the alteration (`transposed`, `rotated-180` …).
        other: the expected tensor that the values belong to, if they are swapped or another's.
        factor: for a scaled tensor, found / expected.
        distance: |found - expected| / |expected|, Euclidean, over the sketches; None if the
            values are not available.
    """

    tensor: str
    found: str
    change: TensorChange
    how: str = ""
    other: str = ""
    factor: float | None = None
    distance: float | None = None

    def __str__(self) -> str:
        """`conv/kernel: transposed`, as text for users."""
        match self.change:
            case TensorChange.SWAPPED:
                said = f"swapped with {self.other}"
            case TensorChange.OTHER:
                said = f"has the values of {self.other}"
            case TensorChange.ALTERED:
                said = self.how.replace("-", " ")
            case TensorChange.SCALED:
                said = f"scaled by {self.factor:.6g}"
            case TensorChange.PERMUTED:
                said = f"{self.how} reordered"
            case TensorChange.INITIAL:
                said = "at initial values"
            case TensorChange.RESHAPED:
                said = f"different shape ({self.how})"
            case _:
                said = "different values"
                if self.distance is not None:
                    said += f" (relative distance {self.distance:.3g})"
        return f"{self.tensor}: {said}"


@dataclass(frozen=True, slots=True)
class WeightComparison:
    """The result of comparing expected tensors with found ones.

    Attributes:
        compared: number of expected tensors.
        missing: expected tensors that the other side does not have in any form.
        unexpected: tensors that only the found side has.
    """

    compared: int
    identical: int
    differing: tuple[TensorDifference, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both sides have the same tensors, byte for byte."""
        return self.identical == self.compared and not self.unexpected
