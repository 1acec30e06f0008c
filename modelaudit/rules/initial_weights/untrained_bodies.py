"""Bodies that were left out of training, as frozen ones whose pretrained weights were not loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

from msgspec import Struct

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact
from modelaudit.findings import Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules.initial_weights.initial_explained import (
    BODY,
    COPY,
    FEATURES,
    NETWORK,
    NO_GRADIENT,
    NO_STATE,
    ZEROS,
)
from modelaudit.rules.initial_weights.rebuilt_graphs import earlier_copies
from modelaudit.rules.initial_weights.training_reach import HALF

_OF_ATTENTION = frozenset(("query", "key", "value", "attention_output"))  # parts of one layer


class Untouched(Struct, frozen=True):
    """A kernel at its initial values in a trained model, and what speaks for and against a fault."""

    kernel: KernelInitialization
    severity: Severity
    against: str = ""


def only_head_moved(
    artifact: Artifact, kernels: Sequence[KernelInitialization]
) -> tuple[Untouched, ...]:
    """All kernels up to some layer, if their biases are at their start and all behind have moved.

    Every step moves every bias that it trains, so the first ones were trained in none, however many
    they are.
    """
    layers = artifact.architecture.layers if artifact.architecture else ()
    places = {layer.route: place for place, layer in enumerate(layers)}
    matrices = [k for k in kernels if "norms" not in k.tests and layer_of(k) in places]
    matrices.sort(key=lambda kernel: places[layer_of(kernel)])
    biases = [_companions(kernel) for kernel in matrices]
    end = next((place for place, bias in enumerate(biases) if bias is False), 0)
    first, rest = matrices[:end], biases[end:]
    drawn = all(k.tests.get("fits") is not False and not k.guessed for k in first)
    if not drawn or biases[:end].count(True) < 2 or rest.count(False) < len(rest):
        return ()
    frozen = _frozen_models(artifact)
    return tuple(_body(frozen, k) for k in first if k.tests.get("fits") is True)


def _frozen_models(artifact: Artifact) -> frozenset[str]:
    """The models that are frozen, or of which all layers with weights are.

    Keras 2 saves the first as the second until its configs name modules; later ones say it of the
    model itself.
    """
    layers = artifact.architecture.layers if artifact.architecture else ()
    old = not any(layer.module for layer in layers)
    weighing = [layer for layer in layers if old and layer.variables]

    def frozen(model: str) -> bool:
        inner = [layer for layer in weighing if layer.route.startswith(f"{model}/")]
        return bool(inner) and not any(layer.trainable for layer in inner)

    return frozenset(x.route for x in layers if x.is_model and (not x.trainable or frozen(x.route)))


def _body(frozen: Set[str], kernel: KernelInitialization) -> Untouched:
    """A kernel of a body; a model that was frozen as a whole is one whose weights are missing.

    Layers that were frozen one by one may be random features on purpose.
    """
    around = layer_of(kernel)
    while around and around not in frozen:
        around = around.rpartition("/")[0]
    return Untouched(kernel, Severity.MEDIUM if around else Severity.LOW, BODY)


def body_left_out(artifact: Artifact, found: Sequence[Untouched]) -> tuple[Untouched, ...]:
    """The same; several frozen layers as drawn are more than a layer of random features.

    Behind all layers that are trained, as a discriminator behind its generator, they are no body.
    """
    kept = [each for each in found if each.against in {FEATURES, NO_STATE}]
    names = {layer_of(each.kernel) for each in kept}
    layers = artifact.architecture.layers if artifact.architecture else ()
    first = next((place for place, layer in enumerate(layers) if layer.route in names), 0)
    behind = not any(layer.trainable and layer.variables for layer in layers[first:])
    if len(names) < 2 or (layers and behind):
        return tuple(found)
    frozen = _frozen_models(artifact)
    return tuple(_body(frozen, each.kernel) if each in kept else each for each in found)


def behind_zeros(artifact: Artifact, found: Sequence[Untouched]) -> tuple[Untouched, ...]:
    """The same; layers before a normalization that only got zeros had no gradient.

    A step moves gamma by what was normalized, and beta whatever it is. In half precision, usual steps
    move beta, which starts at 0, and are rounded away from a gamma of 1.
    """
    if artifact.architecture is None or not found:
        return tuple(found)
    stats = {tensor.name: tensor.stats for tensor in artifact.tensors}
    half = {tensor.name for tensor in artifact.tensors if tensor.dtype in HALF}
    graph = layer_graph(artifact.architecture)
    before: set[str] = set()
    for layer in graph.layers:
        gamma, beta = (stats.get(layer.variables.get(role, "")) for role in ("gamma", "beta"))
        fixed = gamma is not None and gamma.constant and gamma.maximum == 1
        fixed = fixed and layer.variables.get("gamma") not in half
        if fixed and layer.trainable and beta is not None and not beta.constant:
            before |= graph.above([layer.route]) - {layer.route}
    return tuple(
        Untouched(each.kernel, each.severity, ZEROS)
        if layer_of(each.kernel) in before
        and _companions(each.kernel) is not False
        and each.against in {"", BODY, NO_GRADIENT}
        else each
        for each in found
    )


def _companions(kernel: KernelInitialization) -> bool | None:
    """Whether its bias, or else the batch normalization behind it, is at its initial values."""
    bias = kernel.tests.get("bias_initial")
    found = kernel.tests.get("batchnorm_initial") if bias is None else bias
    return found if isinstance(found, bool) else None


def whole_networks(
    artifact: Artifact, found: Sequence[Untouched], kernels: Sequence[KernelInitialization]
) -> tuple[Untouched, ...]:
    """The same; a network of a checkpoint of several, of which nothing has moved, is no body.

    Such as the actor or the target beside a trained critic, named `model/1` or `target`.
    """
    if artifact.architecture is not None:
        return tuple(found)
    copies = earlier_copies(artifact, kernels)
    if copies:
        return tuple(
            Untouched(each.kernel, Severity.MEDIUM, COPY) if each.kernel.tensor in copies else each
            for each in found
        )
    touched = {
        _network(kernel)
        for kernel in kernels
        if False in (kernel.tests.get("fits"), kernel.tests.get("bias_initial"))
    }
    beside = {network.rpartition("/")[0] for network in touched}
    # The cell of a recurrent layer stands in a scope of its own, which is no network.
    counts = Counter(layer.rpartition("/")[0] for layer in {layer_of(e.kernel) for e in found})

    def alone(each: Untouched) -> bool:
        network = _network(each.kernel)
        untouched = bool(network) and network not in touched and counts[network] > 1
        return untouched and network.rpartition("/")[0] in beside

    return tuple(
        Untouched(each.kernel, min(each.severity, Severity.LOW, key=lambda x: x.rank), NETWORK)
        if alone(each)
        else each
        for each in found
    )


def _network(kernel: KernelInitialization) -> str:
    """The scope of a layer: `model/1` of `model/1/layer_with_weights-0`; "" of the only network."""
    around, _, part = layer_of(kernel).rpartition("/")
    return around.rpartition("/")[0] if part in _OF_ATTENTION else around


def layer_of(kernel: KernelInitialization) -> str:
    """The layer of a kernel, whose route may name the variable as well."""
    layer, _, role = kernel.route.rpartition("/")
    return layer if role in {"kernel", "recurrent_kernel", "embeddings"} else kernel.route
