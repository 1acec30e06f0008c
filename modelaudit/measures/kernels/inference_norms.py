"""Batch normalizations that kept moving statistics of 0 and 1 and lost none.

A network that a program trains by itself, without `training=True`, uses mean 0 and variance 1 in
training and at inference. A TensorFlow 1 graph that always normalises by the batch uses neither.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator

from modelaudit.facts import Artifact, GraphNode
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.thresholds.weights import INFERENCE_BIAS

_UPDATES = re.compile(r"Assign|Save|IsVariableInitialized|VarIsInitialized|NoOp")


def trained_at_inference(artifact: Artifact) -> bool:
    """Whether the biases directly before batch normalizations were trained.

    With the statistics of a batch, which contain the bias, its gradient is 0. Otherwise it is that
    of beta, times gamma over the standard deviation. The mean of a bias does not count, since
    initializers give constants other than 0. False if there is no such bias.
    """
    stats = {tensor.name: tensor.stats for tensor in artifact.tensors}
    ratios = []
    for bias, beta in _pairs(artifact):
        before, after = stats.get(bias), stats.get(beta)
        size = math.hypot(after.mean, after.std) if after else 0.0
        if before and size > 0:
            ratios.append(before.std / size)
    return bool(ratios) and min(ratios) >= INFERENCE_BIAS.value


def unread_statistics(artifact: Artifact, routes: Collection[str]) -> bool:
    """Whether a TensorFlow 1 graph only updates and saves the moving means of these layers."""
    means = [each.mean.name for each in batchnorm_tensors(artifact) if each.route in routes]
    if not (means and artifact.graphs):
        return False
    readers: dict[str, list[GraphNode]] = defaultdict(list)
    operations = {node.name: node.op for node in artifact.graphs[0].nodes}
    for node in artifact.graphs[0].nodes:
        for reference in node.inputs:
            readers[reference.lstrip("^").partition(":")[0]].append(node)
    pending, seen = [*means], set(means)
    while pending:
        name = pending.pop()
        following = readers[name]
        # What nothing takes is an output or no variable of the graph, if it is no mere reading.
        reads = operations.get(name) == "ReadVariableOp" or name.endswith("/read")
        if not following and not reads:
            return False
        reached = {node.name for node in following if not _UPDATES.match(node.op)} - seen
        pending += reached
        seen |= reached
    return True


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
