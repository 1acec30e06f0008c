"""The layers of a model: those of its file, or of a preset as KerasHub has built it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from modelaudit.facts import Artifact, Format, Layer, Shape
from modelaudit.probe.protocol import Observation


def restored_layers(
    artifact: Artifact, seen: Observation
) -> tuple[tuple[Layer, ...], Mapping[str, str]]:
    """The layers, and the routes of those whose names in the file are not their routes.

    The weights of a preset have the names of their layers, which are inside the backbone where the
    model is a task. Layers in one place alone are named so.
    """
    if artifact.architecture is not None:
        return artifact.architecture.layers, {}
    if artifact.format is not Format.KERASHUB_PRESET:
        return (), {}
    count = Counter(route.rpartition("/")[2] for route in seen.layers)
    outer = {route.rpartition("/")[0] for route in seen.layers}
    layers, routes = [], {}
    for route, class_name in seen.layers.items():
        if route in outer:
            continue
        name = route.rpartition("/")[2]
        known = name if count[name] == 1 else route
        routes[known] = route
        told = seen.details.get(route, {})
        config, sizes = told.get("config"), told.get("shape")
        shape: Shape | None = None
        if isinstance(sizes, list):
            shape = tuple(size if isinstance(size, int) else None for size in sizes)
        config = config if isinstance(config, dict) else {}
        layers.append(Layer(known, name, class_name, config=config, output_shape=shape))
    return tuple(layers), routes
