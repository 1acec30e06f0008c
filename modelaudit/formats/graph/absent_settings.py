"""Settings of layers in a Keras config that no operation of the model's graph has.

Keras names the functions of a layer by it. Activations are looked for there, or else, like other
settings, in the whole graph.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet

from modelaudit.facts import Graph, GraphNode, Json, Layer
from modelaudit.formats.graph.kernel_ops import ACTIVATIONS, spatial_part
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.graphs import reachable
from modelaudit.layer_classes import Trait, has

_NORMALIZES = frozenset({"Rsqrt", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_OPS = {name: {op} for op, name in ACTIVATIONS.items()} | {"softmax": {"Softmax", "Exp"}}
_POOLS = {"Max": ("MaxPool", "MaxPool3D"), "Average": ("AvgPool", "AvgPool3D")}
_POOL_OPS = frozenset(op for ops in _POOLS.values() for op in ops)
_CLOSE = 1e-3  # of an epsilon that is stored as float16
_INFERENCE = "__inference_"  # the start of a function's name; then its layer
_LAYER_CALL = re.compile(r"(?=_layer_call_)")
_NUMBERED = re.compile(r"_layer_call_\w*?_\d+")
_FUSED_EPSILON = 1e-4  # the default of the operation, which savers leave out


def absent_settings(
    layers: Iterable[Layer], graph: Graph, compared: Collection[str] = ()
) -> list[Json]:
    """Epsilons, activations, and windows and strides of pooling that the graph does not have.

    Args:
        layers: of the config; those of custom classes are left out.
        graph: as saved by Keras 2, with a function for each layer. Nothing is reported of a graph
            without operations of the kind in question, as without traces of the layers.
        compared: routes of layers whose own activation was compared with the graph.

    Returns:
        [{tensor, field, config, graph}], where `tensor` is the layer's route, and `graph` lists
        what the graph has instead.
    """
    nodes = [*graph.nodes, *(node for each in graph.functions.values() for node in each.nodes)]
    layers = [layer for layer in layers if not (layer.custom or layer.is_model)]
    return [
        *_epsilons(layers, nodes),
        *_activations(layers, graph, {node.op for node in nodes}, compared),
        *_pooling(layers, nodes),
    ]


def _said(layer: Layer, field: str, config: Json, graph: Json) -> Json:
    return {"tensor": layer.route, "field": field, "config": config, "graph": graph}


def _epsilons(layers: list[Layer], nodes: list[GraphNode]) -> Iterator[Json]:
    wanted = [
        (layer, said)
        for layer in layers
        if has(layer.class_name, Trait.BATCH_NORMALISATION)
        or layer.class_name in {"LayerNormalization", "GroupNormalization"}
        if isinstance(said := layer.config.get("epsilon"), float) and said > 0
    ]
    if not wanted or not any(node.op in _NORMALIZES for node in nodes):
        return
    absent = {said for _, said in wanted}
    found: set[float] = set()
    for node in nodes:
        if (value := _epsilon(node)) is not None and value not in found:
            found.add(value)
            absent = {said for said in absent if not abs(value - said) <= _CLOSE * said}
            if not absent:  # as of nearly all models, after a few of the operations
                return
    for layer, said in wanted:
        if said in absent:
            yield _said(layer, "epsilon", said, [*sorted(e for e in found if e < 1)[:4]])


def _epsilon(node: GraphNode) -> float | None:
    """A positive number that is an attribute or a constant: perhaps an epsilon."""
    value = node.attrs.get("epsilon")
    if node.op.startswith("FusedBatchNorm") and value is None:
        return _FUSED_EPSILON
    if node.op == "Const":
        tensor = node.attrs.get("value")
        value = tensor.get("value") if isinstance(tensor, dict) else None
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return value if isinstance(value, float) and value > 0 else None


def _activations(
    layers: list[Layer], graph: Graph, ops: AbstractSet[str], compared: Collection[str]
) -> Iterator[Json]:
    functions = _FunctionsOfLayers(graph, {layer.name for layer in layers})
    for layer in layers:
        said = {
            field: str(layer.config.get(field))
            for field in ("activation", "recurrent_activation")
            if field in layer.config and not (field == "activation" and layer.route in compared)
        }
        if not said:
            continue
        own = functions.operations_of(layer)
        used = {name for op, name in ACTIVATIONS.items() if op in (own or ops)}
        absent = [
            field
            for field, name in said.items()
            if used and name in _OPS and not _OPS[name] & (own or ops)
        ]
        for field in absent:
            yield _said(layer, field, said[field], [*sorted(used)])
        # A recurrent layer has no other activations than those of its cell.
        cell = bool(own) and has(layer.class_name, Trait.RECURRENT) and "activation" in said
        named = cell and _OPS.keys() >= {*said.values()} and not absent
        if named and (others := used - {*said.values()}):
            yield _said(layer, "activation", said.get("activation"), [*sorted(others)])


class _FunctionsOfLayers:
    """The functions that Keras names by layers, and what each function calls, looked up once."""

    def __init__(self, graph: Graph, layers: AbstractSet[str]) -> None:
        self.graph = graph
        self.called: dict[str, list[str]] = {}
        self.own: dict[str, list[str]] = {}
        for name in graph.functions:
            for found in _LAYER_CALL.finditer(name) if name.startswith(_INFERENCE) else ():
                layer = name[len(_INFERENCE) : found.end()]
                if layer in layers and _NUMBERED.fullmatch(name, found.end()):
                    self.own.setdefault(layer, []).append(name)

    def operations_of(self, layer: Layer) -> AbstractSet[str]:
        """Operations of the functions named by the layer, and of those that they call."""
        reached = reachable(self.own.get(layer.name, ()), self.calls_of)
        return {node.op for name in reached for node in self.graph.functions[name].nodes}

    def calls_of(self, name: str) -> list[str]:
        """The functions of the graph that the operations of a function name."""
        if name not in self.called:
            known, functions = known_operations(), self.graph.functions
            self.called[name] = [
                function
                for node in functions[name].nodes
                for key in (known[node.op].functions if node.op in known else node.attrs)
                if isinstance(value := node.attrs.get(key), dict)
                if isinstance(function := value.get("function"), str) and function in functions
            ]
        return self.called[name]


def _pooling(layers: list[Layer], nodes: list[GraphNode]) -> Iterator[Json]:
    nodes = [node for node in nodes if node.op in _POOL_OPS]
    windows: dict[str, list[list[list[Json]]]] = {}  # by the class of the layers
    for layer in layers if nodes else ():
        if not has(layer.class_name, Trait.LOCAL_POOLING):
            continue
        if layer.class_name not in windows:
            windows[layer.class_name] = [*_windows(layer.class_name, nodes)]
        applied = windows[layer.class_name]
        said = [_numbers(layer.config.get(key)) for key in _WINDOW]
        if applied and all(said) and said not in applied:
            (window, strides), (size, steps) = applied[0], said
            done: list[Json] = [*window, *strides]
            yield _said(layer, "pool_size and strides", [*size, *steps], done)


def _windows(class_name: str, nodes: list[GraphNode]) -> Iterator[list[list[Json]]]:
    """Windows and strides of the operations that layers of the class use, along their axes."""
    kind, axes = class_name.partition("Pooling")[::2]
    spatial = int(axes[:1]) if axes[:1].isdecimal() else 0
    for node in nodes if spatial else ():
        if node.op in _POOLS.get(kind, ()):
            first = str(node.attrs.get("data_format", "")).startswith("NC")
            sizes = (node.attrs.get("ksize"), node.attrs.get("strides"))
            # One-dimensional pooling is two-dimensional with windows of 1 along the other axis.
            yield [[*spatial_part(size, max(spatial, 2), first)[:spatial]] for size in sizes]


_WINDOW = ("pool_size", "strides")


def _numbers(value: Json) -> list[Json]:
    return [*value] if isinstance(value, list) else []
