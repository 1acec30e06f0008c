"""Moving statistics as before training: what both mean, in words, and where only one of them is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.findings import Finding, Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.measures.kernels.inference_norms import (
    InitialStatistics,
    called_for_inference,
    initial_statistics,
)
from modelaudit.measures.kernels.input_scale import reads_inputs
from modelaudit.measures.kernels.plain_norms import is_all
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.initial_weights.training_traces import frozen_norms
from modelaudit.rules.model import Rule
from modelaudit.rules.training.advice import EXPORT_AGAIN, UPDATE_AND_FREEZE
from modelaudit.structs import PerObject
from modelaudit.thresholds.weights import FACTORS

_AT_INFERENCE = (
    "the biases before them were trained as well, so training used these statistics "
    "(no `training=True`) and nothing was lost"
)
UNTOLD = (
    "either they were lost, or the program trained without `training=True`, which uses and keeps "
    "these values; the file does not tell"
)
UNTOLD_BY_EXPORT = (
    "either they were lost, or training kept them, with momentum=1 or without `training=True`; an "
    "export does not tell"
)
_CALLED = (
    "they are called with `training=False`, so training used these statistics and nothing was lost"
)
_BY_BATCH = "this graph normalises by the batch; a graph for inference would need them"
NOT_LOST: Mapping[InitialStatistics | None, tuple[Severity | None, str]] = {
    InitialStatistics.USED: (Severity.LOW, _AT_INFERENCE),
    InitialStatistics.CALLED: (Severity.INFO, _CALLED),
    InitialStatistics.UNREAD: (Severity.LOW, _BY_BATCH),
    InitialStatistics.UNKNOWN: (Severity.LOW, UNTOLD),
}

# In other models, Keras passes `training` on to the layers by itself.
_WITHOUT_ARGUMENT = (
    "If the model is a subclass trained by `fit` of Keras 3, and its `call` has no parameter "
    "`training`, nothing was lost: its batch normalization and dropout never ran in training mode. Add "
    "`training=None`, and train again. Otherwise: "
)
# A recalibration would change what the layers behind have learnt from.
_NOTHING = "There is nothing to restore, and a recalibration would change the answers. "
_AS_TRAINED = {
    InitialStatistics.USED: f"{_NOTHING}If the layers are to normalize, call the model in training mode "
    "where your program computes the loss, and train again:\n\n    outputs = model(x, training=True)\n\n"
    "Otherwise leave them out.",
    InitialStatistics.CALLED: f"{_NOTHING}If the layers are to normalize, call them without "
    "`training=False`, and train again. Otherwise leave them out.",
}
NEVER_BY_BATCH = frozenset(_AS_TRAINED)
_IN_A_LOOP = (
    "If a loop of your own trained the model, call it there with model(x, training=True), and train "
    "again. Otherwise: "
)
_LOST = "the moving {} was probably lost"
_FOLDED = "either the moving {} was lost, or a converter folded it into other weights"
_SET = "either the moving {} was lost, or a program set both"
_CENTRED = (
    "either the moving {} was lost, or each batch of the training data was centred exactly, as the "
    "layer gets the inputs of the model"
)

_BY_KERAS_3 = (Format.KERAS_ARCHIVE, Format.WEIGHTS_H5_V3)
_EXACT = ("float32", "float64")  # in half precision a small mean becomes 0


def explanation(
    rule: Rule, artifact: Artifact, states: Sequence[BatchNormState]
) -> tuple[Severity | None, str, str]:
    """Severity, reason and fix for initial statistics of trained layers; of the rule where empty."""
    why = initial_statistics(artifact, states)
    severity, explained = NOT_LOST.get(why, (None, ""))
    form = artifact.format  # no Keras can load and recalibrate a graph
    exported = form is Format.SAVEDMODEL_TF2 and artifact.architecture is None
    if exported and why is InitialStatistics.UNKNOWN:
        explained = UNTOLD_BY_EXPORT
    if exported or form is Format.FROZEN_GRAPH:
        return severity, explained, EXPORT_AGAIN if exported else UPDATE_AND_FREEZE
    if why in _AS_TRAINED:
        return severity, explained, _AS_TRAINED[why]
    opaque = artifact.architecture is None or not artifact.architecture.layers
    told = opaque and form in _BY_KERAS_3 and why is InitialStatistics.UNKNOWN
    if told:
        return severity, explained, f"{_WITHOUT_ARGUMENT}{rule.fix}"
    return (
        severity,
        explained,
        f"{_IN_A_LOOP}{rule.fix}" if why is InitialStatistics.UNKNOWN else "",
    )


class HalfReset(Struct, frozen=True):
    """A batch normalization of which one of two statistics is as before training.

    Attributes:
        route: the layer.
        mean: whether it is the mean; else it is the variance.
        channels: how many there are.
        severity: low where training leaves this as well, medium where a converter does, else high.
        causes: what the file leaves open, as the end of a sentence.
    """

    route: str
    mean: bool
    channels: int
    severity: Severity
    causes: str


def half_reset(artifact: Artifact, states: Sequence[BatchNormState]) -> Iterator[HalfReset]:
    """The batch normalizations whose mean is 0, or whose variance is 1, in every channel, bitwise.

    A step of training updates both. The mean stays 0 where every input was 0, and then the
    variance is the same in all channels, too, or where each batch was centred exactly, as the
    whole of a designed experiment with its few factors.
    """
    state = optimizer_state(artifact)
    steps = state is not None and bool(state.steps)
    frozen = frozen_norms(artifact) if steps else set[str]()
    learnt = {state.route for state in states if not state.affine_initial}
    for each in batchnorm_tensors(artifact):
        mean, variance = each.mean, each.variance
        lost = is_all(mean, 0.0) and _differs(variance)
        if lost or (is_all(variance, 1.0) and _differs(mean)):
            fitted = steps and each.route not in frozen
            if lost and mean.size < FACTORS.value and each.route in _at_inputs(artifact):
                told = (Severity.LOW, _CENTRED)
            elif fitted and not called_for_inference(artifact, (each.route,)):
                told = (Severity.HIGH, _LOST)
            elif each.route in learnt:
                told = (Severity.MEDIUM, _FOLDED)
            else:
                told = (Severity.LOW, _SET)
            yield HalfReset(each.route, lost, mean.size, *told)


def _first_routes(artifact: Artifact) -> frozenset[str]:
    """The layers that get inputs of the model as they are."""
    if artifact.architecture is None:
        return frozenset()
    graph, first = layer_graph(artifact.architecture), artifact.architecture.inputs
    return frozenset(x for x in reads_inputs(graph) if graph.calls.get(x) or x in first)


_at_inputs = PerObject(_first_routes)


def _differs(tensor: Tensor) -> bool:
    """Whether the channels have different values, none of them lost to rounding."""
    stats = tensor.stats
    return tensor.dtype in _EXACT and stats is not None and not stats.constant


def half_lost(
    rule: Rule, artifact: Artifact, states: Sequence[BatchNormState]
) -> Iterator[Finding]:
    """A finding about each layer of which one statistic is as before training."""
    for each in half_reset(artifact, states):
        other = "variance" if each.mean else "mean"
        own, value = ("mean", 0) if each.mean else ("variance", 1)
        yield rule.finding(
            f"`{each.route}`: the moving {own} is {value} in all {each.channels} channels, as before "
            f"training, but the moving {other} has changed. Training updates both: "
            f"{each.causes.format(own)}.",
            route=each.route,
            severity=each.severity,
            evidence={"measured": value, "unit": "as every value", "n": each.channels},
        )
