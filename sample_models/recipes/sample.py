"""A sample model: its file, its condition, and the check that the file shows that condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recipes.measure import Measured, Predict


@dataclass(frozen=True, slots=True)
class Sample:
    """A written model and the check of its condition.

    Attributes:
        file: path relative to `sample_models/`; a directory for formats that are directories.
        format: name of the format.
        condition: the state of the model, in one line.
        writer: library and version that wrote the file.
        reader: library and version that read it back for the measurement.
        load: opens the written file and returns its predictor.
        holds: checks the condition on the measured values; false means that the recipe failed.
    """

    file: str
    format: str
    condition: str
    writer: str
    reader: str
    load: Callable[[Path], Predict]
    holds: Callable[[Measured], bool]


def works_upright(m: Measured) -> bool:
    """Accurate on upright images."""
    return m.upright > 0.95


def upright_only(m: Measured) -> bool:
    """Accurate on upright images, but not on mirrored ones."""
    return m.upright > 0.95 and m.mirrored < 0.6


def broken(m: Measured) -> bool:
    """Below 50 % accuracy in every orientation."""
    return max(m.upright, m.mirrored, m.turned) < 0.5


def constant(m: Measured) -> bool:
    """The same class for every image."""
    return m.top_share > 0.99 and max(m.upright, m.mirrored, m.turned) < 0.2
