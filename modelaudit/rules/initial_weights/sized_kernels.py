"""Kernels with the spread that they have and that they started with."""

from __future__ import annotations

import math

from modelaudit.facts import Kernel, Tensor, TensorStats
from modelaudit.measures.kernels.initializers import Distribution, candidates, fans, one_value
from modelaudit.measures.kernels.other_weights import frozen_variables
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, NotApplicable
from modelaudit.structs import PerObject, replace
from modelaudit.thresholds.small_layers import WIDE_DRAW

SizedKernel = tuple[Kernel, TensorStats, float]
_KINDS = frozenset(("dense", "conv", "transpose"))  # depthwise kernels are large in sound models


def _read(facts: Facts) -> list[SizedKernel]:
    tensors = facts.artifact.by_name
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    frozen = {each.route for each in layers if not each.trainable}
    frozen |= frozen_variables(facts.artifact)
    found = []
    for kernel in facts.artifact.kernels:
        tensor = tensors.get(kernel.tensor)
        if kernel.kind not in _KINDS or tensor is None or tensor.stats is None:
            continue
        if not frozen.isdisjoint((kernel.route, kernel.tensor)):
            continue  # may be set by hand, such as a Fourier transform
        if "float" not in tensor.dtype:
            continue  # codes, which a scale makes weights
        if tensor.role == "weight" and tensor.size > 1 and math.isfinite(tensor.stats.std):
            found.append((kernel, tensor.stats, math.sqrt(2 / max(1.0, sum(fans(tensor.shape))))))
    if not found:
        raise NotApplicable("no architecture, graph or name says which tensors are kernels")
    return found


sized_kernels = PerObject(_read)
"""Kernels with their statistics and the spread that Glorot and Bengio (2010) start with.

Raises:
    NotApplicable: it is unknown which tensors are kernels.
"""


def initial_spread(kernel: Kernel, usual: float) -> float:
    """The spread that the saved initializer draws, if that is less than usual."""
    drawn = _drawn(kernel)
    if _constant(drawn):
        return 0.0
    return min([usual, *(spread for each in drawn if (spread := each.spread(kernel.shape)) > 0)])


def starts_constant(kernel: Kernel) -> bool:
    """Whether the layer's initializer draws one value."""
    alike = kernel.initializer is not None and one_value(kernel.initializer) is not None
    return alike or _constant(_drawn(kernel))


def _drawn(kernel: Kernel) -> tuple[Distribution, ...]:
    return candidates(kernel.initializer, kernel.shape) if kernel.initializer else ()


def _constant(drawn: tuple[Distribution, ...]) -> bool:
    return any(each.kind == "constant" for each in drawn)


def example_kernel(scale: float) -> Facts:
    """One Dense layer with weights of this spread."""
    stats = TensorStats(-scale, scale, 0.0, scale / 2, 0, 0)
    tensors: tuple[Tensor, ...] = (
        examples.tensor("dense/kernel", (64, 64), stats),
        examples.tensor("dense/bias", (64,)),
    )
    layer = replace(examples.layer(), expected={"kernel": (64, 64), "bias": (64,)})
    artifact = examples.model(layer, tensors=tensors)
    kernel = Kernel("dense", "dense/kernel", "dense", "io", 0, (64, 64), "dense/bias")
    return Facts(replace(artifact, kernels=(kernel,)))


def usual_widths(facts: Facts) -> bool:
    """Whether no kernel spreads by much more than Glorot's initializer gives."""
    stored = [facts.artifact.by_name.get(each.tensor) for each in facts.artifact.kernels]
    return all(
        each.stats.std <= WIDE_DRAW.value * math.sqrt(2 / sum(fans(each.shape)))
        for each in stored
        if each is not None and each.stats is not None and len(each.shape) > 1
    )
