"""Sigmoids of hidden layers: how many follow each other, which maps they are, and ReLUs in their place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modelaudit.facts import Layer
from modelaudit.findings import Finding
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.network_heads import (
    activation_of,
    is_sizes,
    output_heads,
    weighs,
    window_code,
)
from modelaudit.thresholds.small_layers import BIAS_AT_LIMIT

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


def starts_at_limit(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """Sigmoid outputs whose biases start where the slope is next to nothing."""
    for head in output_heads(graph):
        said = head.weights.config.get("bias_initializer")
        drawn = candidates(said, (1,)) if isinstance(said, dict) else ()
        start = next((x.mean for x in drawn if x.kind == "constant"), 0.0)
        if head.last != "sigmoid" or not BIAS_AT_LIMIT.value <= abs(start) < math.inf:
            continue
        if facts.artifact.training is None or not head.weights.trainable:
            continue
        yield rule.finding(
            f"The biases of `{head.weights.route}` start at {start:g}, where its sigmoid gives "
            f"{int(start > 0)} for every input, and passes at most {math.exp(-abs(start)):.1g} of a gradient.",
            route=head.weights.route,
            evidence={
                "measured": abs(start),
                "unit": "first bias",
                "threshold": BIAS_AT_LIMIT.value,
            },
            key=f"{head.weights.route} bias",
            title="The output starts at the limit of its sigmoid",
            fix=f'Use bias_initializer="zeros" in `{head.weights.name}`, or for a rare class the logarithm of '
            "its odds, such as keras.initializers.Constant(-4.6) for 1 %, and train again.",
        )
