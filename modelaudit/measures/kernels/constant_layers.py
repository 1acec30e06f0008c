"""Layers whose output is the same for every input, by interval arithmetic on the stored weights.

Each layer's output range follows from that of its input (Moore, 1966): a unit over inputs in
[low, high] gives at most its bias + high * its positive weights + low * its negative ones. A layer
of ReLUs that are never above zero is dead, whatever the input. Kernels are read only where the
statistics of the bias leave that possible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import ConstantKind, ConstantLayer
from modelaudit.facts import Artifact, Json, Layer, Tensor
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.thresholds.training import SATURATION

_KEEPS = (
    Trait.KEEPS_RANGE
    | Trait.LOCAL_POOLING
    | Trait.GLOBAL_POOLING
    | Trait.ADAPTIVE_POOLING
    | Trait.UPSAMPLING
)
_BOUNDED: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
}
_ACTIVATION_LAYERS: Mapping[str, str] = {"ReLU": "relu", "Softmax": "softmax"}
# Sums beyond these give what float32 does not distinguish from the limit of the activation.
_STUCK: Mapping[str, float] = {
    "sigmoid": math.log(1 / SATURATION.value - 1),
    "tanh": math.atanh(1 - SATURATION.value),
}
_LARGEST = 1 << 28  # maximum size of a kernel in bytes
_ROUNDING = 1e-5  # of the sum of magnitudes: sums of float32 in any order


class _Range(Struct, frozen=True):
    """Limits of a layer's output, and whether the output is the same for every input."""

    low: float = -math.inf
    high: float = math.inf
    constant: bool = False


def constant_layers(artifact: Artifact, graph: LayerGraph, limit: int) -> tuple[ConstantLayer, ...]:
    """The first layers on each path whose output is constant.

    If there are none for arbitrary inputs, those for inputs without negative values.

    Args:
        limit: largest kernel that is read, in bytes.

    Raises:
        ReadError: a kernel or bias cannot be read.
    """
    for low in (-math.inf, 0.0):
        bounds = _Bounds(artifact, min(limit, _LARGEST), _Range(low))
        ranges = graph.propagate(bounds.step, _hull)
        constant = {r.route for r in graph.layers if _is_constant(ranges.get(r.route))}
        # A layer that is called several times is constant if it is so in each call.
        found = {route: kind for route, kind in bounds.found.items() if route in constant}
        if found:
            outputs = tuple(route for route in graph.outputs if route in constant)
            return tuple(
                ConstantLayer(route, kind, low == 0.0, outputs) for route, kind in found.items()
            )
    return ()


def _is_constant(found: _Range | None) -> bool:
    return found is not None and found.constant


def _hull(one: _Range, other: _Range) -> _Range:
    low, high = min(one.low, other.low), max(one.high, other.high)
    return _Range(low, high, one.constant and other.constant)


class _Bounds:
    """Steps from the range of a layer's inputs to that of its output.

    `found` are the layers that are constant although their inputs are not.
    """

    def __init__(self, artifact: Artifact, limit: int, given: _Range) -> None:
        self.tensors = {tensor.name: tensor for tensor in artifact.tensors}
        self.limit = limit
        self.given = given
        self.found: dict[str, ConstantKind] = {}

    def step(self, layer: Layer, inputs: Sequence[_Range | None]) -> _Range | None:
        """The range of one call's output; None where nothing is known."""
        ranges = [each or _Range() for each in inputs] or [self.given]
        if layer.custom or layer.class_name == "Lambda":
            return None
        if inputs and all(each.constant for each in ranges):
            return _Range(constant=True)
        first = ranges[0]
        if has(layer.class_name, Trait.AFFINE) and "kernel" in layer.variables:
            return self._affine(layer, first)
        if layer.class_name == "Activation" or layer.class_name in _ACTIVATION_LAYERS:
            return self._activated(layer, first)
        if has(layer.class_name, Trait.MERGE) or layer.class_name == "Concatenate":
            return _merged(layer.class_name, ranges)
        if has(layer.class_name, Trait.PADDING):
            return _Range(min(first.low, 0.0), max(first.high, 0.0))
        if has(layer.class_name, _KEEPS):
            return first
        if layer.class_name in {"LSTM", "GRU", "SimpleRNN"} and _activation(layer.config) == "tanh":
            return _Range(-1.0, 1.0)
        if layer.class_name == "LayerNormalization":
            return self._normalized(layer)
        table = self.tensors.get(layer.variables.get("embeddings", ""))
        if table is not None and table.stats is not None:
            return _Range(table.stats.minimum, table.stats.maximum)
        return None

    def _normalized(self, layer: Layer) -> _Range | None:
        """Of n values with a mean square of 1, none is larger than the root of n."""
        shape, axis = layer.output_shape, layer.config.get("axis", -1)
        count = shape[-1] if shape and axis in (-1, [-1], [len(shape) - 1]) else None
        limits = [(1.0, 1.0), (0.0, 0.0)]  # of gamma and beta
        for index, role in enumerate(("gamma", "beta")):
            tensor = self.tensors.get(layer.variables.get(role, ""))
            if role not in layer.variables:
                continue
            if tensor is None or tensor.stats is None or tensor.stats.nonfinite:
                return None
            limits[index] = (tensor.stats.minimum, tensor.stats.maximum)
        if count is None:
            return None
        (least, most), (low, high) = limits
        size = max(abs(least), abs(most)) * math.sqrt(count)
        return _Range(low - size, high + size)

    def _activated(self, layer: Layer, given: _Range) -> _Range | None:
        name = _ACTIVATION_LAYERS.get(layer.class_name) or _activation(layer.config)
        if name in {"relu", "relu6"} and _plain(layer.config):
            if given.high <= 0:
                self.found.setdefault(layer.route, "dead")
            return _Range(max(given.low, 0.0), max(given.high, 0.0), given.high <= 0)
        if name in _STUCK and (given.low >= _STUCK[name] or given.high <= -_STUCK[name]):
            self.found.setdefault(layer.route, "saturated")
            return _Range(constant=True)
        return _applied(name, given)

    def _affine(self, layer: Layer, given: _Range) -> _Range | None:
        kernel = self.tensors.get(layer.variables["kernel"])
        bias = self.tensors.get(layer.variables.get("bias", ""))
        name = _activation(layer.config)
        if kernel is None or kernel.stats is None or kernel.stats.nonfinite:
            return _applied(name, _Range())
        if layer.config.get("padding") not in (None, "valid"):
            given = _Range(min(given.low, 0.0), max(given.high, 0.0))
        kind: ConstantKind | None = "zero" if _zero(kernel) else None
        if kind is None and self._possible(kernel, bias, name, given):
            values = _unit_ranges(kernel, bias, given)
            kind = _kind(name, *values)
            sums = _Range(float(values[0].min()), float(values[1].max()))
        else:
            sums = _Range()
        if kind is None:
            return _applied(name, sums)
        self.found.setdefault(layer.route, kind)
        return _Range(constant=True)

    def _possible(self, kernel: Tensor, bias: Tensor | None, name: str, given: _Range) -> bool:
        """Whether the statistics allow a constant output, so that the kernel must be read."""
        if kernel.nbytes > self.limit or kernel.source is None or len(kernel.shape) < 2:
            return False
        assert kernel.stats is not None
        low, high = 0.0, 0.0
        if bias is not None:
            if bias.stats is None or bias.stats.nonfinite or bias.source is None:
                return False
            low, high = bias.stats.minimum, bias.stats.maximum
        if name in {"relu", "relu6", "linear"} and high <= 0:
            if given.high == math.inf and given.low >= 0:
                return kernel.stats.maximum <= 0
            return math.isfinite(given.high) and math.isfinite(given.low)
        bounded = math.isfinite(given.low) and math.isfinite(given.high)
        if name in {*_STUCK, "linear"}:
            # Positive weights on inputs that are never negative only add to what the bias gives.
            limit = _STUCK.get(name, min(_STUCK.values()))
            return max(-low, high) >= limit and (bounded or given.low >= 0)
        return name == "softmax" and bounded and high - low >= -math.log(SATURATION.value)


