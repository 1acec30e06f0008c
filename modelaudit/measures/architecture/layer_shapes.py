"""Axes of what goes into a layer."""

from __future__ import annotations

from modelaudit.facts import Layer, Shape


def input_shape(layer: Layer) -> Shape | None:
    """What enters the network at a layer without sources: an InputLayer, or a first layer."""
    if layer.class_name == "InputLayer":
        return layer.output_shape
    return layer.input_shapes[0] if layer.input_shapes else None


def channels_first(layer: Layer) -> bool:
    """Whether the layer's config puts channels before the spatial axes (`th` in Keras 1)."""
    config = layer.config
    return config.get("data_format", config.get("dim_ordering")) in ("channels_first", "th")


def spatial_part(shape: Shape, first: bool) -> Shape:
    """The spatial sizes of a shape with a batch axis and a channel axis."""
    return shape[2:] if first else shape[1:-1]
