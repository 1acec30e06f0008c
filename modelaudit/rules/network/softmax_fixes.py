"""What to do about a softmax that normalizes one value, which is 1 then."""

from __future__ import annotations

from math import prod

from modelaudit.facts import Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.network.network_heads import softmax_axis

_MOST = 4  # layers behind it that only change the shape


def softmax_fix(layer: Layer, *, column: bool = False) -> str:
    """What to do about a softmax over a single value.

    Args:
        column: whether its values are an output that was made a column, (classes, 1).
    """
    shape = layer.output_shape
    axis = softmax_axis(layer) if layer.class_name == "Softmax" else -1
    last = axis == -1 or (shape is not None and axis == len(shape) - 1)
    if not last:
        return f"Let it run over the classes: keras.layers.Softmax(axis=-1, name={layer.name!r})"
    if shape is not None and prod(n or 2 for n in shape[1:]) == 1:
        return f"Give `{layer.name}` more units, or use a sigmoid if it is a gate, and train again."
    if column:
        return (
            "The classes lie along another axis: let it run over that one, and train again:\n"
            f"keras.layers.Softmax(axis=1, name={layer.name!r})"
        )
    return (
        "If these are the weights of an attention, normalize over the positions:\n"
        f"keras.layers.Softmax(axis=1, name={layer.name + '_weights'!r})  # behind the "
        f"layer `{layer.name}`, without its activation"
    )


def is_column(graph: LayerGraph, layer: Layer) -> bool:
    """Whether an output is what the layer makes of a vector that was reshaped to a column."""
    before = [*graph.only_sources(layer.route, lambda x: has(x.class_name, Trait.DROPOUT))]
    made = before[-1] if before else layer
    given = made.input_shapes[0] if made.class_name == "Reshape" and made.input_shapes else None
    takers = graph.consumers()
    for _ in range(_MOST):
        if layer.route in graph.outputs:
            return given is not None and len(given) == 2
        after = takers.get(layer.route, ())
        if len(after) != 1 or graph.layer(after[0]).class_name not in {"Flatten", "Reshape"}:
            return False
        layer = graph.layer(after[0])
    return False
