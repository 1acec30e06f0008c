"""The heads of a network: its last weights, and what is computed from them to the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Json, Layer
from modelaudit.formats.keras.dialects import activation, channels_first
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph

# Layers that are activations, and the activation that each computes.
_ACTIVATION_LAYERS = {
    "Softmax": "softmax",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "leaky_relu",
    "ELU": "elu",
    "ThresholdedReLU": "relu",
}
# Other names of activations, in lower case without underscores.
_NAMES = {
    "softmaxv2": "softmax",
    "relu6": "relu",
    "leakyrelu": "leaky_relu",
    "hardsigmoid": "sigmoid",
    "logsoftmax": "log_softmax",
    "": "linear",
    "identity": "linear",
}
_WEIGHTS = frozenset(("Dense", "Highway", "EinsumDense"))
_MOST = 32  # layers behind the last weights; a head has few


class HeadStep(Struct, frozen=True):
    """One computation behind the last weights.

    Attributes:
        layer: the layer that computes it; the one with the weights for its own activation.
        activation: `softmax`, `sigmoid`, `relu` and so on; empty if it is not an activation.
        axis: the axis of a softmax.
    """

    layer: Layer
    activation: str = ""
    axis: int = -1


class NetworkHead(Struct, frozen=True):
    """What computes one output.

    Attributes:
        route: the layer that gives the output.
        units: size of the output's last axis; None if it is not known.
        steps: everything behind the last weights, in order.
    """

    route: str
    layer: Layer
    units: int | None
    steps: tuple[HeadStep, ...]

    @property
    def activations(self) -> tuple[HeadStep, ...]:
        """The activations in order, without linear ones."""
        return tuple(each for each in self.steps if each.activation not in {"", "linear"})

    @property
    def last(self) -> str:
        """The last activation, `linear` if there is none."""
        return self.activations[-1].activation if self.activations else "linear"


def output_heads(graph: LayerGraph) -> Iterator[NetworkHead]:
    """The head of each output; none for an output that a layer of unknown effect computes."""
    for route in graph.outputs:
        head = _head(graph, route)
        if head is not None:
            yield head


def _head(graph: LayerGraph, route: str) -> NetworkHead | None:
    behind: list[HeadStep] = []
    layer = graph.get(route)
    for _ in range(_MOST):
        if layer is None or layer.custom:
            return None
        config, name = _inner(layer)
        if name in _WEIGHTS or has(name, Trait.CONVOLUTION):
            units = None if channels_first(config) else _size(config)
            own = HeadStep(layer, _plain(activation(config.get("activation")) or ""))
            return NetworkHead(route, layer, units, (own, *reversed(behind)))
        step = _step(layer, name, config)
        if step is None:
            return None
        behind.append(step)
        calls = graph.calls[layer.route]
        layer = graph.get(calls[0][0]) if len(calls) == 1 and len(calls[0]) == 1 else None
    return None


def _inner(layer: Layer) -> tuple[Mapping[str, Json], str]:
    """Config and class; of the layer that is applied to each step for a TimeDistributed."""
    inner = layer.config.get("layer")
    if layer.class_name != "TimeDistributed" or not isinstance(inner, dict):
        return layer.config, layer.class_name
    config = inner.get("config")
    return config if isinstance(config, dict) else {}, str(inner.get("class_name"))


def _step(layer: Layer, name: str, config: Mapping[str, Json]) -> HeadStep | None:
    """A step that keeps the last axis; None for any other layer."""
    if name == "Activation":
        return HeadStep(layer, _plain(activation(config.get("activation")) or "?"))
    if name in _ACTIVATION_LAYERS:
        axis = config.get("axis", -1)
        return HeadStep(layer, _ACTIVATION_LAYERS[name], axis if isinstance(axis, int) else -1)
    if has(name, Trait.SAME_SHAPE | Trait.GLOBAL_POOLING):
        return HeadStep(layer)
    return None


def _plain(name: str) -> str:
    plain = name.lower()
    return _NAMES.get(plain.replace("_", ""), plain)


def _size(config: Mapping[str, Json]) -> int | None:
    size = next((config[key] for key in ("units", "filters", "output_dim") if key in config), None)
    return size if isinstance(size, int) and not isinstance(size, bool) else None
