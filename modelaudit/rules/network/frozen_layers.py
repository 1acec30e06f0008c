"""Layers that training does not change."""

from __future__ import annotations

from collections.abc import Iterable

from modelaudit.facts import Layer


def all_frozen(layers: Iterable[Layer]) -> bool:
    """Whether there are layers with weights, and all are frozen.

    A part of a frozen layer, such as one direction of a `Bidirectional`, may not be marked itself.
    """
    listed = [*layers]
    frozen = tuple(f"{layer.route}/" for layer in listed if not layer.trainable)
    weighing = [layer for layer in listed if layer.variables or layer.expected]
    return bool(weighing) and all(f"{layer.route}/".startswith(frozen) for layer in weighing)
