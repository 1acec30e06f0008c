"""The layers that read an input, the nearest ones first."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from modelaudit.facts import Architecture, Layer
from modelaudit.structs import PerObject

READERS = 12  # layers behind an input that are looked at


class _Ways:
    """Where the layers of an architecture are and which of them take what, looked up once."""

    def __init__(self, architecture: Architecture) -> None:
        layers = architecture.layers
        self.by_route = {layer.route: layer for layer in layers}
        self.takers: dict[str, list[str]] = {}
        self.inputs: dict[str, list[str]] = {}
        for layer in layers:
            for source in dict.fromkeys(route for call in layer.inbound for route in call):
                self.takers.setdefault(source, []).append(layer.route)
        for route in architecture.inputs:
            self.inputs.setdefault(route.rpartition("/")[2], []).append(route)
        self._places = {route: place for place, route in enumerate(self.by_route)}
        self._sorted = sorted(self.by_route)
        self._inside: dict[str, list[Layer]] = {}

    def inside(self, route: str) -> list[Layer]:
        """The layers in a model or wrapper, in their order."""
        if route not in self._inside:
            start, end = (bisect_left(self._sorted, route + mark) for mark in "/0")
            routes = sorted(self._sorted[start:end], key=self._places.__getitem__)
            self._inside[route] = [self.by_route[each] for each in routes]
        return self._inside[route]


_ways = PerObject(_Ways)


def layers_inside(architecture: Architecture, route: str) -> Sequence[Layer]:
    """The layers in a model or wrapper, in their order."""
    return _ways(architecture).inside(route)


def readers_of(architecture: Architecture, name: str) -> Iterator[Layer]:
    """The layers behind an input, the nearest ones first."""
    ways = _ways(architecture)
    queue = [*ways.inputs.get(name, ())]
    if not queue and len(architecture.inputs) == 1:
        queue = list(architecture.inputs)
    if not queue and architecture.layers:  # a Sequential model without an input layer
        queue = [architecture.layers[0].route] if not architecture.inputs else []
    seen: set[str] = set()
    while queue and len(seen) < READERS:
        route = queue.pop(0)
        if route in seen or route not in ways.by_route:
            continue
        seen.add(route)
        layer = ways.by_route[route]
        yield layer
        if layer.is_model:
            queue += [each.route for each in ways.inside(route)[:1]]
        queue += ways.takers.get(route, [])[:READERS]
