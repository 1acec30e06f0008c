"""Layers of a config that are one object, as those of an encoder inside of its autoencoder."""

from __future__ import annotations

from modelaudit.facts import Architecture, Json, Layer


def stored_elsewhere(architecture: Architecture) -> frozenset[str]:
    """Routes of layers without weights that are the same object as a layer that has them.

    Keras 3 gives the configs of such layers the same number, loads one object for all of them, and
    stores its weights once, where it meets it first.
    """
    numbers = {layer.route: _number(architecture, layer) for layer in architecture.layers}
    stored = {numbers[layer.route] for layer in architecture.layers if layer.variables} - {None}
    return frozenset(
        layer.route
        for layer in architecture.layers
        if layer.expected and not layer.variables and numbers[layer.route] in stored
    )


def _number(architecture: Architecture, layer: Layer) -> int | None:
    found: Json = dict(architecture.config)
    for part in layer.config_route.split("/"):
        if isinstance(found, list) and part.isdecimal():
            found = found[int(part)] if int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, dict) else None
    number = found.get("shared_object_id") if isinstance(found, dict) else None
    return number if isinstance(number, int) else None
