"""The mean loss that files of Keras 2 keep, beside the largest that targets in reach can cause."""

from __future__ import annotations

import math

from modelaudit.facts import Artifact, Layer
from modelaudit.formats.keras.compiled_losses import CompiledLoss
from modelaudit.measures.architecture.layer_graph import LayerGraph

# Sum and number of the losses: the loss is the first of the metrics.
_SUMS = (
    ("metrics/mean/vars/0", "metrics/mean/vars/1"),  # archives
    ("keras_api/metrics/0/total", "keras_api/metrics/0/count"),  # SavedModels
)
_WIDTHS = {"sigmoid": 1.0, "tanh": 2.0}  # of the range, which no error of a target in it exceeds
_ADDING = frozenset(("AddLoss", "ActivityRegularization"))


def times_possible(
    artifact: Artifact, graph: LayerGraph, activation: str, loss: CompiledLoss
) -> float | None:
    """How many times the stored mean loss is as large as targets in reach can cause.

    None where it is not stored, where layers add losses of their own, or for another loss.
    """
    width = _WIDTHS.get(activation)
    if width is None or len(graph.outputs) != 1 or any(map(_adds, graph.layers)):
        return None
    largest = {
        "mean_absolute_error": width,
        "mean_squared_error": width**2,
        "huber": width**2 / 2,  # that of a linear part is smaller
        "log_cosh": math.log(math.cosh(width)),
    }.get(loss.name)
    mean = _mean_loss(artifact)
    return None if largest is None or mean is None else mean / largest


def _adds(layer: Layer) -> bool:
    """Whether a layer may add to the loss of the model."""
    regularized = any(
        key.endswith("_regularizer") and value is not None for key, value in layer.config.items()
    )
    return layer.custom or layer.class_name in _ADDING or regularized


def _mean_loss(artifact: Artifact) -> float | None:
    stored = artifact.by_name
    for total, count in _SUMS:
        sums, counts = stored.get(total), stored.get(count)
        if sums is None or counts is None or sums.stats is None or counts.stats is None:
            continue
        if sums.shape == counts.shape == () and counts.stats.mean > 0:
            mean = sums.stats.mean / counts.stats.mean
            return mean if math.isfinite(mean) else None
    return None
