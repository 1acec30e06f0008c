"""Networks whose output has the shape of their input, as autoencoders have."""

from __future__ import annotations

import math

from modelaudit.measures.architecture.layer_graph import LayerGraph

_ROW = 2  # axes of a row of columns


def restored_shape(graph: LayerGraph, *, flat: bool = False) -> tuple[int | None, ...] | None:
    """The shape of the only input, if the only output has it; None otherwise.

    With `flat`, an output of one axis may have as many values as the input has on all of its axes.
    """
    inputs = [layer for layer in graph.layers if not any(graph.calls[layer.route])]
    outputs = [each for route in graph.outputs if (each := graph.get(route)) is not None]
    if len(inputs) != 1 or len(outputs) != 1 or len(graph.outputs) != 1:
        return None
    first, last = inputs[0], outputs[0].output_shape
    given = first.output_shape if first.class_name == "InputLayer" else None
    if given is None and first.input_shapes:
        given = first.input_shapes[0]
    if last is None and outputs[0].class_name == "Dense" and given is not None:
        units = outputs[0].config.get("units")  # behind a Lambda, whose shape is not known
        last = (None, units) if isinstance(units, int) and len(given) == _ROW else None
    same = given is not None and last is not None and tuple(given[1:]) == tuple(last[1:])
    if flat and given is not None and last is not None and len(last) == _ROW:
        same = same or last[1] == math.prod(each or 0 for each in given[1:])
    if not same or given is None or len(given) < _ROW or None in given[1:]:
        return None
    return tuple(given)
