"""Layers of which every gradient came to an answer from one side, by the optimizer's averages.

For z = x W + b the gradients are dL/dW[i, j] = x[i] dL/db[j]. Where x is never negative, and the
loss a cross-entropy, those of class j are above 0 in all rows if no label of late was j, and below
if all were: labels that differ give rows of either sign, as their inputs differ.
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
    for each in moments:
        bias = biases.get(each.route)
        if each.role != "kernel" or bias is None or len(each.shape) < 2 or not each.first:
            continue
        read = (artifact.by_name.get(x.averages) for x in (each, bias))
        try:
            kernel, of_bias = (_read(tensor, most_bytes) for tensor in read)
        except ReadError:
            continue
        found = _one_way(kernel, of_bias)
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


def _read(tensor: Tensor | None, most_bytes: int) -> NDArray[np.float64]:
    if tensor is None or tensor.source is None or tensor.nbytes > min(most_bytes, _LARGEST):
        return np.empty(0)
    return np.asarray(tensor.source.array(), dtype=np.float64)
