"""Layers whose scale or bias a later layer takes away, and with it the gradient."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.network.network_heads import SOFTMAXES, activation_of, weighs

_NORMALISES = Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION
_PRODUCTS = frozenset(("Dot", "Matmul", "BatchMatMulV2", "Einsum", "Tensordot"))
# Operations behind which what was added to all positions is still the same for all.
_SCALES = frozenset(
    {
        *("TrueDivide", "Truediv", "Divide", "Multiply", "Mul", "RealDiv", "Rescaling"),
        *("Transpose", "Swapaxes", "Cast", "Squeeze", "ExpandDims"),
    }
)


def normalized_behind(
    graph: LayerGraph | None, takers: Mapping[str, tuple[str, ...]], route: str
) -> bool:
    """Whether a normalization behind the layer undoes its scale."""
    following = takers.get(route, ())
    layers = [graph.get(each) for each in following] if graph else []
    return any(layer is not None and has(layer.class_name, _NORMALISES) for layer in layers)


def cancelled_biases(graph: LayerGraph, takers: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The layers whose bias a later layer takes away.

    A normalization subtracts it. Of keys, it adds the same to the scores of all positions, and the
    softmax over these takes that away; in hand-written attention, queries and keys look alike.
    """
    sources: dict[str, list[str]] = {}
    normalized, leading = set(), set()  # of leading: a layer, and whether it was multiplied before
    for source, names in takers.items():
        if normalized_behind(graph, takers, source):
            normalized.add(source)
        for name in names:
            sources.setdefault(name, []).append(source)
            layer = graph.layer(name)
            if activation_of(layer) in SOFTMAXES and not weighs(layer):
                leading.add((source, True))
    ends = [*leading]
    while ends:  # from the softmaxes backwards, so that each layer is looked at twice at most
        name, after = ends.pop()
        layer = graph.layer(name)
        product, passes = operation_name(layer) in _PRODUCTS, _passes(layer)
        for before in (True, False):
            if (before or product) is after and (passes or (product and not before)):
                found = {(source, before) for source in sources.get(name, ())} - leading
                leading |= found
                ends += found
    return frozenset(normalized | {name for name, multiplied in leading if not multiplied})


def _passes(layer: Layer) -> bool:
    return has(layer.class_name, Trait.KEEPS_RANGE) or operation_name(layer) in _SCALES
