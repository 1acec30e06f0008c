"""Outputs whose softmax runs over positions, not over classes or channels."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import channels_first
from modelaudit.rules.model import Facts
from modelaudit.rules.network.network_heads import activation_of, softmax_axis

# So many scores of each position choose positions, as where an answer starts and ends.
_POINTERS = 2
_COLUMNS = {3: "steps", 4: "columns", 5: "columns"}
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


def softmax_over_columns(
    graph: LayerGraph, layer: Layer
) -> Iterator[tuple[str, Json, Severity, str]]:
    """A softmax of an output map over its last axis, where a convolution gives channels first."""
    if layer.custom or layer.route not in graph.outputs or activation_of(layer) != "softmax":
        return
    # A dense layer gives something else over that axis, and a convolution has channels of its own.
    before = graph.only_sources(layer.route, _keeps_map) if _keeps_map(layer) else ()
    maps = [layer, *before][-1]
    filters, rank = maps.config.get("filters"), len(layer.output_shape or maps.output_shape or ())
    given = softmax_axis(layer) if layer.class_name == "Softmax" else -1
    if not has(maps.class_name, Trait.CONVOLUTION) or maps.custom or not channels_first(maps):
        return
    axes = layer.config.get("axis")
    if isinstance(axes, list) and len(axes) != 1:
        return  # over several axes together
    if rank not in _COLUMNS or given not in (-1, rank - 1):
        return
    if not isinstance(filters, int) or filters < _POINTERS:
        return
    detail = (
        f"its softmax runs over the last axis, that of {_COLUMNS[rank]}, but the {filters} channels of "
        f"`{maps.name}` come first: their values do not add up to 1 at any position"
    )
    own = f"Use no activation in `{layer.name}`, and behind it keras.layers.Softmax(axis=1)"
    name = f"Use keras.layers.Softmax(axis=1, name={layer.name!r})"
    fix = own if layer is maps else name
    yield detail, -1, Severity.MEDIUM, f"{fix}, with a loss over that axis"


def _keeps_map(layer: Layer) -> bool:
    return has(layer.class_name, Trait.SAME_SHAPE) and not layer.custom
