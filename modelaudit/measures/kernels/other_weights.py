"""Initial values of layers other than convolutions and Dense: recurrent, embedding, attention."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Json, Kernel, Layer, Tensor
from modelaudit.graphs import VARIABLE_KEY_END
from modelaudit.layer_classes import Trait, classes
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.kernels.initialization import LayerContext, kernel_initialization
from modelaudit.measures.kernels.initializers import (
    CONSTANT_INITIALIZERS,
    Distribution,
    candidates,
    canonical_name,
    einsum_candidates,
)
from modelaudit.measures.kernels.values import KernelValues, load_kernel
from modelaudit.structs import PerObject, replace
from modelaudit.thresholds.weights import MIN_WEIGHTS_WITH_BIAS, SMALL

AVERAGE = "/ExponentialMovingAverage"
STARTS = (0.0, 1.0)  # initial biases in Keras: zeros, and ones for forget gates
LARGEST = 1 << 24  # maximum size of a bias in bytes
# Gates in Keras, the number of the one that a first step does not train, and its name: of an LSTM
# input, forget, candidate, output; of a GRU with one bias update, reset, candidate.
_IDLE_GATES = {"LSTM": (4, 1, "forget"), "GRU": (3, 1, "reset")}
OPEN_STEPS = "open"  # no gate tells, and sequences may have one step
ROUNDING = 2.0**-8  # relative rounding error of bfloat16
_EINSUMS = classes(Trait.ATTENTION) | {"EinsumDense"}
# Keras' initializers of matrices that a weights file only names; kernels are tested against nine.
_USUAL: Mapping[str, Mapping[str, Json] | None] = {
    "kernel": None,
    "recurrent_kernel": {"class_name": "Orthogonal"},
    "embeddings": {"class_name": "RandomUniform"},
}


def trained_layers(
    artifact: Artifact, tested: Collection[str], tensors_tested: frozenset[str] = frozenset()
) -> Iterator[KernelInitialization]:
    """Other layers than the routes `tested` with a weight that their initializer cannot draw.

    Small recurrent layers, embeddings and attention layers are not tested for their initial
    values, so they are never called fresh here. They prevent a model from being called untrained
    because of its last layer alone. Layers with a tensor among `tensors_tested` are left out.

    Raises:
        ReadError: a bias cannot be read.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for layer in artifact.architecture.layers if artifact.architecture else ():
        if layer.route in tested or not tensors_tested.isdisjoint(layer.variables.values()):
            continue
        for role, name in layer.variables.items():
            tensor = tensors.get(name)
            reason = _moved(layer, role, tensor) if tensor is not None else ""
            if tensor is not None and reason:
                weight = role != "bias"
                outside = _outside(layer, role, tensor) if weight else None
                yield KernelInitialization(
                    route=layer.route,
                    tensor=name,
                    initializer="",
                    state="trained",
                    weights=tensor.size,
                    tests={
                        "trainable": layer.trainable,
                        "bias_initial": biases_start(artifact, layer.route),
                    }
                    | ({"fits": False, "outside": outside} if weight else {}),
                    reason=reason,
                )
                break


