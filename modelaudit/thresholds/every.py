"""All thresholds by name, for the docs and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from modelaudit.thresholds import (
    answers,
    augmentation,
    bases,
    columns,
    design,
    flips,
    last_layers,
    optimizers,
    outputs,
    restoration,
    security,
    small_layers,
    texts,
    training,
    weights,
)
from modelaudit.thresholds.threshold import Threshold

MODULES: tuple[ModuleType, ...] = (
    *(answers, columns, outputs, flips, augmentation, weights),
    *(restoration, design, training, small_layers, optimizers, last_layers),
    *(security, texts, bases),
)
THRESHOLDS: Mapping[str, Threshold[int] | Threshold[float]] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Threshold)
}
"""`flips.SENSITIVE` and so on, in the order of their modules."""
