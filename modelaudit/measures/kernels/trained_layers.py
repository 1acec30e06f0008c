"""Layers whose weights are no kernels that can be tested, but that show that they were trained.

Recurrent layers, embeddings, attention: whether they are still as they were drawn is not tested,
so nothing here calls a layer fresh. It keeps a model from being called untrained for its last
layer alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from modelaudit.facts import Artifact, Layer, Tensor
from modelaudit.measures.kernels.initializers import Distribution, candidates
from modelaudit.measures.summary import KernelInitialization

STARTS = (0.0, 1.0)  # of biases: Keras begins with zeros, and forget gates with ones
LARGEST = 1 << 24  # bytes of a bias
ROUNDING = 2.0**-8  # of bfloat16


def moved_layers(artifact: Artifact, tested: Collection[str]) -> Iterator[KernelInitialization]:
    """Layers outside of the routes `tested` with a weight that no initialiser of theirs draws.

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
    """Why this weight is not as it was drawn, "" where nothing says so."""
    if role == "bias":
        usual = any(d.kind == "constant" and d.mean in STARTS for d in _drawn(layer, role, tensor))
        if not usual or tensor.source is None or tensor.nbytes > LARGEST:
            return ""
        still = bool(np.isin(tensor.source.array(), STARTS).all())
        return "" if still else "the bias has moved"
    options, stats = _drawn(layer, role.removesuffix("_kernel"), tensor), tensor.stats
    if not options or stats is None:
        return ""
    low = min(each.low for each in options)
    high = max(each.high for each in options)
    slack = ROUNDING * (high - low)
    if stats.minimum < low - slack or stats.maximum > high + slack:
        return "weights lie beyond the initializer's bound"
    return ""


def _drawn(layer: Layer, role: str, tensor: Tensor) -> tuple[Distribution, ...]:
    """What the layer's own config draws this weight from."""
    said = layer.config.get(f"{role}_initializer")
    said = {"class_name": said} if isinstance(said, str) else said
    return candidates(said, tensor.shape) if isinstance(said, Mapping) else ()
