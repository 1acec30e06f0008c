"""Shapes of the inputs of layers."""

from __future__ import annotations

from modelaudit.facts import Layer, Shape


def input_shape(layer: Layer) -> Shape | None:
    """Input shape of the network at a layer without inbound layers (an InputLayer or not)."""
    if layer.class_name == "InputLayer":
        return layer.output_shape
    return layer.input_shapes[0] if layer.input_shapes else None


def channels_first(layer: Layer) -> bool:
    """Whether the config puts channels before the spatial axes (`th` in Keras 1)."""
    config = layer.config
    return config.get("data_format", config.get("dim_ordering")) in ("channels_first", "th")


def spatial_part(shape: Shape, first: bool) -> Shape:
    """Spatial sizes of a shape with batch and channel axes."""
    return shape[2:] if first else shape[1:-1]