def other_matrices(artifact: Artifact, tested: Collection[str]) -> Iterator[KernelInitialization]:
    """Tests of matrices of layers, other than the routes `tested`.

    These are the weights of recurrent layers, embeddings and attention. They are called fresh only
    if nothing else in the layer was trained. Of small ones, training shows only where their
    initializer has a bound.

    Raises:
        ReadError: a weight cannot be read.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for route, role, name, initializer, trainable in _other_matrices(artifact, tested):
        tensor = tensors[name]
        last = role.rpartition("/")[2]
        named = canonical_name(initializer or {})
        put = named == "identity" or (named in CONSTANT_INITIALIZERS and last == "recurrent_kernel")
        small = tensor.size < MIN_WEIGHTS_WITH_BIAS.value and not put
        if small or tensor.nbytes > LARGEST or len(tensor.shape) < 2 or tensor.size < 2:
            continue
        kernel = Kernel(
            f"{route}/{role}", name, "dense", "io", 0, tensor.shape, initializer=initializer
        )
        context = LayerContext(biases_start(artifact, route), None, trainable)
        values = load_kernel(kernel, tensor)
        settings = (values, tensor.dtype, context, len(tensors))
        found = kernel_initialization(kernel, *settings)
        drawn_alike = artifact.architecture is None and role in ("recurrent_kernel", "embeddings")
        if drawn_alike and not _fits(found):
            found = _of_another(kernel, *settings) or found
        if last == "recurrent_kernel" and (idle := _idle_gates(artifact, route, role)):
            found = replace(found, tests=dict(found.tests) | {"idle_gates": idle})
        told = put or found.tests.get("law") in {"uniform", "orthogonal", "identity"}
        if tensor.size < SMALL.value and not (told or found.tests.get("draws") is True):
            continue
        if artifact.architecture is None:
            yield replace(found, guessed=True)
        elif found.tests.get("fits") is not None:
            yield found


def _of_another(
    kernel: Kernel, values: KernelValues, dtype: str, context: LayerContext, kernels: int
) -> KernelInitialization | None:
    """The test by another initializer than Keras' own, if the weights are as one of them.

    TensorFlow's tutorials draw recurrent kernels like others, and so do some embeddings. Of normal
    laws, nothing but the draws themselves tells.
    """
    identity: Mapping[str, Json] = {"class_name": "Identity"}  # of any gain
    glorot: Mapping[str, Json] = {"class_name": "GlorotUniform"}
    for initializer in (glorot, identity, None):
        tried = replace(kernel, initializer=initializer)
        found = kernel_initialization(tried, values, dtype, context, kernels)
        if _fits(found) and (initializer is not None or found.tests.get("draws") is True):
            return found
    return None


def _fits(found: KernelInitialization) -> bool:
    return found.tests.get("fits") is True


def moving_averages(artifact: Artifact) -> Iterator[KernelInitialization]:
    """Tests of the moving averages of matrices that `tf.train.ExponentialMovingAverage` keeps.

    They start at the initial values of the weights.

    Raises:
        ReadError: a weight cannot be read.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for name, tensor in tensors.items():
        weight = name.removesuffix(AVERAGE)
        fits = MIN_WEIGHTS_WITH_BIAS.value <= tensor.size and tensor.nbytes <= LARGEST
        if weight != name and weight in tensors and fits and len(tensor.shape) > 1:
            initializer = _USUAL.get(weight.rpartition("/")[2])
            kernel = Kernel(name, name, "dense", "io", 0, tensor.shape, initializer=initializer)
            values = load_kernel(kernel, tensor)
            settings = (values, tensor.dtype, LayerContext(), len(tensors))
            found = kernel_initialization(kernel, *settings)
            if not _fits(found):
                found = _of_another(kernel, *settings) or found
            yield replace(found, guessed=True)


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
        names, frozen = variable_names(artifact), frozen_variables(artifact)
        known = {tensor.name for tensor in artifact.tensors if tensor.role == "weight"}
        # Of a cell, a graph may show how one matrix is applied, and not the other.
        known -= {kernel.tensor for kernel in artifact.kernels}
        for name in sorted(known):
            route, _, role = names.get(name, name).removesuffix(":0").rpartition("/")
            if role in _USUAL and (role == "recurrent_kernel" or route not in tested):
                yield route, role, name, _USUAL[role], name not in frozen


def _named(artifact: Artifact) -> dict[str, list[Tensor]]:
    """Tensors by the name that layers have for them; by that of their variable without layers."""
    names = {} if artifact.architecture else variable_names(artifact)
    found: dict[str, list[Tensor]] = {}
    for tensor in artifact.tensors:
        word = tensor.name
        if not artifact.architecture:
            word = names.get(word, word).removesuffix(":0")
        found.setdefault(word, []).append(tensor)
    return found


_by_word = PerObject(_named)


def biases_start(artifact: Artifact, route: str) -> bool | None:
    """Whether all biases of a layer are where initializers start them; None without any.

    That is 0 or 1, or, where no architecture names the initializer, one value in all entries.
    """
    architecture = artifact.architecture
    own = [f"{route}/bias"]
    if architecture is not None:
        own = [
            name
            for role, name in architecture.layer(route).variables.items()
            if role.rpartition("/")[2] == "bias"
        ]
    starts = [
        _at_start(tensor.source.array(), architecture is None)
        for name in own
        for tensor in _by_word(artifact).get(name, ())
        if tensor.source is not None and tensor.nbytes <= LARGEST
    ]
    return all(starts) if starts else None


