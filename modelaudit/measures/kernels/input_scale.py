"""The scale of the inputs in training, by the optimizer's averages of squared gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from modelaudit.facts import Artifact, Tensor
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.thresholds.training import UNSCALED


def input_scales(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, float]]:
    """Routes of layers, and the root mean square of the largest column of their inputs.

    For z = x W + b, dL/dW[i, j] = x[i] dL/db[j]. A unit j that only outliers reach says nothing
    about other inputs, so the squares of column i are summed over all units, then compared.

    Args:
        artifact: the model.
        most_bytes: layers with larger kernels are left out.

    Raises:
        ReadError: the averages cannot be read.
    """
    state = optimizer_state(artifact)
    moments = state.moments if state else ()
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    biases = {each.route: each for each in moments if each.role == "bias"}
    for kernel in moments:
        bias = biases.get(kernel.route)
        if kernel.role != "kernel" or bias is None:
            continue
        size = _bound(kernel, bias)
        if size > UNSCALED.value and kernel.squares and bias.squares:
            stored = tensors[kernel.squares]
            size = _by_columns(stored, tensors[bias.squares]) if stored.nbytes <= most_bytes else 0
        yield kernel.route, size


def _bound(kernel: WeightMoments, bias: WeightMoments) -> float:
    """The same by the largest averages, at least about as large; 0 if the means contradict them."""
    pairs = ((kernel.second, bias.second), (kernel.mean_second, bias.mean_second))
    ratios = [math.sqrt(k / b) for k, b in pairs if k and b]
    return ratios[0] if len(ratios) == 2 and ratios[1] * UNSCALED.value > ratios[0] else 0.0


def _by_columns(kernel: Tensor, bias: Tensor) -> float:
    if kernel.source is None or bias.source is None:
        return 0.0
    of_bias = bias.source.array().astype(np.float64)
    if of_bias.ndim == 2 and len(kernel.shape) == 2:
        of_bias = of_bias[0]  # a GRU has a second bias, behind the recurrent kernel
    if kernel.shape[len(kernel.shape) - of_bias.ndim :] != of_bias.shape:
        return 0.0
    columns = kernel.source.array().astype(np.float64).reshape(-1, of_bias.size)
    return math.sqrt(columns.sum(axis=1).max() / of_bias.sum())
