"""What the user's probe data are like."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from modelaudit.audit_types.values import Count, Real

TargetForm: TypeAlias = Literal["classes", "one-hot", "signs", "numbers"]


class TargetSummary(Struct, frozen=True):
    """Form and range of the labels or targets."""

    form: TargetForm
    """classes (whole numbers from 0), one-hot rows, signs (-1 and 1), or numbers."""
    width: Count
    """Values for each input."""
    distinct: Count
    """Number of distinct values."""
    minimum: Real
    """Smallest value."""
    maximum: Real
    """Largest value."""
    low: Real
    """The value that a tenth of the values do not exceed."""
    high: Real
    """The value that a tenth of the values reach or exceed."""
    mean: Real
    """Mean."""
    std: Real
    """Standard deviation."""


class InputColumns(Struct, frozen=True):
    """Columns of the inputs; only `alike` is measured for inputs that are not tables."""

    alike: bool
    """True if all inputs are equal."""
    columns: Count = 0
    """Number of columns."""
    constant: Count = 0
    """Number of columns with one value."""
    telling: tuple[int, ...] = ()
    """Columns that determine the label by themselves: their correlation with it is 1 or -1."""
    largest_spread: Real = 0.0
    """Largest standard deviation of a column."""
    largest_mean: Real = 0.0
    """Largest magnitude of a column's mean."""
