"""Gradual changes of series and of tables, and the layouts of all inputs that can be changed."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.augmentation.image_changes import (
    IMAGE_CHANGES,
    GradualChange,
    Images,
    Span,
    shifted,
    zoomed,
)

Array = NDArray[Any]
MOST_COLUMNS = 16  # of a table
COLUMN = 0.1  # factor by which a column is changed
COLOUR = 3


class ChangeableInputs(Struct, frozen=True):
    """How an input array is read as images, and which changes make sense for it.

    Attributes:
        axes: axes of the array in the order (sample, height, width, channels); None adds an axis.
        changes: in the order of their importance.
    """

    axes: tuple[int | None, ...]
    changes: tuple[GradualChange, ...]

    def images(self, x: Array) -> Images:
        """The array as (n, height, width, channels), float32."""
        known = [axis for axis in self.axes if axis is not None]
        moved = x.transpose(known).astype(np.float32)
        for place, axis in enumerate(self.axes):
            if axis is None:
                moved = np.expand_dims(moved, place)
        return np.ascontiguousarray(moved)

    def restored(self, images: Images, like: Array, span: Span) -> Array:
        """Changed images in the layout and dtype of `like`, clipped to `span`."""
        added = tuple(place for place, axis in enumerate(self.axes) if axis is None)
        known = [axis for axis in self.axes if axis is not None]
        moved = np.clip(images, *span).squeeze(added).transpose(np.argsort(known))
        if like.dtype.kind in "iu":
            moved = np.rint(moved)
        return np.ascontiguousarray(moved, dtype=like.dtype)


def changeable(x: Array, *, kind: str, first_axis: int) -> ChangeableInputs | None:
    """How to change inputs (n, ...); None for those that have no gradual changes.

    Args:
        kind: image, series, audio or table; others have none.
        first_axis: the first spatial axis; 2 for images with their channels first.
    """
    if x.dtype.kind not in "fiu" or not x.size:
        return None
    if kind == "image" and x.ndim in {3, 4}:
        axes: tuple[int | None, ...] = (0, 1, 2, 3 if x.ndim == 4 else None)
        if x.ndim == 4 and first_axis == 2:
            axes = (0, 2, 3, 1)
        last = axes[3]
        colours = last is not None and x.shape[last] == COLOUR
        changes = tuple(each for each in IMAGE_CHANGES if colours or each.name != "hue")
        return ChangeableInputs(axes, changes)
    if kind in {"series", "audio"} and x.ndim == 3:
        return ChangeableInputs((0, 1, None, 2), SERIES_CHANGES)
    if kind == "table" and x.ndim == 2 and x.dtype.kind == "f":
        return ChangeableInputs((0, None, None, 1), column_changes(x))
    return None


SERIES_CHANGES = (
    GradualChange(
        "shift",
        "of the length",
        (0.02, 0.05, 0.1),
        0.05,
        lambda x, s, *_: shifted(x, round(s * x.shape[1]) or 1, 0),
        spatial=True,
    ),
    GradualChange(
        "stretch", "", (0.05, 0.1, 0.2), 0.1, lambda x, s, *_: zoomed(x, s), spatial=True
    ),
    GradualChange("amplitude", "", (0.1, 0.2, 0.4), 0.2, lambda x, s, *_: _scaled(x, s)),
)


def column_changes(x: Array) -> tuple[GradualChange, ...]:
    """The scale of single columns of a table (n, columns), at most `MOST_COLUMNS` that vary."""
    varied = np.flatnonzero(x.std(axis=0) > 0)
    if len(varied) > MOST_COLUMNS:
        varied = varied[np.linspace(0, len(varied) - 1, MOST_COLUMNS).round().astype(int)]
    return tuple(
        GradualChange(
            f"column {column}", "", (COLUMN,), COLUMN, partial(_scaled_column, column=column)
        )
        for column in varied.tolist()
    )


def _scaled(x: Images, share: float) -> Images:
    """Values times 1 + `share`, or, of every other input, times 1 - `share`."""
    factors = np.where(np.arange(len(x)) % 2, 1 - share, 1 + share)
    return x * factors.astype(np.float32)[:, None, None, None]


def _scaled_column(
    x: Images, share: float, _span: Span, _rng: np.random.Generator, *, column: int
) -> Images:
    out = x.copy()
    out[..., column] = _scaled(x[..., column : column + 1], share)[..., 0]
    return out
