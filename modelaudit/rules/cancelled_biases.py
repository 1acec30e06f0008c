"""Layers whose scale or bias a later layer takes away, and with it the gradient."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.network_heads import SOFTMAXES, activation_of, weighs

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


def bias_cancelled(graph: LayerGraph, takers: Mapping[str, tuple[str, ...]], route: str) -> bool:
    """Whether a later layer takes the layer's bias away.

    A normalization subtracts it. Of keys, it adds the same to the scores of all positions, and the
    softmax over these takes that away; in hand-written attention, queries and keys look alike.
    """
    if normalized_behind(graph, takers, route):
        return True
    ends = [(route, False)]
    reached = {*ends}
    while ends:
        source, multiplied = ends.pop()
        for name in takers.get(source, ()):
            layer = graph.layer(name)
            if multiplied and activation_of(layer) in SOFTMAXES and not weighs(layer):
                return True
            product = operation_name(layer) in _PRODUCTS
            step = (name, multiplied or product)
            if step not in reached and (_passes(layer) or (product and not multiplied)):
                reached.add(step)
                ends.append(step)
    return False


def _passes(layer: Layer) -> bool:
    return has(layer.class_name, Trait.KEEPS_RANGE) or operation_name(layer) in _SCALES
