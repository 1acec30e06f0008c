"""The scale of the inputs in training, by the optimizer's averages of squared gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import ColumnSigns
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Layer, Tensor
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.thresholds.training import UNSCALED

_NORMALISES = Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION


def input_scales(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, float]]:
    """Layers that get inputs of the network, perhaps scaled by constants, and root mean squares of
    their largest columns.

    Args:
        most_bytes: layers with larger kernels are left out.

    Raises:
        ReadError: the averages cannot be read.
    """
    if artifact.architecture is None:
        return
    given = reads_inputs(layer_graph(artifact.architecture), scaled=True)
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    if not artifact.architecture.layers:  # of a class of the program: it made the first layer first
        state = optimizer_state(artifact)
        given = frozenset(each.route for each in state.moments[:1]) if state else given
    for kernel, bias in _pairs(artifact):
        if kernel.route not in given:
            continue
        size = _bound(kernel, bias)
        if size > UNSCALED.value:
            columns = _columns(tensors, kernel, bias, most_bytes)
            size = float(columns.max()) if columns.size else 0.0
        yield kernel.route, size


def column_signs(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, ColumnSigns]]:
    """Layers that get inputs of the network as they are, and what shows whether these have signs.

    Gradients d of a bias and d x of a weight have one sign where x is never negative. Of sums of
    d of either sign, those of the weight are correlated with those of the bias by mean(x) beside
    the root of mean(x**2).

    Args:
        artifact: the model.
        most_bytes: layers with larger kernels are left out.

    Raises:
        ReadError: the averages cannot be read.
    """
    if artifact.architecture is None or not artifact.architecture.layers:
        return
    given = reads_inputs(layer_graph(artifact.architecture))
    tensors = artifact.by_name
    for kernel, bias in _pairs(artifact):
        if kernel.route not in given:
            continue
        squares = _columns(tensors, kernel, bias, most_bytes)
        signs, of_bias = (_read(tensors.get(x.averages), most_bytes) for x in (kernel, bias))
        if not signs.size or of_bias.ndim != 1 or signs.size != squares.size * of_bias.size:
            continue
        rows = signs.reshape(-1, of_bias.size)
        told = (rows != 0) & (of_bias != 0)
        if told.any():
            same = np.sign(rows) == np.sign(of_bias)
            size = math.sqrt(float(np.square(squares).mean()))
            yield (
                kernel.route,
                ColumnSigns(size, float(same[told].mean()), int(told.sum())),
            )


def table_scales(artifact: Artifact, columns: int, most_bytes: int) -> NDArray[np.float64] | None:
    """Root mean squares of the columns of a table in training, if some are unusually large.

    None if no layer that takes them as they are shows it, or the file cannot be read.
    """
    if artifact.architecture is None:
        return None
    graph = layer_graph(artifact.architecture)
    given = reads_inputs(graph) - _before_normalization(graph)
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    try:
        for kernel, bias in _pairs(artifact):
            first = kernel.route in given and len(kernel.shape) == 2
            if first and kernel.shape[0] == columns and _bound(kernel, bias) > UNSCALED.value:
                found = _columns(tensors, kernel, bias, most_bytes)
                return found if found.size and found.max() > UNSCALED.value else None
    except (ReadError, OSError):
        return None
    return None


def reads_inputs(graph: LayerGraph, *, scaled: bool = False) -> frozenset[str]:
    """The layers that get inputs of the network as they are, without weights in between.

    Args:
        graph: of the layers.
        scaled: whether a layer that scales by constants may be in between.
    """
    between = Trait.KEEPS_RANGE | Trait.BETWEEN_INPUTS
    if scaled:
        between |= Trait.RESCALING

    def step(layer: Layer, values: Sequence[bool | None]) -> bool | None:
        passes = has(layer.class_name, between)
        return True if passes and not layer.custom and all(values) else None

    found: dict[str, bool] = graph.propagate(step, lambda one, _: one)
    return frozenset(
        layer.route
        for layer in graph.layers
        if not (calls := graph.calls.get(layer.route, ()))
        or any(source in found for call in calls for source in call)
    )


def _before_normalization(graph: LayerGraph) -> frozenset[str]:
    """The layers with a normalization behind them, which takes the gradient of their bias away."""
    return frozenset(
        route
        for route, names in graph.consumers().items()
        if any(has(graph.layer(name).class_name, _NORMALISES) for name in names)
    )


def _pairs(artifact: Artifact) -> Iterator[tuple[WeightMoments, WeightMoments]]:
    """Averages for kernel and bias of the same layer."""
    state = optimizer_state(artifact)
    moments = state.moments if state else ()
    biases = {each.route: each for each in moments if each.role == "bias"}
    for kernel in moments:
        if kernel.role == "kernel" and kernel.route in biases:
            yield kernel, biases[kernel.route]


def _bound(kernel: WeightMoments, bias: WeightMoments) -> float:
    """The same by the largest averages, at least about as large; 0 if the means contradict them."""
    pairs = ((kernel.second, bias.second), (kernel.mean_second, bias.mean_second))
    ratios = [math.sqrt(k / b) for k, b in pairs if k and b]
    return ratios[0] if len(ratios) == 2 and ratios[1] * UNSCALED.value > ratios[0] else 0.0


def _columns(
    tensors: Mapping[str, Tensor], kernel: WeightMoments, bias: WeightMoments, most_bytes: int
) -> NDArray[np.float64]:
    """Root mean square of each column of a layer's inputs; empty where it is not known.

    For z = x W + b, dL/dW[i, j] = x[i] dL/db[j]. A unit j that only outliers reach says nothing
    about other inputs, so the squares of column i are summed over all units, then compared.
    """
    squares, of_bias = (_read(tensors.get(x.squares), most_bytes) for x in (kernel, bias))
    if of_bias.ndim == 2 and squares.ndim == 2:
        of_bias = of_bias[0]  # a GRU has a second bias, behind the recurrent kernel
    total = float(of_bias.sum())
    if not total > 0 or squares.shape[squares.ndim - of_bias.ndim :] != of_bias.shape:
        return np.empty(0)
    columns: NDArray[np.float64] = squares.reshape(-1, of_bias.size).sum(axis=1)
    return np.sqrt(columns / total)


def _read(tensor: Tensor | None, most_bytes: int) -> NDArray[np.float64]:
    if tensor is None or tensor.source is None or tensor.nbytes > most_bytes:
        return np.empty(0)
    return np.asarray(tensor.source.array(), dtype=np.float64)