def _unit_ranges(
    kernel: Tensor, bias: Tensor | None, given: _Range
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest sum of each unit, widened by what rounding may change."""
    assert kernel.source is not None
    weights = kernel.source.array().astype(np.float64).reshape(-1, kernel.shape[-1])
    offset = np.zeros(weights.shape[1])
    if bias is not None and bias.source is not None:
        offset = bias.source.array().astype(np.float64).reshape(-1)
    up, down = np.maximum(weights, 0).sum(axis=0), np.minimum(weights, 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        high = offset + _times(up, given.high) + _times(down, given.low)
        low = offset + _times(up, given.low) + _times(down, given.high)
    size = max(abs(given.low), abs(given.high))
    # Without positive terms, a sum of float32 cannot round to a positive number.
    slack = _ROUNDING * (up - down) * size if math.isfinite(size) else np.zeros_like(up)
    slack = np.where(high == offset, 0.0, slack)
    return low - slack, high + slack


def _times(sums: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Products, where 0 times infinity is 0."""
    return np.where(sums != 0, sums * limit, 0.0)


def _kind(name: str, low: NDArray[np.float64], high: NDArray[np.float64]) -> ConstantKind | None:
    if name in {"relu", "relu6"}:
        return "dead" if bool((high <= 0).all()) else None
    if name in _STUCK:
        stuck = (low >= _STUCK[name]) | (high <= -_STUCK[name])
        return "saturated" if bool(stuck.all()) else None
    if name == "softmax" and len(low) > 1:
        top = int(np.argmax(low))
        with np.errstate(over="ignore"):
            others = np.exp(np.delete(high, top) - low[top]).sum()
        return "saturated" if float(others) <= SATURATION.value else None
    return None


def _zero(tensor: Tensor) -> bool:
    stats = tensor.stats
    return stats is not None and stats.constant and stats.maximum == 0


def _activation(config: Mapping[str, Json]) -> str:
    """Name of the activation in lower case; `?` for one of an unknown form."""
    saved = config.get("activation")
    name = saved.get("class_name", "?") if isinstance(saved, dict) else saved
    return "linear" if name is None else name.lower() if isinstance(name, str) else "?"


def _plain(config: Mapping[str, Json]) -> bool:
    """Whether a ReLU layer has no slope and no threshold."""
    return not config.get("negative_slope") and not config.get("threshold")


def _applied(name: str, given: _Range) -> _Range | None:
    if name in _BOUNDED:
        return _Range(*_BOUNDED[name])
    if name in {"relu", "relu6"}:
        return _Range(max(given.low, 0.0), max(given.high, 0.0))
    return given if name == "linear" else None


def _merged(name: str, ranges: Sequence[_Range]) -> _Range | None:
    low, high = [each.low for each in ranges], [each.high for each in ranges]
    if name == "Add":
        return _Range(sum(low), sum(high))
    if has(name, Trait.BETWEEN_INPUTS):
        return _Range(min(low), max(high))
    return None
