"""Operations that mix the inputs of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import Json, Layer, Shape
from modelaudit.formats.keras.builtin_layers import is_operation
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph

# They change which axis is that of the batch.
_MOVES = frozenset(
    {
        *("transpose", "moveaxis", "swapaxes", "rollaxis", "stack", "expanddims", "pack"),
        *("permutedims", "unstack", "concat", "concatenate", "repeat", "tile", "einsum"),
    }
)
REDUCTIONS = {
    **dict.fromkeys(("mean", "reducemean"), "a mean"),
    **dict.fromkeys(("sum", "reducesum"), "a sum"),
    **dict.fromkeys(("max", "amax", "reducemax"), "a maximum"),
    **dict.fromkeys(("min", "amin", "reducemin"), "a minimum"),
}

# Of each value by itself, in a graph.
_EACH_VALUE = frozenset(
    {
        *(
            "Abs",
            "Square",
            "Sqrt",
            "Rsqrt",
            "Exp",
            "Log",
            "Neg",
            "Maximum",
            "Minimum",
            "Add",
            "AddV2",
        ),
        *("Sub", "Mul", "RealDiv", "SquaredDifference", "Sum", "Mean", "Max", "Min", "Prod"),
    }
)
_NORMALIZES = frozenset(("l2normalize", "unitnormalization"))
_ASKED = REDUCTIONS.keys() | _NORMALIZES


def operation(layer: Layer) -> str:
    """The name of an operation in lower case; empty for a layer."""
    by_tensorflow = layer.class_name in {"TFOpLambda", "TensorFlowOpLayer"}
    ours = is_operation(layer.class_name, layer.module, layer.config)
    return operation_name(layer).lower() if (by_tensorflow or ours) and not layer.custom else ""


def given(layer: Layer, *names: str) -> list[Json]:
    """The first of these arguments that the call, or the config of the operation, gives; or none.

    What is not in the file may have been given by its place, so it is not known.
    """
    places: list[Mapping[str, Json]] = [*layer.call_kwargs, layer.config]
    return next(([place[name]] for place in places for name in names if name in place), [])


def moved_axes(graph: LayerGraph) -> Mapping[str, int]:
    """How many layers in front of each, itself included, may move the axis of the batch.

    Of branches that join, the sum: two or more are the same here.
    """

    def step(layer: Layer, values: Sequence[int | None]) -> int:
        unknown = layer.custom and graph_operation(layer) not in _EACH_VALUE
        own = operation(layer) in _MOVES or unknown or layer.config.get("time_major") is True
        return min(2, sum(each or 0 for each in values) + own)

    return graph.propagate(step, max)


def graph_operation(layer: Layer) -> str:
    """The operation of a graph that is no layer of Keras; empty for others."""
    plain = layer.custom and layer.module is None and not (layer.config or layer.registered_name)
    return layer.class_name if plain else ""


def may_mix(layer: Layer) -> bool:
    """Whether it is of a kind that `put_back` or `mixes` look at, which few layers are."""
    name = operation(layer)
    return (name or layer.class_name.lower()) in _ASKED or name == "reshape"


def put_back(graph: LayerGraph, layer: Layer, moved: Mapping[str, int]) -> str:
    """What a layer computes over a batch in a shape that every input of it can be joined with."""
    shape, result = _shape(graph, layer), layer.output_shape
    if moved.get(layer.route) or not shape or shape[0] is not None or len(shape) < 2:
        return ""
    name = operation(layer) or layer.class_name.lower()
    if name in _NORMALIZES:
        told = given(layer, "axis")
        axes = told[0] if told and isinstance(told[0], list) else told
        return "normalizes over the inputs of a batch" if axes in ([0], [-len(shape)]) else ""
    kept = result is not None and result[:1] == (1,) and result[1:] == shape[1:]
    told = given(layer, "axis") if operation(layer) in REDUCTIONS and result is not None else [0]
    kept = kept or (told == [None] and {*(result or ())} <= {1})
    computed = operation(layer) or graph_operation(layer)
    return (
        f"computes {REDUCTIONS[name]} over the inputs of a batch, which is joined with each of them"
        if (kept and computed and name in REDUCTIONS)
        else ""
    )


def mixes(graph: LayerGraph, layer: Layer, moved: Mapping[str, int]) -> str:
    """What an operation does with the inputs of a batch; empty if it keeps them apart, or may."""
    name = operation(layer)
    if name in REDUCTIONS:
        shape = _shape(graph, layer)
        if moved.get(layer.route) or not shape or shape[0] is not None:
            return ""
        told = given(layer, "axis")
        axes = told[0] if told and isinstance(told[0], list) else told
        over = any(each is None or each in (0, -len(shape)) for each in axes)
        return f"computes {REDUCTIONS[name]} over the inputs of a batch" if over else ""
    if name != "reshape" or moved.get(layer.route) != 1:
        return ""
    for only in graph.only_sources(layer.route, lambda _: False):
        before, order = _shape(graph, only), given(only, "axes", "perm")
        turned = operation(only) == "transpose" and order in ([None], [[1, 0]])
        # One that is turned back later was meant.
        if turned and before and len(before) == 2 and before[0] is None and _turns(graph) == 1:
            return (
                f"cuts what `{only.route}` gives, whose first axis is not the batch, so that values "
                "of several inputs come together"
            )
    return ""


def _turns(graph: LayerGraph) -> int:
    return sum(operation(each) in _MOVES for each in graph.layers)


def _shape(graph: LayerGraph, layer: Layer) -> Shape | None:
    """The shape of what an operation takes."""
    if layer.input_shapes:
        return layer.input_shapes[0]
    before = [*graph.only_sources(layer.route, lambda _: False)]
    return before[0].output_shape if before else None
