"""The heads of a network: its last weights, and what is computed from them to the output."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec import Struct

from modelaudit.facts import Json, Layer
from modelaudit.formats.keras.dialects import activation, channels_first
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.rules.grammar import quoted
from modelaudit.rules.model import Facts
from modelaudit.rules.plain_graphs.architecture import joined_architecture, shown_architecture
from modelaudit.structs import PerObject, replace

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
    "logsigmoid": "log_sigmoid",
    "": "linear",
    "identity": "linear",
}
# Names that `plain_activation` leaves as they are.
_PLAIN = frozenset(("linear", "relu", "sigmoid", "softmax", "tanh", "elu", "selu", "gelu"))
POSITIVE = frozenset(("softmax", "sigmoid", "relu", "softplus", "exponential"))
_KEEPS_POSITIVE = frozenset(("relu", "leaky_relu", "elu"))
SOFTMAXES = frozenset(("softmax", "log_softmax"))
LAYERS_OF_ACTIVATIONS = frozenset((*_ACTIVATION_LAYERS, "Activation"))
_WEIGHTS = classes(Trait.CONVOLUTION | Trait.AFFINE | Trait.RECURRENT) | {"Highway", "EinsumDense"}
_RESHAPES = frozenset(("Flatten", "Reshape", "Permute"))
# Layers behind which the last axis is still that of the units.
_KEEPS_UNITS = Trait.SAME_SHAPE | Trait.GLOBAL_POOLING | Trait.UPSAMPLING | Trait.PADDING
_KEEPS_UNITS |= Trait.RESIZING | Trait.LOCAL_POOLING
# Operations that give values as they are, at other places, and those that scale them.
_MOVES = frozenset(
    {
        *("Cast", "Identity", "Squeeze", "ExpandDims", "Reshape", "Transpose"),
        *("GetItem", "Getitem", "StridedSlice", "Mean", "ReduceMean"),
    }
)
_SCALES = frozenset(("TrueDivide", "Truediv", "Divide", "Multiply"))
_MOST = 32  # layers behind the last weights; a head has few


class HeadStep(Struct, frozen=True):
    """One computation behind the last weights.

    Attributes:
        layer: the layer that computes it; the one with the weights for its own activation.
        activation: `softmax`, `sigmoid`, `relu` and so on; empty if it is not an activation.
        axis: the axis of a softmax, from the last one if the rank is known.
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
        joined: other heads, which a layer adds to this one, averages or concatenates with it.
    """

    route: str
    layer: Layer
    units: int | None
    steps: tuple[HeadStep, ...]
    joined: tuple[NetworkHead, ...] = ()

    @property
    def activations(self) -> tuple[HeadStep, ...]:
        """The activations in order, without those that change nothing, such as ReLU of sigmoid."""
        found: list[HeadStep] = []
        for each in self.steps:
            before = found[-1].activation if found else ""
            # MA307 tells of a tanh behind probabilities, which stay between 0 and 1.
            kept = (each.activation in _KEEPS_POSITIVE and before in POSITIVE) or (
                each.activation == "tanh" and before in {"softmax", "sigmoid"}
            )
            if each.activation not in {"", "linear"} and not kept:
                found.append(each)
        return tuple(found)

    @property
    def last(self) -> str:
        """The last activation, `linear` if there is none."""
        return self.activations[-1].activation if self.activations else "linear"

    @property
    def rescaled(self) -> bool:
        """Whether a layer behind the last activation changes the range of its values."""
        index = self.steps.index(self.activations[-1]) if self.activations else 0
        return not all(
            has(each.layer.class_name, Trait.KEEPS_RANGE | Trait.GLOBAL_POOLING)
            or each.activation == "linear"
            for each in self.steps[index + 1 :]
        )

    @property
    def grouped(self) -> bool:
        """Whether it holds several outputs side by side, each with its own activation."""
        return any(head.units != self.units for head in self.joined)

    @property
    def weights(self) -> Layer:
        """The last layer with weights."""
        return self.steps[0].layer

    def code(self, activation: str, units: int | None = None) -> str:
        """Keras code for the last layer with weights, with another activation or number of units."""
        if self.joined:
            names = ", ".join(quoted(head.weights.name for head in (self, *self.joined)))
            if activation == "linear":
                return f"# no activation in {names}"
            return (
                f'keras.layers.Activation("{activation}")  # behind the layer that joins {names}, '
                "which then have none"
            )
        config, name = _inner(self.weights)
        filters = config.get("filters")  # where units is not: the last axis is of no channels
        shape = [str(units or self.units or (filters if type(filters) is int else "units"))]
        if has(name, Trait.CONVOLUTION):
            window = config.get("kernel_size")
            shape.append(str(window) if window and is_sizes(window) else "kernel_size")
        name = name if has(name, Trait.CONVOLUTION) else "Dense"
        shape += window_code(config) if has(name, Trait.CONVOLUTION) else []
        own = json.dumps(self.weights.name, ensure_ascii=False)  # it may have quotes
        return f'keras.layers.{name}({", ".join(shape)}, activation="{activation}", name={own})'


_WINDOW = ("strides", "padding", "output_padding", "data_format", "dilation_rate", "groups")
_WORDS = ("same", "causal", "channels_first")  # that are no defaults


def window_code(config: Mapping[str, Json]) -> list[str]:
    """The arguments of a convolution that decide about the size of its output, as code.

    Those that have their defaults are left out, and what is neither numbers nor a known word.
    """
    given = {key: config.get(key) for key in _WINDOW}
    return [
        f'{key}="{value}"' if value in _WORDS else f"{key}={value}"
        for key, value in given.items()
        if value in _WORDS or (is_sizes(value) and any(each != 1 for each in sequence_of(value)))
    ]


def is_sizes(value: Json) -> bool:
    """Whether it is a whole number or a list of some, as sizes of windows are."""
    return bool(sequence_of(value)) and all(type(each) is int for each in sequence_of(value))


def sequence_of(value: Json) -> list[Json]:
    """The list, or one of the value."""
    return value if isinstance(value, list) else [value]


def saved_graph(facts: Facts) -> LayerGraph:
    """The layers of a model with an architecture, or of its graph (`Need.LAYERS`)."""
    architecture = shown_architecture(facts.artifact)
    assert architecture is not None
    return layer_graph(architecture)


def joined_graph(facts: Facts) -> LayerGraph:
    """The same, as they are joined: of a class that joins parts, those of the graph if there is one."""
    architecture = joined_architecture(facts.artifact)
    assert architecture is not None
    return layer_graph(architecture)


def weighs(layer: Layer) -> bool:
    """Whether it is a dense layer or a convolution."""
    return layer.class_name == "Dense" or has(layer.class_name, Trait.CONVOLUTION)


def behind_weights(graph: LayerGraph, layer: Layer) -> bool:
    """Whether a layer with weights is before a layer."""
    before = map(graph.layer, graph.above([layer.route]) - {layer.route})
    return any(each.variables or weighs(each) for each in before)


def activation_of(layer: Layer) -> str:
    """The activation that a layer applies to its result, `linear` if none."""
    if layer.class_name in _ACTIVATION_LAYERS:
        return _of_layer(layer.class_name, layer.config)
    said = _inner(layer)[0].get("activation")
    if said is None:
        return "linear"
    if isinstance(said, str) and said in _PLAIN:  # of nearly all layers
        return said
    name, held = activation(said) or "linear", said.get("config") if isinstance(said, dict) else {}
    if name in _ACTIVATION_LAYERS and isinstance(held, dict):
        return _of_layer(name, held)
    return plain_activation(name)


def _of_layer(name: str, config: Mapping[str, Json]) -> str:
    """What a layer that is an activation computes; the slope below 0 can be that above it."""
    slope = config.get("negative_slope", config.get("alpha") if name == "LeakyReLU" else None)
    if slope == 1 and not config.get("max_value") and not config.get("threshold"):
        return "linear"
    return "leaky_relu" if config.get("negative_slope") else _ACTIVATION_LAYERS[name]


def _heads(graph: LayerGraph) -> tuple[NetworkHead, ...]:
    heads = (_head(graph, route) for route in graph.outputs)
    return tuple(head for head in heads if head is not None)


output_heads = PerObject(_heads)
"""The head of each output; none for an output that a layer of unknown effect computes."""


def _head(graph: LayerGraph, route: str, *, alone: bool = False) -> NetworkHead | None:
    behind: list[HeadStep] = []
    layer, reshaped = graph.get(route), None
    for _ in range(_MOST):
        if layer is None or layer.custom:
            return None
        config, name = _inner(layer)
        if name in _WEIGHTS:
            units = None if channels_first(config) else _size(config)
            if reshaped is not None:
                units = reshaped.output_shape[-1] if reshaped.output_shape else None
            own = HeadStep(layer, plain_activation(activation(config.get("activation")) or ""))
            return NetworkHead(route, layer, units, (own, *reversed(behind)))
        calls = graph.calls[layer.route]
        operation = operation_name(layer)
        if operation in _MOVES and len(calls) == 1 and len(calls[0]) == 1:
            layer = replace(layer, class_name="Reshape")
            name = layer.class_name
        elif layer.class_name == "TimeDistributed" and has(name, Trait.MODEL):
            layer = graph.last_inside(layer.route)
            continue
        if name in _RESHAPES:
            reshaped = reshaped or layer
        if len(calls) == 1 and 1 < len(calls[0]) <= _MOST and not alone:
            merged = _merged(graph, layer, calls[0])
            if merged is None or reshaped is not None:
                return None
            return replace(merged, route=route, steps=(*merged.steps, *reversed(behind)))
        step = _step(layer, name, config)
        if step is None:
            return None
        behind.append(step)
        layer = graph.get(calls[0][0]) if len(calls) == 1 and len(calls[0]) == 1 else None
    return None


def _merged(graph: LayerGraph, layer: Layer, sources: tuple[str, ...]) -> NetworkHead | None:
    """The head of several that are added, averaged or joined, if all end in the same activation.

    Sums of anything but scores are something else.
    """
    found = [_head(graph, source, alone=True) for source in sources]
    heads = [head for head in found if head is not None]
    last = {head.last for head in heads}
    adds = layer.class_name == "Add" and last == {"linear"}
    if (
        len(heads) < len(found)
        or len(last) > 1
        or not (adds or has(layer.class_name, Trait.BETWEEN_INPUTS))
    ):
        return None
    return replace(
        heads[0],
        units=layer.output_shape[-1] if layer.output_shape else None,
        joined=tuple(heads[1:]),
    )


def _inner(layer: Layer) -> tuple[Mapping[str, Json], str]:
    """Config and class; of the layer that is applied to each step for a TimeDistributed."""
    inner = layer.config.get("layer")
    if layer.class_name != "TimeDistributed" or not isinstance(inner, dict):
        return layer.config, layer.class_name
    config = inner.get("config")
    return config if isinstance(config, dict) else {}, str(inner.get("class_name"))


def _step(layer: Layer, name: str, config: Mapping[str, Json]) -> HeadStep | None:
    """A step that keeps the values of a position together; None for any other layer."""
    if name == "Activation":
        return HeadStep(layer, plain_activation(activation(config.get("activation")) or "?"))
    if name in _ACTIVATION_LAYERS:
        return HeadStep(layer, _of_layer(name, config), softmax_axis(layer))
    if has(name, _KEEPS_UNITS) or name in _RESHAPES or operation_name(layer) in _SCALES:
        return HeadStep(layer)
    return None


def softmax_axis(layer: Layer) -> int:
    """The axis of a softmax, counted from the last one where the rank is known."""
    axis, shape = layer.config.get("axis", -1), layer.output_shape
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int):
        return -1
    return axis - len(shape) if axis > 0 and shape else axis


def plain_activation(name: str) -> str:
    """The name of an activation as in `keras.activations`; those alike have one name."""
    plain = name.lower()
    return _NAMES.get(plain.replace("_", ""), plain)


def _size(config: Mapping[str, Json]) -> int | None:
    keys = ("units", "filters", "output_dim", "output_shape")  # the last of EinsumDense
    size = next((config[key] for key in keys if key in config), None)
    size = size[-1] if isinstance(size, list) and size else size
    return size if isinstance(size, int) and not isinstance(size, bool) else None
