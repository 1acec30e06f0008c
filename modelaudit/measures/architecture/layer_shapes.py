"""Shapes of the inputs of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import Layer, Shape
from modelaudit.layer_classes import Trait, has, spatial_rank
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.structs import PerObject

_WINDOWED = Trait.CONVOLUTION | Trait.LOCAL_POOLING | Trait.PADDING | Trait.UPSAMPLING
_KEEP_ORDER = Trait.SAME_SHAPE | Trait.MERGE
_FEATURES_LAST = Trait.SEQUENCE | Trait.FEATURE_WEIGHTS | Trait.ATTENTION
_MOST_BEFORE = (
    16  # layers that are looked at; between a layer with features and its normalization are few
)


def input_shape(layer: Layer) -> Shape | None:
    """Input shape of the network at a layer without inbound layers (an InputLayer or not)."""
    if layer.class_name == "InputLayer":
        return layer.output_shape
    if layer.input_shapes:
        return layer.input_shapes[0]
    said = layer.config.get("batch_input_shape")  # in the first layer of an early Sequential model
    if not isinstance(said, list):
        return None
    return tuple(size if type(size) is int else None for size in said)


def channels_first(layer: Layer) -> bool:
    """Whether the config puts channels before the spatial axes (`th` in Keras 1)."""
    config = layer.config
    return config.get("data_format", config.get("dim_ordering")) in ("channels_first", "th")


def spatial_part(shape: Shape, first: bool) -> Shape:
    """Spatial sizes of a shape with batch and channel axes."""
    return shape[2:] if first else shape[1:-1]


def has_axis_order(layer: Layer) -> bool:
    """Whether a layer takes maps of two or three axes, and its config says where channels are."""
    windowed = has(layer.class_name, _WINDOWED | Trait.GLOBAL_POOLING)
    return windowed and spatial_rank(layer.class_name) > 1 and _says_order(layer)


def _says_order(layer: Layer) -> bool:
    """Keras 1 wrote it of some layers only; the default was a setting of each machine."""
    return not layer.config.keys().isdisjoint(("data_format", "dim_ordering"))


def mixes_orders(graph: LayerGraph) -> bool:
    """Whether some layers say that channels are first, and others that they are last."""
    windowed = (x for x in graph.layers if has(x.class_name, _WINDOWED | Trait.GLOBAL_POOLING))
    return len({channels_first(layer) for layer in windowed if _says_order(layer)}) > 1


def _orders(graph: LayerGraph) -> Mapping[str, bool]:
    def step(layer: Layer, values: Sequence[bool | None]) -> bool | None:
        if has(layer.class_name, _WINDOWED | Trait.GLOBAL_POOLING) and _says_order(layer):
            return channels_first(layer) if has(layer.class_name, _WINDOWED) else None
        keeps = has(layer.class_name, _KEEP_ORDER | _WINDOWED)
        return values[0] if values and keeps else None

    return graph.propagate(step, lambda one, other: one if one is other else None)


axis_orders = PerObject(_orders)
"""Layer with a map as its output -> whether it has channels first; none where it is unknown."""


def features_last(graph: LayerGraph, layer: Layer) -> bool:
    """Whether all that a layer gets, perhaps added up, has its features in the last axis."""
    seen, pending = {layer.route}, [layer]
    for _ in range(_MOST_BEFORE):
        if not pending:
            return True
        sources = {each for call in graph.calls[pending.pop().route] for each in call}
        for route in sources - seen or ("",) * (not sources):
            before = graph.get(route)
            if before is None or before.custom:
                return False
            seen.add(route)
            if has(before.class_name, _FEATURES_LAST):
                continue
            if not has(before.class_name, _KEEP_ORDER):
                return False
            pending.append(before)
    return False


def one_position(layer: Layer) -> bool:
    """Whether it is an attention to a single position, which gets the weight 1."""
    shapes = layer.input_shapes
    if not has(layer.class_name, Trait.ATTENTION) or not shapes:
        return False
    value = shapes[min(1, len(shapes) - 1)]  # of query, value and key
    return len(value) > 2 and all(size == 1 for size in value[1:-1])


def one_step(layer: Layer) -> bool:
    """Whether a recurrent layer gets sequences of one step, and no state from elsewhere."""
    if not has(layer.class_name, Trait.RECURRENT) and layer.class_name != "Bidirectional":
        return False
    inner = layer.config.get("layer")
    config = inner.get("config") if isinstance(inner, dict) else layer.config
    kept = isinstance(config, dict) and (config.get("stateful") or config.get("return_state"))
    shapes = layer.input_shapes
    return len(shapes) == 1 and len(shapes[0]) > 2 and shapes[0][1] == 1 and not kept
