"""Layers without a testable kernel that are recognisably trained.

Recurrent layers, embeddings and attention layers are not tested for their initial values, so they
are never called fresh here. They prevent a model from being called untrained because of its last
layer alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Layer, Tensor
from modelaudit.measures.kernels.initializers import Distribution, candidates

STARTS = (0.0, 1.0)  # initial biases in Keras: zeros, and ones for forget gates
LARGEST = 1 << 24  # maximum size of a bias in bytes
ROUNDING = 2.0**-8  # relative rounding error of bfloat16


def trained_layers(artifact: Artifact, tested: Collection[str]) -> Iterator[KernelInitialization]:
    """Layers, other than the routes `tested`, with a weight that their initializer cannot draw.

    Raises:
        ReadError: a bias cannot be read.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for layer in artifact.architecture.layers if artifact.architecture else ():
        if layer.route in tested:
            continue
        for role, name in layer.variables.items():
            tensor = tensors.get(name)
            reason = _moved(layer, role, tensor) if tensor is not None else ""
            if tensor is not None and reason:
                yield KernelInitialization(
                    route=layer.route,
                    tensor=name,
                    initializer="",
                    state="trained",
                    weights=tensor.size,
                    tests={"trainable": layer.trainable},
                    reason=reason,
                )
                break


def _moved(layer: Layer, role: str, tensor: Tensor) -> str:
    """Why a weight is not at its initial value, or "" without evidence."""
    if role == "bias":
        usual = any(d.kind == "constant" and d.mean in STARTS for d in _drawn(layer, role, tensor))
        if not usual or tensor.source is None or tensor.nbytes > LARGEST:
            return ""
        still = bool(np.isin(tensor.source.array(), STARTS).all())
        return "" if still else "the bias has changed"
    options, stats = _drawn(layer, role.removesuffix("_kernel"), tensor), tensor.stats
    if not options or stats is None:
        return ""
    low = min(each.low for each in options)
    high = max(each.high for each in options)
    slack = ROUNDING * (high - low)
    if stats.minimum < low - slack or stats.maximum > high + slack:
        return "weights exceed the initializer's bound"
    return ""


def _drawn(layer: Layer, role: str, tensor: Tensor) -> tuple[Distribution, ...]:
    """Distributions of a weight's initial values according to the layer's config."""
    said = layer.config.get(f"{role}_initializer")
    said = {"class_name": said} if isinstance(said, str) else said
    return candidates(said, tensor.shape) if isinstance(said, Mapping) else ()
