"""Sigmoids of hidden layers: how many follow each other, which maps they are, and ReLUs in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.facts import Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.network.network_heads import activation_of, is_sizes, weighs, window_code

_SHOWN = 12  # lines of code
# What brings the values of a map to the next layer with weights, and does not scale them.
_CARRIES = Trait.KEEPS_RANGE | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
_READS = Trait.RECURRENT | Trait.CONVOLUTION


def sigmoid_maps(graph: LayerGraph) -> Iterator[Layer]:
    """The convolutions whose sigmoids are all that the next layer with weights gets.

    A gate, which is a factor of another map, is none of them, and neither is an output.
    """
    for layer in graph.layers:
        if layer.custom or not has(layer.class_name, Trait.CONVOLUTION):
            continue
        behind = [*graph.only_takers(layer.route, _passes)]
        if activation_of(layer) != "sigmoid":
            if activation_of(layer) != "linear" or not behind or not _is_layer(behind[0]):
                continue
            behind = [*graph.only_takers(behind[0].route, _passes)]
        if behind and layer.route not in graph.outputs and _reads(behind[-1]):
            yield layer


def _passes(layer: Layer) -> bool:
    return has(layer.class_name, _CARRIES)


def _reads(layer: Layer) -> bool:
    return weighs(layer) or has(layer.class_name, _READS)


def _is_layer(layer: Layer) -> bool:
    return layer.class_name == "Activation" and is_sigmoid(layer)


def sigmoid_depths(graph: LayerGraph) -> dict[str, int]:
    """Layer -> how many sigmoid layers in a row end there, without a normalization or shortcut."""
    return graph.propagate(_sigmoids, max)


def _applies_one(layer: Layer) -> bool:
    return weighs(layer) or layer.class_name == "Activation"


def is_sigmoid(layer: Layer) -> bool:
    """Whether a layer with weights, or one for the activation, applies a sigmoid."""
    return _applies_one(layer) and activation_of(layer) == "sigmoid"


def _sigmoids(layer: Layer, values: Sequence[int | None]) -> int | None:
    """The number of sigmoid layers in a row that end here; None starts again."""
    before = values[0] or 0 if len(values) == 1 else 0
    if has(layer.class_name, Trait.KEEPS_RANGE | Trait.LOCAL_POOLING):
        return before
    if _applies_one(layer):
        name = activation_of(layer)
        return before + 1 if name == "sigmoid" else before if name == "linear" else 0
    return None


def relus_code(layers: Sequence[Layer]) -> str:
    """Keras code for all of these layers: a single sigmoid less changes little."""
    lines = [relu_code(layer) for layer in layers[:_SHOWN]]
    rest = len(layers) - len(lines)
    more = f"\n# and so on in {rest} more" if rest else ""
    return f"Use a ReLU in all of these layers, and train again:\n{chr(10).join(lines)}{more}"


def relu_code(layer: Layer) -> str:
    """Keras code for a layer, with a ReLU."""
    units = layer.config.get("units", layer.config.get("filters"))
    if not isinstance(units, int):
        return f'keras.layers.Activation("relu", name={layer.name!r})'
    size = layer.config.get("kernel_size")
    window = [f"{size}", *window_code(layer.config)] if is_sizes(size) else []
    shape = ", ".join([f"{units}", *window])
    return f'keras.layers.{layer.class_name}({shape}, activation="relu", name={layer.name!r})'
