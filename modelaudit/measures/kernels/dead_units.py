"""ReLU units that are never above 0 where weights exploded, by interval arithmetic for each unit.

A step that is far too large drives the weights of many units far below 0, and leaves others alone.
Limits of a whole layer, as in `constant_layers`, tell nothing then: those of each unit do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import DeadUnits
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Json, Layer, Tensor
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import fans
from modelaudit.measures.statistics import few_alone
from modelaudit.thresholds.optimizers import NEGATIVE_PART, NEGATIVE_UNITS
from modelaudit.thresholds.training import EXPLODED_MEDIAN, FEW_UNITS, INPUT_REACH, SILENT_UNITS

_Array = NDArray[np.float64]
_Limits = tuple[_Array, _Array]  # least and most of each channel; of one value, the same for all
_KEEPS = (
    Trait.DROPOUT | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING | Trait.PADDING | Trait.UPSAMPLING
)
_UNKNOWN: _Limits = (np.full(1, -math.inf), np.full(1, math.inf))
_RECTIFIED = frozenset(("relu", "relu6"))


def dead_units(artifact: Artifact, graph: LayerGraph, limit: int) -> Mapping[str, DeadUnits]:
    """ReLU layer with many units that give 0 for every input of a usual size -> how many.

    Only of networks with a kernel that exploded: their kernels are read.
    """
    stored = artifact.by_name
    if not any(_exploded(stored.get(each.tensor)) for each in artifact.kernels):
        return {}
    found: dict[str, DeadUnits] = {}
    for least in (-INPUT_REACH.value, 0.0):
        for route, mask, inputs, own in _counted(artifact, graph, limit, least):
            dead, units = int(mask.sum()), mask.size
            # Of n inputs that are never below 0, all weights of a unit are below 0 by chance.
            share = max(SILENT_UNITS.value, min(1.0, 0.5 ** (inputs - 1)))
            if dead >= share * units and route not in found and (own or least < 0):
                found[route] = DeadUnits(dead, units, least == 0.0)
    return found


def negative_units(artifact: Artifact, limit: int) -> Iterator[tuple[str, DeadUnits]]:
    """ReLU layers with many units whose weights are nearly all below 0, and their bias as well.

    What inputs that are not negative add up to is above 0 only where those of the few weights above
    0 are many times as large as the others.
    """
    layers = artifact.architecture.layers if artifact.architecture else ()
    applied = {layer.route: _activation(layer.config) for layer in layers}
    for each in artifact.kernels:
        kernel, bias = (artifact.by_name.get(x or "") for x in (each.tensor, each.bias))
        if (applied.get(each.route) or each.activation) != "relu" or kernel is None or bias is None:
            continue
        shape = kernel.shape
        few = math.prod(shape[:-1]) < FEW_UNITS.value or shape[-1:] < (FEW_UNITS.value,)
        if few or not each.axes.endswith("io") or each.order or bias.shape != shape[-1:]:
            continue
        if kernel.source is None or bias.source is None or kernel.nbytes > limit:
            continue
        try:
            weights = kernel.source.array().astype(np.float64).reshape(-1, shape[-1])
            start = bias.source.array().astype(np.float64)
        except ReadError:
            continue
        above, below = np.maximum(weights, 0).sum(axis=0), -np.minimum(weights, 0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            dead = (start < 0) & (above < NEGATIVE_PART.value * below)
        if np.isfinite(above + below).all() and dead.sum() >= NEGATIVE_UNITS.value * dead.size:
            yield each.route, DeadUnits(int(dead.sum()), int(dead.size), nonnegative=True)


def _exploded(kernel: Tensor | None, *, beside: bool = False) -> bool:
    """Whether a kernel is enormous, by more than a few values, unless others are `beside` it."""
    if kernel is None or kernel.stats is None or len(kernel.shape) < 2:
        return False
    drawn = math.sqrt(2 / max(1.0, sum(fans(kernel.shape))))
    size = math.hypot(kernel.stats.mean, kernel.stats.std)
    damaged = not beside and few_alone(kernel.stats, math.prod(kernel.shape))
    return math.isfinite(size) and not damaged and size >= EXPLODED_MEDIAN.value * drawn


def _counted(
    artifact: Artifact, graph: LayerGraph, limit: int, least: float
) -> Iterator[tuple[str, NDArray[np.bool_], int, bool]]:
    """Layer, which units are dead, the inputs of a unit, and whether its own kernel exploded.

    A unit of a layer that is called several times is dead if it is so in each call.
    """
    tensors, masks, made = artifact.by_name, dict[str, NDArray[np.bool_]](), dict[str, Tensor]()

    def count(layer: Layer, high: _Array) -> None:
        dead, before = high <= 0, masks.get(layer.route)
        if before is not None and before.shape == dead.shape:
            dead = dead & before
        masks[layer.route] = dead

    def step(layer: Layer, values: Sequence[_Limits | None]) -> _Limits | None:
        if not values:
            return np.array([least]), np.array([INPUT_REACH.value])
        if layer.class_name == "Add":
            known = [each or _UNKNOWN for each in values]
            return _added([x[0] for x in known]), _added([x[1] for x in known])
        if layer.class_name == "LayerNormalization":
            return _normalized(layer, tensors)
        given = values[0] if len(values) == 1 and not layer.custom else None
        low, high = given or _UNKNOWN
        name = _activation(layer.config)
        if "kernel" in layer.variables:
            sums = _sums(layer, tensors, (low, high), limit)
            if sums is None:
                return _applied(name, _UNKNOWN)
            made[layer.route] = tensors[layer.variables["kernel"]]
            if name in _RECTIFIED:
                count(layer, sums[1])
            return _applied(name, sums)
        if layer.class_name in {"Activation", "ReLU"}:
            name = "relu" if layer.class_name == "ReLU" else name
            plain = not layer.config.get("negative_slope") and not layer.config.get("threshold")
            if name in _RECTIFIED and plain and len(high) > 1:
                count(layer, high)
            return _applied(name, (low, high)) if plain else None
        if has(layer.class_name, Trait.PADDING):
            return np.minimum(low, 0), np.maximum(high, 0)
        if layer.class_name in {"Flatten", "Reshape"}:
            return _repeated(layer, (low, high))
        return (low, high) if has(layer.class_name, _KEEPS) else None

    graph.propagate(
        step, lambda one, other: (np.minimum(one[0], other[0]), np.maximum(one[1], other[1]))
    )
    for route, mask in masks.items():
        sources = [x for x in (route, *_before(graph, route)) if x in made]
        kernel = made[sources[0]] if sources else None
        inputs = math.prod(kernel.shape[:-1]) if kernel is not None else 0
        yield route, mask, inputs, _exploded(kernel, beside=True)


def _before(graph: LayerGraph, route: str) -> Iterator[str]:
    """The layer whose sums an activation layer gets."""
    for layer in graph.only_sources(route, lambda _: False):
        yield layer.route


def _added(limits: Sequence[_Array]) -> _Array:
    total = np.zeros(1)
    for each in limits:
        total = total + each
    return total


def _normalized(layer: Layer, tensors: Mapping[str, Tensor]) -> _Limits | None:
    """Of n values with a mean square of 1, none is larger than the root of n."""
    gamma, beta = (tensors.get(layer.variables.get(role, "")) for role in ("gamma", "beta"))
    shape = layer.output_shape
    last = layer.config.get("axis", -1) in (-1, [-1], [len(shape or ()) - 1])
    if gamma is None or gamma.source is None or len(gamma.shape) != 1 or not last:
        return None
    size = np.abs(gamma.source.array().astype(np.float64)) * math.sqrt(gamma.shape[0])
    start = np.zeros_like(size)
    if beta is not None and beta.source is not None:
        start = beta.source.array().astype(np.float64)
    return start - size, start + size


def _sums(
    layer: Layer, tensors: Mapping[str, Tensor], given: _Limits, limit: int
) -> _Limits | None:
    """Limits of each unit's sum before its activation."""
    kernel, bias = (tensors.get(layer.variables.get(x, "")) for x in ("kernel", "bias"))
    kinds = has(layer.class_name, Trait.AFFINE) and "Transpose" not in layer.class_name
    if not kinds or kernel is None or kernel.source is None or kernel.nbytes > limit:
        return None
    weights = kernel.source.array().astype(np.float64)
    low, high = given
    if layer.config.get("padding") not in (None, "valid"):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    if weights.ndim < 2 or len(low) not in (1, weights.shape[-2]) or not np.isfinite(weights).all():
        return None
    weights = weights.reshape(-1, weights.shape[-2], weights.shape[-1])
    up, down = np.maximum(weights, 0).sum(axis=0), np.minimum(weights, 0).sum(axis=0)
    low, high = (np.broadcast_to(x, up.shape[:1]) for x in (low, high))
    start = np.zeros(up.shape[1])
    if bias is not None and bias.source is not None:
        start = bias.source.array().astype(np.float64).reshape(-1)
    return (
        _times(low, up) + _times(high, down) + start,
        _times(high, up) + _times(low, down) + start,
    )


