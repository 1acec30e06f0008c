"""The saved layers as a flat graph, and propagation of values through it.

A nested model is replaced by its layers: its inputs become the inputs of its inner layers, and
consumers of its outputs take the outputs of its inner layers. So is a Dense layer for each step,
but the layers of a model for each step begin at inputs of their own, which lack the axis of steps.
Operations such as `tf.nn.softmax` are the activation layers that compute the same.
A shared layer or model has several calls; values of its calls are joined, so that a value belongs
to a layer, not to a call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from msgspec import Struct

from modelaudit.facts import Architecture, Json, Layer
from modelaudit.graphs import reachable
from modelaudit.measures.architecture.activation_operations import as_activation
from modelaudit.structs import replace

V = TypeVar("V")
Calls = tuple[tuple[str, ...], ...]
_MAX_CALLS = 64  # further calls of a shared layer are ignored


class LayerGraph(Struct, frozen=True, dict=True):
    """Layers (without models) in execution order, and the inputs of each of their calls.

    `calls` has one tuple of input routes per call, and none for a network input. `outputs` are
    the routes of the layers that compute the model's outputs.
    """

    layers: tuple[Layer, ...]
    calls: Mapping[str, Calls]
    outputs: tuple[str, ...]

    @cached_property
    def _by_route(self) -> Mapping[str, Layer]:
        return {layer.route: layer for layer in self.layers}

    def layer(self, route: str) -> Layer:
        """The layer at `route`.

        Raises:
            KeyError: no such layer.
        """
        return self._by_route[route]

    def get(self, route: str) -> Layer | None:
        """The layer at `route`, or None."""
        return self._by_route.get(route)

    @cached_property
    def _places(self) -> list[tuple[str, int]]:
        return sorted((layer.route, place) for place, layer in enumerate(self.layers))

    def last_inside(self, route: str) -> Layer | None:
        """The last layer of a model that is applied to each step."""
        start, end = (bisect_left(self._places, (route + mark, -1)) for mark in "/0")
        places = [place for _, place in self._places[start:end]]
        return self.layers[max(places)] if places else None

    @cached_property
    def _consumers(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = defaultdict(list)
        for layer in self.layers:
            for source in dict.fromkeys(s for call in self.calls[layer.route] for s in call):
                found[source].append(layer.route)
        return {route: tuple(takers) for route, takers in found.items()}

    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """Route -> routes of the layers that use its output, in execution order."""
        return self._consumers

    def only_takers(self, route: str, passes: Callable[[Layer], bool]) -> Iterator[Layer]:
        """The layer that alone takes this one's output, the one that alone takes its output, ...

        Ends with the first layer that does not pass, or before an output with no taker or several.
        Calls of a shared layer are joined, so layers can seem to be in a ring: each is given once.
        """
        seen: set[str] = set()
        while len(after := self._consumers.get(route, ())) == 1 and after[0] not in seen:
            (route,) = after
            seen.add(route)
            yield self.layer(route)
            if not passes(self.layer(route)):
                return

    def only_sources(self, route: str, passes: Callable[[Layer], bool]) -> Iterator[Layer]:
        """The layer that alone gives this one's input, the one that alone gives its input, ...

        Ends with the first layer that does not pass, or that has several calls or inputs.
        """
        seen = {route}
        while len(calls := self.calls.get(route, ())) == 1 and len(calls[0]) == 1:
            route = calls[0][0]
            before = self.get(route)
            if before is None or route in seen:
                return
            seen.add(route)
            yield before
            if not passes(before):
                return

    def above(self, routes: Iterable[str], *, around: Container[str] = ()) -> set[str]:
        """These layers and all that their outputs depend on, by ways that do not pass `around`."""

        def sources(route: str) -> Iterator[str]:
            taken = (source for call in self.calls.get(route, ()) for source in call)
            return (source for source in taken if source not in around)

        return set(reachable(routes, sources))

    def propagate(
        self,
        step: Callable[[Layer, Sequence[V | None]], V | None],
        join: Callable[[V, V], V | None],
    ) -> dict[str, V]:
        """Propagate values from inputs to outputs.

        `step` computes a layer's value from those of one call (empty for an input, None for inputs
        without a value); `join` merges the values of several calls. Layers without a value are
        absent from the result.
        """
        values: dict[str, V] = {}
        for layer in self.layers:
            joined: V | None = None
            for index, call in enumerate(self.calls[layer.route] or ((),)):
                value = step(layer, [values.get(source) for source in call])
                if index == 0:
                    joined = value
                elif joined is not None:
                    joined = None if value is None else join(joined, value)
            if joined is not None:
                values[layer.route] = joined
        return values


_latest: list[tuple[Architecture, LayerGraph]] = []


def layer_graph(architecture: Architecture) -> LayerGraph:
    """Flatten nested models into one graph.

    The graph of the last architecture is kept, because every rule about layers asks for it.
    """
    if not _latest or _latest[0][0] is not architecture:
        _latest[:] = [(architecture, _flattened(architecture))]
    return _latest[0][1]


def _flattened(architecture: Architecture) -> LayerGraph:
    models = {layer.route: layer for layer in architecture.layers if layer.is_model}
    children: dict[str, list[Layer]] = defaultdict(list)
    around = {x.route: x for x in architecture.layers if x.class_name == "TimeDistributed"}
    steps = _each_step(architecture, around)
    inside = {layer.route: layer for layer in steps.values()}
    parents = {layer.route: enclosing_model(layer.route, models) for layer in architecture.layers}
    for layer in architecture.layers:
        children[parents[layer.route]].append(layer)
    outputs: dict[str, tuple[str, ...]] = {}

    def leaves(routes: Sequence[str]) -> tuple[str, ...]:
        inner = {route: (layer.route,) for route, layer in steps.items()} | outputs
        return tuple(leaf for r in routes for leaf in inner.get(r, () if r in models else (r,)))

    for route in reversed(models):  # inner models are listed after the model around them
        outputs[route] = leaves(_output_routes(models[route], children[route]))
    inbound: dict[str, Calls] = {}
    for layer in architecture.layers:
        own = tuple(call for call in layer.inbound if call)
        parent = parents[layer.route]
        if not own and parent and parent.rpartition("/")[0] not in around:
            siblings = children[parent]
            names = _names(models[parent].config.get("input_layers"))
            if not names:
                names = [sibling.name for sibling in siblings if sibling.class_name == "InputLayer"]
            place = names.index(layer.name) if layer.name in names else None
            own = tuple(_picked(call, place) for call in inbound.get(parent, ()))
        inbound[layer.route] = own[:_MAX_CALLS]
    layers = tuple(
        as_activation(inside.get(layer.route, layer))
        for layer in architecture.layers
        if not layer.is_model and layer.route not in steps
    )
    return LayerGraph(
        layers=layers,
        calls={x.route: tuple(leaves(call) for call in inbound[x.route]) for x in layers},
        outputs=tuple(r for r in _ends(architecture, leaves) if r in parents),
    )


def _ends(
    architecture: Architecture, leaves: Callable[[Sequence[str]], tuple[str, ...]]
) -> Iterator[str]:
    """The layers behind the outputs; of an inner model with several, the one that is meant."""
    config = architecture.config.get("config")
    entries = config.get("output_layers") if isinstance(config, dict) else None
    entries = [*entries.values()] if isinstance(entries, dict) else entries
    if not isinstance(entries, list) or len(entries) != len(architecture.outputs):
        entries = [None] * len(architecture.outputs)
    for route, entry in zip(architecture.outputs, entries, strict=True):
        found = leaves((route,))
        place = entry[2] if isinstance(entry, list) and len(entry) > 2 else None
        if isinstance(place, int) and len(found) > 1 and 0 <= place < len(found):
            found = found[place : place + 1]
        yield from found


def _each_step(architecture: Architecture, around: Mapping[str, Layer]) -> dict[str, Layer]:
    """TimeDistributed -> the Dense layer in it, which computes the same of a whole sequence."""
    found = {}
    for layer in architecture.layers if around else ():
        outer = around.get(layer.route.rpartition("/")[0])
        if outer is not None and layer.class_name == "Dense" and not layer.custom:
            found[outer.route] = replace(
                layer,
                output_shape=outer.output_shape,
                input_shapes=outer.input_shapes,
                trainable=outer.trainable and layer.trainable,
            )
    return found


def enclosing_model(route: str, models: Container[str]) -> str:
    """Route of the innermost model that contains a layer, "" for top-level layers."""
    outer = route.rpartition("/")[0]
    while outer and outer not in models:
        outer = outer.rpartition("/")[0]
    return outer


def _picked(call: tuple[str, ...], place: int | None) -> tuple[str, ...]:
    """The call's input for an inner input; all inputs if its position is unknown."""
    return call if place is None or place >= len(call) else (call[place],)


def _output_routes(model: Layer, inner: Sequence[Layer]) -> tuple[str, ...]:
    """Layers that compute a model's outputs: those in its config, or else its last layer."""
    routes = {layer.name: layer.route for layer in inner}
    names = _names(model.config.get("output_layers"))
    chosen = tuple(routes[name] for name in names if name in routes)
    return chosen or tuple(layer.route for layer in inner[-1:])


def _names(entries: Json) -> list[str]:
    """Layer names in `input_layers` or `output_layers`: [name, node, tensor], a list or a dict."""
    if isinstance(entries, dict):
        return _names([*entries.values()])
    if not isinstance(entries, list):
        return []
    if entries and isinstance(entries[0], str):
        return [entries[0]]
    return [e[0] for e in entries if isinstance(e, list) and e and isinstance(e[0], str)]
