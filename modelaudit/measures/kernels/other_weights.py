"""Initial values of layers other than convolutions and Dense: recurrent, embedding, attention."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Json, Kernel, Layer, Tensor
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.kernels.initialization import LayerContext, kernel_initialization
from modelaudit.measures.kernels.initializers import Distribution, candidates
from modelaudit.measures.kernels.values import load_kernel
from modelaudit.structs import replace
from modelaudit.thresholds.weights import SMALL

STARTS = (0.0, 1.0)  # initial biases in Keras: zeros, and ones for forget gates
LARGEST = 1 << 24  # maximum size of a bias in bytes
ROUNDING = 2.0**-8  # relative rounding error of bfloat16
# Keras' initializers of matrices that a weights file only names; kernels are tested against nine.
_USUAL: Mapping[str, Mapping[str, Json] | None] = {
    "kernel": None,
    "recurrent_kernel": {"class_name": "Orthogonal"},
    "embeddings": {"class_name": "RandomUniform"},
}


def trained_layers(artifact: Artifact, tested: Collection[str]) -> Iterator[KernelInitialization]:
    """Layers, other than the routes `tested`, with a weight that their initializer cannot draw.

    Recurrent layers, embeddings and attention layers are not tested for their initial values, so
    they are never called fresh here. They prevent a model from being called untrained because of
    its last layer alone.

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
                    tests={"trainable": layer.trainable}
                    | ({} if role == "bias" else {"fits": False}),
                    reason=reason,
                )
                break


def fitting_weights(artifact: Artifact, tested: Collection[str]) -> Iterator[KernelInitialization]:
    """Large matrices of layers, other than the routes `tested`, that look freshly drawn.

    These are the weights of recurrent layers, embeddings and attention. They are called fresh only
    if nothing else in the layer was trained. Without an architecture, all of them are given.

    Raises:
        ReadError: a weight cannot be read.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for route, role, name, initializer, trainable in _other_matrices(artifact, tested):
        tensor = tensors[name]
        if tensor.size < SMALL.value or tensor.nbytes > LARGEST or len(tensor.shape) < 2:
            continue
        kernel = Kernel(
            f"{route}/{role}", name, "dense", "io", 0, tensor.shape, initializer=initializer
        )
        context = LayerContext(_biases_start(artifact, route), None, trainable)
        values = load_kernel(kernel, tensor)
        found = kernel_initialization(kernel, values, tensor.dtype, context, len(tensors))
        if artifact.architecture is None:
            yield replace(found, guessed=True)
        elif found.tests.get("fits"):
            yield found  # `trained_layers` has the others


def _other_matrices(
    artifact: Artifact, tested: Collection[str]
) -> Iterator[tuple[str, str, str, Mapping[str, Json] | None, bool]]:
    """Route, role, tensor, initializer and `trainable` of matrices that are not tested yet."""
    architecture = artifact.architecture
    for layer in architecture.layers if architecture else ():
        if layer.route in tested or layer.custom:
            continue
        for role, name in layer.variables.items():
            last = role.rpartition("/")[2]
            said = layer.config.get(f"{last}_initializer")
            said = layer.config.get(f"{last.removesuffix('_kernel')}_initializer", said)
            said = {"class_name": said} if isinstance(said, str) else said
            if isinstance(said, dict) and "bias" not in last:
                yield layer.route, role, name, said, layer.trainable
    if architecture is None:
        names = variable_names(artifact)
        known = {tensor.name for tensor in artifact.tensors if tensor.role == "weight"}
        for name in sorted(known):
            route, _, role = names.get(name, name).removesuffix(":0").rpartition("/")
            if route not in tested and role in _USUAL:
                yield route, role, name, _USUAL[role], True


def _biases_start(artifact: Artifact, route: str) -> bool | None:
    """Whether all biases of a recurrent or attention layer are at 0 or 1; None without any."""
    architecture = artifact.architecture
    if architecture is None:
        names = variable_names(artifact)
        said = {t.name: names.get(t.name, t.name).removesuffix(":0") for t in artifact.tensors}
        own = {name for name, word in said.items() if word == f"{route}/bias"}
    else:
        own = {
            name
            for role, name in architecture.layer(route).variables.items()
            if role.rpartition("/")[2] == "bias"
        }
    starts = [
        bool(np.isin(tensor.source.array(), STARTS).all())
        for tensor in artifact.tensors
        if tensor.name in own and tensor.source is not None and tensor.nbytes <= LARGEST
    ]
    return all(starts) if starts else None


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