def _idle_gates(artifact: Artifact, route: str, role: str) -> str:
    """The gates that have their initial bias in all units while the others have not; "" without.

    From a state of 0 the first step forgets nothing and resets nothing, so that it trains all gates
    but these. Where no gate tells (of a GRU with two biases, of a SimpleRNN), `OPEN_STEPS` if the
    number of steps is open.
    """
    layer = artifact.architecture.layer(route) if artifact.architecture else None
    wrapped = layer.config.get("layer") if layer is not None else None
    kinds = {layer.class_name if layer is not None else ""}
    kinds |= {str(wrapped.get("class_name"))} if isinstance(wrapped, dict) else set()
    name = layer.variables.get(role.removesuffix("recurrent_kernel") + "bias", "") if layer else ""
    bias = next(iter(_by_word(artifact).get(name, ())), None)
    if layer is None or bias is None or bias.source is None or bias.nbytes > LARGEST:
        return ""
    steps = {shape[1] for shape in layer.input_shapes[:1] if len(shape) > 1}
    if "SimpleRNN" in kinds or ("GRU" in kinds and len(bias.shape) > 1):
        return OPEN_STEPS if steps == {None} else ""
    gates, idle, told = next((x for kind, x in _IDLE_GATES.items() if kind in kinds), (1, 0, ""))
    values = bias.source.array()
    if not told or values.ndim != 1 or values.size % gates:
        return ""
    initial = [
        bool((each == each[0]).all()) and each[0] in STARTS for each in np.split(values, gates)
    ]
    return told if initial == [place == idle for place in range(gates)] else ""


def _at_start(bias: NDArray[np.generic], unnamed: bool) -> bool:
    """Whether a bias is 0 and 1, or of one value if its initializer is `unnamed`."""
    alike = unnamed and bias.size > 1 and bool((bias == bias.flat[0]).all())
    return alike or bool(np.isin(bias, STARTS).all())


_LISTS = ("variables", "trainable_variables")


def _frozen(artifact: Artifact) -> frozenset[str]:
    nodes = {node.index: node for node in artifact.object_graph}
    frozen = {i for i, node in nodes.items() if node.detail.get("trainable") is False}
    for node in artifact.object_graph[:1]:
        listed = nodes.get(node.children.get("non_trainable_variables", -1))
        frozen |= set(listed.children.values()) if listed else set()
    for node in artifact.object_graph:  # layers of Keras 2 list all variables, and those they train
        held, moved = (nodes.get(node.children.get(each, -1)) for each in _LISTS)
        if held is not None and moved is not None:
            frozen |= {*held.children.values()} - {*moved.children.values()}
    trained = {name for graph in artifact.graphs for name in graph.trainable}
    weights = {tensor.name for tensor in artifact.tensors if tensor.role == "weight"}
    return frozenset(
        node.attributes["VARIABLE_VALUE"]["key"].removesuffix(VARIABLE_KEY_END)
        for i, node in nodes.items()
        if i in frozen and "VARIABLE_VALUE" in node.attributes
    ) | (weights - trained if weights & trained else frozenset())


frozen_variables = PerObject(_frozen)
"""Tensors that the object graph calls not trainable, or the graph of TF1 does not list so.

An export of Keras 3 lists them; the flag of a variable is that of the time it was made.
"""


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


def _outside(layer: Layer, role: str, tensor: Tensor) -> float | None:
    """Share of the weights beyond the bound of the initializer; None without a single bound."""
    options = _drawn(layer, role.removesuffix("_kernel"), tensor)
    if len(options) != 1 or tensor.source is None or tensor.nbytes > LARGEST:
        return None
    (law,), values = options, tensor.source.array().astype(np.float64)
    slack = ROUNDING * (law.high - law.low)
    return float(((values < law.low - slack) | (values > law.high + slack)).mean())


def _drawn(layer: Layer, role: str, tensor: Tensor) -> tuple[Distribution, ...]:
    """Distributions of a weight's initial values according to the layer's config."""
    said = layer.config.get(f"{role}_initializer")
    said = {"class_name": said} if isinstance(said, str) else said
    einsum = len(tensor.shape) == 3 and layer.class_name in _EINSUMS
    drawn = einsum_candidates if einsum else candidates
    return drawn(said, tensor.shape) if isinstance(said, Mapping) else ()
