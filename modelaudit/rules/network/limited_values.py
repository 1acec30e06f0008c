"""Layers whose values have a limit or one sign, whatever the weights are."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.values import number
from modelaudit.facts import Layer
from modelaudit.formats.keras.dialects import activation
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.network.network_heads import POSITIVE, activation_of, plain_activation
from modelaudit.thresholds.design import CRUSHED

_KEEP_LIMITS = Trait.KEEPS_RANGE | Trait.DROPOUT | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
_KEEPS_SIGN = Trait.KEEPS_RANGE | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
_KEEPS_SIGN |= Trait.ADAPTIVE_POOLING | Trait.UPSAMPLING | Trait.BETWEEN_INPUTS
_SUMS = frozenset(("Add", "Multiply"))
_STATES = frozenset(("GRU", "LSTM", "SimpleRNN"))
_LIMITED = frozenset(("tanh", "sigmoid", "softmax", "softsign"))
_APPLIED_LAST = Trait.AFFINE | Trait.CONVOLUTION | Trait.POINTWISE
RELUS = frozenset(("ReLU", "ThresholdedReLU"))  # that may give 0 up to a limit
_BETWEEN_VALUES = ("nearest", "bilinear", "area", "linear")  # others overshoot


def at_most_one(graph: LayerGraph, route: str) -> bool:
    """Whether all inputs of a layer are between -1 and 1, as those of a tanh or an LSTM."""

    def step(layer: Layer, values: Sequence[bool | None]) -> bool | None:
        name, said = layer.class_name, layer.config
        if name == "Bidirectional":
            inner = said.get("layer")
            if not isinstance(inner, dict) or said.get("merge_mode") == "sum":
                return None
            name, held = str(inner.get("class_name")), inner.get("config")
            said = held if isinstance(held, dict) else {}
        if layer.custom:
            return None
        if name in _STATES:
            gates = activation(said.get("recurrent_activation", "sigmoid")) or "linear"
            gates = plain_activation(gates)
            return said.get("activation", "tanh") == "tanh" and gates == "sigmoid"
        if name == "TimeDistributed":
            inner = said.get("layer")
            name = str(inner.get("class_name")) if isinstance(inner, dict) else ""
        keeps = bool(values) and (name == "Concatenate" or has(name, _KEEP_LIMITS))
        keeps = keeps and said.get("interpolation", "nearest") in _BETWEEN_VALUES
        limits = has(name, _APPLIED_LAST) and activation_of(layer) in _LIMITED
        return (keeps and all(values)) or limits

    limited: dict[str, bool] = graph.propagate(step, lambda one, other: one and other)
    sources = [each for call in graph.calls[route] for each in call]
    return bool(sources) and all(map(limited.get, sources))


def never_negative(graph: LayerGraph) -> set[str]:
    """The layers whose results are never negative, whatever the weights are."""

    def step(layer: Layer, values: Sequence[bool | None]) -> bool | None:
        if layer.custom:
            return None
        if activation_of(layer) in POSITIVE:
            said = layer.config.get("activation")
            held = said.get("config") if isinstance(said, dict) else None
            settings = held if isinstance(held, dict) else layer.config
            return None if settings.get("threshold") else True
        keeps = keeps_sign(layer) or layer.class_name in _SUMS
        return True if keeps and values and all(values) else None

    return {*graph.propagate(step, lambda one, _: one)}


def keeps_sign(layer: Layer) -> bool:
    """Whether a layer gives no value of another sign than those that it gets."""
    smooth = layer.config.get("interpolation", "nearest") in ("nearest", "bilinear", "area")
    return smooth and has(layer.class_name, _KEEPS_SIGN)


def unreached(layer: Layer) -> float | None:
    """The threshold of a ReLU that no usual value reaches; None if it has none."""
    if layer.class_name not in RELUS:
        return None
    limit = number(layer.config.get("threshold", layer.config.get("theta")))
    return limit if limit is not None and limit >= CRUSHED.value else None
