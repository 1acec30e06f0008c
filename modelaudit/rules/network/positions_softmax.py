"""Outputs whose softmax runs over positions, not over classes."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.model import Facts
from modelaudit.rules.network.network_heads import softmax_axis

# So many scores of each position choose positions, as where an answer starts and ends.
_POINTERS = 2
_PLACES = {3: ("steps",), 4: ("rows", "columns")}


def softmax_over_positions(
    facts: Facts, graph: LayerGraph, layer: Layer, first: bool | None
) -> Iterator[tuple[str, Json, Severity, str]]:
    """A softmax of an output over its positions; MA306 says it where there is a loss."""
    shape, axis = layer.output_shape or (), softmax_axis(layer)
    if (
        layer.class_name != "Softmax"
        or layer.route not in graph.outputs
        or (facts.artifact.training or {}).get("loss")
        or not (first is False or len(shape) == 3)
        or not -len(shape) < axis < -1
        or (shape[-1] or 0) <= _POINTERS
    ):
        return
    places = _PLACES.get(len(shape), ())
    name = places[axis + len(shape) - 1] if places else "positions"
    detail = (
        f"axis {axis} of its softmax is that of {name}, but the {shape[-1]} classes are last: their "
        "values do not add up to 1 at any position"
    )
    fix = f"Use keras.layers.Softmax(axis=-1, name={layer.name!r})"
    yield detail, axis, Severity.LOW, fix
