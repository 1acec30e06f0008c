"""What moving statistics of exactly 0 and 1 beside a trained gamma or beta mean.

A network that a program trains by itself, without `training=True`, uses mean 0 and variance 1 in
training and at inference, and lost nothing. A TensorFlow 1 graph that always normalises by the
batch uses neither.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.facts import Artifact, GraphNode
from modelaudit.graphs import reachable
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.thresholds.weights import INFERENCE_BIAS

_UPDATES = re.compile(r"Assign|Save|IsVariableInitialized|VarIsInitialized|NoOp")
_AVERAGES = frozenset({"AssignSub", "AssignSubVariableOp"})  # how TensorFlow updates an average


class InitialStatistics(StrEnum):
    """Why the moving statistics of a trained layer are at their initial values."""

    LOST = "training normalised by the batch"
    USED = "training used them"
    CALLED = "the layers are called for inference"
    UNREAD = "inference does not use them"
    UNKNOWN = "the file does not tell"


def initial_statistics(
    artifact: Artifact, states: Sequence[BatchNormState]
) -> InitialStatistics | None:
    """Why there are such statistics; None if there are none.

    They are lost where something shows that training normalised by the batch: other trained layers
    with statistics, biases before the layers, a graph that updates them, or `fit` of a model that
    has no training step of its own.
    """
    lost = [s.route for s in states if s.statistics_initial and not s.affine_initial]
    if not lost:
        return None
    at_inference = trained_at_inference(artifact)
    if at_inference:
        return InitialStatistics.USED
    if unread_statistics(artifact, lost):
        return InitialStatistics.UNREAD
    if called_for_inference(artifact, lost):
        return InitialStatistics.CALLED
    # A frozen body keeps the statistics that it brought, whatever the training of a head did.
    layers = artifact.architecture.layers if artifact.architecture else ()
    frozen = {layer.route for layer in layers if not layer.trainable}
    kept = frozen if frozen.isdisjoint(lost) else frozenset[str]()
    others = any(not s.statistics_initial and s.route not in kept for s in states)
    shown = others or at_inference is False or _updated(artifact, lost) or fitted(artifact)
    return InitialStatistics.LOST if shown else InitialStatistics.UNKNOWN


def called_for_inference(artifact: Artifact, routes: Collection[str]) -> bool:
    """Whether every call of these layers, or of a model around them, says `training=False`.

    `fit` of Keras 2 then trains gamma and beta with the statistics as they are. That of Keras 3.15
    overrides the argument.
    """
    architecture, keras = artifact.architecture, artifact.provenance.keras
    calls = {x.route: x.call_kwargs for x in architecture.layers} if architecture else {}

    def at_inference(route: str) -> bool:
        told = [each.get("training") is False for each in calls.get(route, ())]
        around = route.rpartition("/")[0]
        return (bool(told) and all(told)) or (bool(around) and at_inference(around))

    return (keras or "").startswith("2") and all(map(at_inference, routes))


def _updated(artifact: Artifact, routes: Collection[str]) -> bool:
    """Whether a graph updates the moving means of these layers."""
    means = {each.mean.name for each in batchnorm_tensors(artifact) if each.route in routes}
    return any(
        node.op in _AVERAGES and node.inputs and node.inputs[0].partition(":")[0] in means
        for graph in artifact.graphs
        for node in graph.nodes
    )


def fitted(artifact: Artifact) -> bool:
    """Whether a model of Keras' own classes has a loss and the optimizer state of training steps.

    Without a loss, it was a loop of the program that made the steps.
    """
    architecture, state = artifact.architecture, optimizer_state(artifact)
    own = architecture is not None and has(architecture.class_name, Trait.MODEL)
    loss = (artifact.training or {}).get("loss")
    return own and bool(loss) and state is not None and bool(state.steps)


def trained_at_inference(artifact: Artifact) -> bool | None:
    """Whether the biases directly before batch normalizations were trained.

    With the statistics of a batch, which contain the bias, its gradient is 0. Otherwise it is that
    of beta, times gamma over the standard deviation. The mean of a bias does not count, since
    initializers give constants other than 0. None if there is no such bias.
    """
    stats = {tensor.name: tensor.stats for tensor in artifact.tensors}
    ratios = []
    for bias, beta in _pairs(artifact):
        before, after = stats.get(bias), stats.get(beta)
        size = math.hypot(after.mean, after.std) if after else 0.0
        if before and size > 0:
            ratios.append(before.std / size)
    return min(ratios) >= INFERENCE_BIAS.value if ratios else None


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
    reached = reachable(
        means, lambda name: [node.name for node in readers[name] if not _UPDATES.match(node.op)]
    )
    # What nothing takes is an output or no variable of the graph, if it is no mere reading.
    return all(
        readers[name] or operations.get(name) == "ReadVariableOp" or name.endswith("/read")
        for name in reached
    )


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
