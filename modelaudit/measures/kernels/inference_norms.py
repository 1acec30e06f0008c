"""Batch normalizations that were trained with their moving statistics instead of those of batches.

A network that a program trains by itself, without `training=True`, uses mean 0 and variance 1 in
training and at inference: nothing was lost when it was saved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.thresholds.weights import INFERENCE_BIAS


def trained_at_inference(artifact: Artifact) -> bool:
    """Whether the biases directly before batch normalizations were trained.

    With the statistics of a batch, which contain the bias, its gradient is 0. Otherwise it is that
    of beta, times gamma over the standard deviation. False if there is no such bias.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    ratios = []
    for bias, beta in _pairs(artifact):
        sizes = [
            math.hypot(stats.mean, stats.std)
            for name in (bias, beta)
            if (tensor := tensors.get(name)) and (stats := tensor.stats)
        ]
        if len(sizes) == 2 and sizes[1] > 0:
            ratios.append(sizes[0] / sizes[1])
    return bool(ratios) and min(ratios) >= INFERENCE_BIAS.value


def _pairs(artifact: Artifact) -> Iterator[tuple[str, str]]:
    """Bias of a linear layer, and beta of the batch normalization that alone follows it."""
    yield from ((k.bias, k.beta) for k in artifact.kernels if k.bias and k.beta)
    if artifact.architecture is None:
        return
    graph = layer_graph(artifact.architecture)
    takers = graph.consumers()
    for layer in graph.layers:
        after = [graph.layer(route) for route in takers.get(layer.route, ())]
        bias = layer.variables.get("bias")
        linear = layer.config.get("activation") in (None, "linear")
        if (
            bias
            and linear
            and len(after) == 1
            and has(after[0].class_name, Trait.BATCH_NORMALISATION)
        ):
            yield bias, after[0].variables.get("beta", "")
