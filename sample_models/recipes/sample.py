"""One sample model: its file, its story, and the proof that the story is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recipes.measure import Measured, Predict


@dataclass(frozen=True, slots=True)
class Sample:
    """What is written and what must then hold.

    Attributes:
        file: path relative to `sample_models/`; a directory where the format is one.
        format: the format in words.
        condition: the model's state, in one line.
        writer: what wrote it.
        reader: what it was read back with to be measured.
        load: opens the written file and returns its predictor.
        holds: the condition in numbers; false means that the recipe failed.
    """

    file: str
    format: str
    condition: str
    writer: str
    reader: str
    load: Callable[[Path], Predict]
    holds: Callable[[Measured], bool]


def works_upright(m: Measured) -> bool:
    """Good at what it was made for."""
    return m.upright > 0.95


def upright_only(m: Measured) -> bool:
    """Good at upright images, lost on mirrored ones."""
    return m.upright > 0.95 and m.mirrored < 0.6


def broken(m: Measured) -> bool:
    """Hardly better than guessing in every orientation."""
    return max(m.upright, m.mirrored, m.turned) < 0.5


def constant(m: Measured) -> bool:
    """One answer to everything."""
    return m.top_share > 0.99 and max(m.upright, m.mirrored, m.turned) < 0.2
