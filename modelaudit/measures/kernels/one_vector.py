"""Layers that got one vector from every training input, by the ranks of the optimizer's averages.

For z = x W + b the gradients are dL/dW[i, j] = x[i] dL/db[j]. Where x never differs, each average
of the gradients of W is x[i] times that of b, and each average of their squares x[i]**2 times that
of b: matrices of rank one, with the same x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.values import number
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Json, Layer, Tensor
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments, optimizer_state
from modelaudit.measures.slots_of_tf1 import BETAS
from modelaudit.thresholds.optimizers import STEADY_ERRORS
from modelaudit.thresholds.training import FEW_UNITS, ONE_GRADIENT, ONE_RATIO

_Array = NDArray[np.float64]
_LARGEST = 1 << 26  # of what is read of a layer, in bytes
_SMALLEST = math.ldexp(1, -100)  # averages below are near the smallest float32
_CURVED = ("relu", "relu6", "elu", "selu", "gelu", "silu", "swish", "tanh", "sigmoid")
_BENT = ("tanh", "sigmoid")  # nowhere straight
_ROUNDED = math.ldexp(1, -20)  # what sums of float32 are apart by rounding


def one_vector(artifact: Artifact, most_bytes: int) -> str:
    """The first layer of which every input was the same vector in training; or "".

    Only layers with no trained one before them are read: what changes in training passes on other
    vectors.
    """
    state = optimizer_state(artifact)
    moments = state.moments if state else ()
    trained = {each.route for each in moments}
    architecture = artifact.architecture
    graph = layer_graph(architecture) if architecture is not None else None
    biases = {each.route: each for each in moments if each.role == "bias"}
    steady = state is not None and errors_stayed(state)
    near = _ROUNDED if steady else ONE_RATIO.value  # rows may be nearly alike
    for each in moments:
        bias = biases.get(each.route)
        layer = graph.get(each.route) if graph is not None else None
        if each.role != "kernel" or bias is None:
            continue
        if graph is not None and graph.layers:
            first = layer is not None and not (graph.above([each.route]) - {each.route}) & trained
        else:
            first = each.route == moments[0].route
        try:
            if (
                first
                and not (steady and not _weighs_rows(graph, each.route))
                and _is_one(artifact.by_name, layer, each, bias, min(most_bytes, _LARGEST), near)
            ):
                return each.route
        except ReadError:
            continue
    return ""


def _weighs_rows(graph: LayerGraph | None, route: str) -> bool:
    """Whether the units of a layer pass on another share of the gradient for each row.

    Then the average gradients of two units are multiples of one vector only if all rows are alike,
    and nearly so if the rows are nearly alike.
    The last layer gets its errors as they are, where its activation belongs to the loss.
    """
    layer = graph.get(route) if graph is not None else None
    if graph is None or layer is None or route in graph.outputs:
        return False
    return layer.config.get("activation") in _BENT and layer.config.get("units", 1) != 1


def errors_stayed(state: OptimizerState) -> bool:
    """Whether the gradient of a bias was nearly the same in every step.

    Of all rows in one batch with errors that stay, as those of a saturated sigmoid do, each
    gradient is that of the rows that are wrong. Where the layers behind are linear for them, those
    of all units of a kernel are multiples of the mean of these rows, although no two are alike.
    """
    betas = [number(state.settings.get(key, usual)) for key, usual in BETAS.items()]
    if not state.steps:
        return False
    first, second = (beta**state.steps if beta else 0.0 for beta in betas)
    if second == 1:
        return False
    share = STEADY_ERRORS.value * (1 - first) ** 2 / (1 - second)
    return any(
        each.mean_second and each.typical**2 >= share * each.mean_second
        for each in state.moments
        if each.role == "bias" and each.first is not None
    )


def _is_one(
    tensors: Mapping[str, Tensor],
    layer: Layer | None,
    kernel: WeightMoments,
    bias: WeightMoments,
    most_bytes: int,
    near: float,
) -> bool:
    squares, firsts = (
        _pair([tensors.get(one), tensors.get(other)], layer, most_bytes)
        for one, other in (
            (kernel.squares, bias.squares),
            (kernel.averages, bias.averages),
        )
    )
    by_squares = _factors(*squares, near) if squares else None
    by_firsts = _factors(*firsts, 10 * near) if firsts else None
    if squares and firsts:
        # Where the gradients of all units are multiples of each other, one alone tells nothing.
        if by_squares is None or by_firsts is None:
            return False
        if _of_one_step(firsts[1], squares[1]):
            return False
        size = float(np.abs(by_firsts).max())
        apart = np.abs(np.sqrt(np.maximum(by_squares, 0)) - np.abs(by_firsts))
        return size > 0 and bool((apart <= _OF_FIRSTS * size).all())
    found = by_firsts if by_squares is None else by_squares
    if by_firsts is None and by_squares is not None and _of_one_size(by_squares):
        return False  # inputs that are 1 or -1 have the same squares
    units = kernel.shape[-1] if kernel.shape else 0
    curved = layer is not None and layer.config.get("activation") in _CURVED
    return found is not None and curved and units >= FEW_UNITS.value and bool(found.any())


def _of_one_size(squares: _Array) -> bool:
    """Whether all inputs that are not 0 have one size."""
    live = squares[squares > ONE_RATIO.value * squares.max(initial=0.0)]
    return bool(live.size) and bool(live.max() - live.min() <= _OF_FIRSTS * live.max())


def _of_one_step(first: _Array, second: _Array) -> bool:
    """Whether the averages are of a single gradient g: a g and b g**2, as a hinge leaves."""
    live = second > _SMALLEST
    ratios = first[live] ** 2 / second[live]
    return bool(ratios.min(initial=np.inf) >= (1 - ONE_GRADIENT.value) * ratios.max(initial=0.0))


_OF_FIRSTS = 10 * ONE_RATIO.value  # averages of gradients cancel, which costs digits


def _pair(
    both: Sequence[Tensor | None], layer: Layer | None, most_bytes: int
) -> tuple[_Array, _Array] | None:
    """The averages of a kernel, a row for each input, and those of its bias."""
    if any(t is None or t.source is None or t.nbytes > most_bytes for t in both):
        return None
    rows, line = (t.source.array().astype(np.float64) for t in both if t and t.source)
    config: Mapping[str, Json] = {"padding": "unknown"} if layer is None else layer.config
    if rows.ndim > 2 and config.get("padding") not in (None, "valid"):
        strided = any(step != 1 for step in _sizes(config, "strides"))
        if strided or any(n % 2 == 0 for n in rows.shape[:-2]):
            return None
        rows = rows[tuple(n // 2 for n in rows.shape[:-2])]  # the one that sees no border
    rows = rows.reshape(-1, rows.shape[-1])
    line = line[0] if line.ndim == 2 else line  # that of the inputs, in a GRU
    if line.shape != rows.shape[1:] or not (np.isfinite(rows).all() and np.isfinite(line).all()):
        return None
    return rows, line


def _sizes(config: Mapping[str, Json], key: str) -> list[int]:
    said = config.get(key)
    return [n for n in (said if isinstance(said, list) else [said]) if isinstance(n, int)]


def _factors(rows: _Array, line: _Array, most: float) -> _Array | None:
    """The x of `rows = x line`, a factor for each input, if all units agree on it, or None."""
    live = np.abs(line) > max(_SMALLEST, ONE_RATIO.value * float(np.abs(line).max(initial=0.0)))
    if live.sum() < 2:
        return None
    rows, line = rows[:, live], line[live]
    found: _Array = rows @ line / (line @ line)
    apart = np.abs(rows - np.outer(found, line)).max(axis=1)
    size = np.abs(found) * float(np.abs(line).max())
    return found if bool((apart <= most * size + _SMALLEST).all()) else None
