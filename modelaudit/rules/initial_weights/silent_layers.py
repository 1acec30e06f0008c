"""Layers before ReLUs that gave 0 for every training input: they got no gradient, but are no body."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.initial_weights.initial_explained import BODY, SILENT
from modelaudit.rules.initial_weights.training_traces import left_out
from modelaudit.rules.initial_weights.untrained_bodies import Untouched, layer_of
from modelaudit.rules.network.network_heads import activation_of


def behind_rectifiers(
    artifact: Artifact, found: Sequence[Untouched], kernels: Sequence[KernelInitialization]
) -> tuple[Untouched, ...]:
    """The same; layers that were not frozen, before a ReLU behind which only biases have moved.

    What a head learns of a body, frozen or not, moves its kernel as well. Behind a ReLU that gives
    0 for every input a kernel has no gradient, and only the bias has one.
    """
    state = optimizer_state(artifact)
    layers = artifact.architecture.layers if artifact.architecture else ()
    routes = {layer_of(each.kernel) for each in found if each.against == BODY}
    before = [place for place, layer in enumerate(layers) if layer.route in routes]
    behind = [k for k in kernels if layer_of(k) not in routes and "norms" not in k.tests]
    if not before or not behind or not (state and state.steps):
        return tuple(found)
    heads = {layer_of(kernel) for kernel in behind}
    learnt = any(
        each.first or each.second
        for each in state.moments
        if each.route in heads and each.role == "kernel"
    )
    chosen = any(left_out(artifact, each.kernel) for each in found) or not all(
        layers[place].trainable for place in before
    )
    if learnt or chosen or any(kernel.tests.get("fits") is not True for kernel in behind):
        return tuple(found)
    end = next(
        (place for place in range(before[-1] + 1, len(layers)) if layers[place].variables),
        len(layers),
    )
    if not any(activation_of(layer) == "relu" for layer in layers[before[-1] : end]):
        return tuple(found)
    return tuple(
        Untouched(each.kernel, each.severity, SILENT) if each.against == BODY else each
        for each in found
    )
