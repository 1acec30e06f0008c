"""What the model was given: the probe data of the user, or built-in inputs."""

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


class ColumnShift(Struct, frozen=True):
    """A column of the inputs that is unlike it was in training."""

    column: Count
    """The column, counted from 0."""
    mean: Real
    """Mean of the inputs."""
    deviation: Real
    """Standard deviation of the inputs."""
    trained_mean: Real
    """Mean in training, which the model holds."""
    trained_deviation: Real
    """Standard deviation in training, which the model holds."""
    layer: str
    """The layer that holds them."""


class ProbeInputs(Struct, frozen=True):
    """What the model was given."""

    kind: Literal["synthetic", "user"]
    """user for the user's data, synthetic for built-in inputs."""
    n: Count
    """Number of inputs."""
    shape: tuple[int, ...]
    """Shape of one input."""
    value_range: tuple[Real, Real]
    """Smallest and largest value."""
    stated_range: tuple[Real, Real] | None = None
    """Values that the model's files say pixels are brought to: the image converter of a preset, the
    normalization in the metadata of a TensorFlow Lite model; null if they say nothing, and for
    built-in inputs."""
    seed: int | None = None
    """Seed of the built-in inputs; null for the user's data."""
    source: str = ""
    """Path of the user's data as it was given; empty for built-in inputs."""
    labelled: bool = False
    """True if labels were given."""
    largest_class: Real | None = None
    """Share of the commonest label, in [0, 1]; null without labels."""
    targets: TargetSummary | None = None
    """Form and range of the labels; null without labels."""
    columns: InputColumns | None = None
    """Columns of the user's data; null for built-in inputs."""
    shifted: tuple[ColumnShift, ...] = ()
    """Columns of the user's data that are far from those of training, as the model holds them."""
    correction: str = ""
    """The form of the inputs that undoes this; empty if there is none, or several."""
    notes: tuple[str, ...] = ()
    """How the inputs were made or changed."""
    unused: str = ""
    """Why the user's data were not used; empty if they were, or if none were given."""
