"""Layers of which every gradient came to an answer from one side, by the optimizer's averages.

For z = x W + b the gradients are dL/dW[i, j] = x[i] dL/db[j]. Where x is never negative, and the
loss a cross-entropy, those of class j are above 0 in all rows if no label of late was j, and below
if all were: labels that differ give rows of either sign, as their inputs differ.

Labels that differ can give one sign, too, where errors of either sign cancel in the average, or the
inputs are 0 for one class. What each row's average is beside that of the bias is the mean of that
input, weighted by the errors: the score for it says whether the answer is given there already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import OneWay
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Tensor
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.structs import replace

_LARGEST = 1 << 22  # of what is read of a layer, in bytes
_NEXT_TO_NOTHING = math.ldexp(1, -10)  # of the largest average of a kernel


def one_way_heads(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, OneWay]]:
    """Layers whose averages of gradients have one sign for each unit, with their routes.

    Args:
        artifact: the model.
        most_bytes: layers with larger kernels are left out.
    """
    state = optimizer_state(artifact)
    moments = state.moments if state else ()
    biases = {each.route: each for each in moments if each.role == "bias"}
    weights = {each.route: (each.tensor, each.bias or "") for each in artifact.kernels}
    for each in moments:
        bias = biases.get(each.route)
        if each.role != "kernel" or bias is None or len(each.shape) < 2 or not each.first:
            continue
        names = (each.averages, bias.averages, *weights.get(each.route, ("", "")))
        try:
            kernel, of_bias, *own = (_read(artifact.by_name.get(x), most_bytes) for x in names)
        except ReadError:
            continue
        found = _one_way(kernel, of_bias)
        if found is not None and own[0].shape == kernel.shape and own[1].shape == of_bias.shape:
            found = replace(found, sure=_sure(found, kernel, of_bias, own[0], own[1]))
        if found is not None:
            yield each.route, found


def _one_way(kernel: NDArray[np.float64], bias: NDArray[np.float64]) -> OneWay | None:
    if bias.ndim != 1 or not bias.size or kernel.shape[-1:] != bias.shape:
        return None
    rows = kernel.reshape(-1, bias.size)
    sizes = np.abs(rows).max(axis=1)
    alive = rows[sizes > _NEXT_TO_NOTHING * sizes.max(initial=0.0)]
    if not len(alive) or not np.isfinite(alive).all() or not np.isfinite(bias).all():
        return None
    up = (alive < 0).all(axis=0) & (bias < 0)
    down = (alive > 0).all(axis=0) & (bias > 0)
    if not (up | down).all():
        return None
    places = np.flatnonzero(up)
    only = int(places[0]) if len(places) == 1 else None
    return OneWay(len(alive), bias.size, len(places), only, float(np.abs(bias).max()))


def _sure(
    found: OneWay,
    averages: NDArray[np.float64],
    of_bias: NDArray[np.float64],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> float:
    """Probability of the answer that the gradients led to, for the input that they tell of."""
    scores = bias + (kernel * (averages / of_bias)).reshape(-1, bias.size).sum(axis=0)
    if not np.isfinite(scores).all():
        return 0.0
    if found.units == 1:
        toward = float(scores[0]) if found.up else -float(scores[0])
        return math.exp(-float(np.logaddexp(0.0, -toward)))
    if found.only is None:
        return 0.0
    return math.exp(float(scores[found.only] - np.logaddexp.reduce(scores)))


def _read(tensor: Tensor | None, most_bytes: int) -> NDArray[np.float64]:
    if tensor is None or tensor.source is None or tensor.nbytes > min(most_bytes, _LARGEST):
        return np.empty(0)
    return np.asarray(tensor.source.array(), dtype=np.float64)
