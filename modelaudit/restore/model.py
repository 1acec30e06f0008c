"""The inputs and the result of a comparison of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelaudit.audit_types.restore import TensorDifference
from modelaudit.facts import TensorStats
from modelaudit.structs import PartlyCompared

if TYPE_CHECKING:
    Values = Callable[[], NDArray[Any] | None]

SKETCHED = 256


class Weight(PartlyCompared, frozen=True, eq=False):
    """A tensor on one side.

    Attributes:
        names: every name by which the other side may know it, the most specific first; the first
            is its display name.
        sha256: digest of the C-order little-endian bytes.
        values: reads the values, or returns None if they are not available.
        sketch: result of `sketch`, for when the values themselves are not available.
        initial: returns whether the values look untrained; None if this is unknown.
    """

    aside = ("values", "sketch", "initial")
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    stats: TensorStats | None = None
    values: Values | None = None
    sketch: NDArray[Any] | None = None
    initial: Callable[[], bool] | None = None

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


class WeightComparison(Struct, frozen=True):
    """The result of comparing expected tensors with found ones.

    Attributes:
        compared: number of expected tensors.
        missing: expected tensors that the other side does not have in any form.
        unexpected: tensors that only the found side has.
        forms: how many of the identical ones have which form, in an export.
        refolded: layers into which an export folds batch normalization with other numbers.
    """

    compared: int
    identical: int
    differing: tuple[TensorDifference, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    forms: Mapping[str, int] = field(default_factory=dict)
    refolded: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both sides have the same tensors, byte for byte."""
        return self.identical == self.compared and not self.unexpected