def _times(limits: _Array, weights: _Array) -> _Array:
    """Sums of products for each unit, where 0 times infinity is 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        found: _Array = np.where(weights != 0, limits[:, None] * weights, 0.0).sum(axis=0)
    return found


def _applied(name: str, sums: _Limits) -> _Limits | None:
    low, high = sums
    if name in _RECTIFIED:
        return np.maximum(low, 0), np.maximum(high, 0)
    if name in {"sigmoid", "softmax"}:
        return np.zeros_like(low), np.ones_like(high)
    if name == "tanh":
        return -np.ones_like(low), np.ones_like(high)
    return sums if name == "linear" else None


def _repeated(layer: Layer, given: _Limits) -> _Limits | None:
    """The limits of a flattened map, whose channels are last."""
    low, high = given
    shape = layer.output_shape
    if layer.config.get("data_format") == "channels_first" or not shape or len(low) == 1:
        return (np.array([low.min()]), np.array([high.max()]))
    if len(shape) != 2 or not shape[1] or shape[1] % len(low):
        return (np.array([low.min()]), np.array([high.max()]))
    times = shape[1] // len(low)
    return np.tile(low, times), np.tile(high, times)


def _activation(config: Mapping[str, Json]) -> str:
    said = config.get("activation")
    return "linear" if said is None else said.lower() if isinstance(said, str) else "?"
