"""What else than a restore explains one kernel that looks as drawn beside trained ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.initial_weights.drawn_weights import recurrent, set_alike
from modelaudit.rules.initial_weights.initial_explained import (
    BELOW_EPSILON,
    DEAD_BEFORE,
    HELD,
    NO_GRADIENT,
    NOT_FINITE,
    QUERIES,
    RESERVOIR,
    ROTATION,
    SIBLINGS,
)
from modelaudit.rules.initial_weights.training_reach import forgets_squares, kept_squares
from modelaudit.rules.initial_weights.training_traces import (
    among_siblings,
    may_be_held,
    may_be_rotation,
)
from modelaudit.rules.initial_weights.untrained_bodies import layer_of
from modelaudit.thresholds.training import SILENT_UNITS
from modelaudit.thresholds.weights import SLIGHT_REACH


def other_cause(
    artifact: Artifact, kernel: KernelInitialization, kernels: Sequence[KernelInitialization]
) -> str:
    """What else explains a kernel that looks as drawn; empty if nothing does."""
    if _not_finite(artifact, kernel):
        return NOT_FINITE
    if _below_epsilon(artifact, kernel):
        return BELOW_EPSILON
    if _never_reached(artifact):
        return NO_GRADIENT
    if among_siblings(artifact, kernel, kernels):
        return SIBLINGS
    if _queries_alone(kernel, kernels):
        return QUERIES
    if _behind_dead_units(artifact, kernel):
        return DEAD_BEFORE
    if _reservoir(artifact, kernel, kernels):
        return RESERVOIR
    if set_alike(kernel) and may_be_held(artifact, kernel):
        return HELD
    return ROTATION if may_be_rotation(artifact, kernel) else ""


def _not_finite(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether the averages of its gradients are NaN or infinite: no step moved it since."""
    state, route = optimizer_state(artifact), layer_of(kernel)
    role = kernel.tensor.removesuffix(":0").rpartition("/")[2]
    return any(
        each.nonfinite and each.route == route and (each.role or "kernel") in {role, "kernel"}
        for each in (state.moments if state else ())
    )


def _below_epsilon(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether all steps together cannot have moved it far, as its gradients are below epsilon.

    A step is the rate times m / (v ** 0.5 + epsilon), where v is made larger by what is left of its
    start at 0, and m is about as large as v ** 0.5 at most.
    """
    state, tensor = optimizer_state(artifact), artifact.by_name.get(kernel.tensor)
    if state is None or not state.steps or tensor is None or tensor.stats is None:
        return False
    epsilon, kept = number(state.settings.get("epsilon")), kept_squares(state)
    route = kernel.route
    squares = [
        each.second
        for each in state.moments
        if each.second
        and (route == f"{each.route}/{each.role}" or (route, "kernel") == (each.route, each.role))
    ]
    if not squares or not epsilon or kept is None or state.rate is None:
        return False
    size = math.sqrt(max(squares) / (1 - kept**state.steps))
    reach = 2 * state.steps * state.rate * size / (size + epsilon)
    return size < epsilon and reach <= SLIGHT_REACH.value * tensor.stats.std


def _never_reached(artifact: Artifact) -> bool:
    """Whether no step of the optimizer had a gradient, of any weight: MA433 tells why."""
    state = optimizer_state(artifact)
    squares = [each.second for each in state.moments] if state and state.steps else []
    kept = bool(squares) and not any(each is None or each for each in squares)
    return kept and state is not None and not forgets_squares(state)


def _behind_dead_units(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether many weights never received a gradient, while others and the bias did."""
    state = optimizer_state(artifact)
    route = layer_of(kernel)
    for each in state.moments if state else ():
        if (each.route, each.role) == (route, "kernel") and each.second:
            many = each.zeros > SILENT_UNITS.value * kernel.weights
            return many and kernel.tests.get("bias_initial") is False
    return False


def _queries_alone(kernel: KernelInitialization, kernels: Sequence[KernelInitialization]) -> bool:
    """Whether queries and keys of an attention are as drawn, but its values are not."""
    layer, _, part = kernel.route.removesuffix("/kernel").rpartition("/")
    fits = {
        each.route.removesuffix("/kernel").removeprefix(f"{layer}/"): each.tests.get("fits")
        for each in kernels
        if layer and each.route.startswith(f"{layer}/")
    }
    drawn = fits.get("query") is True and fits.get("key") is True
    return part in {"query", "key"} and drawn and fits.get("value") is False


def _reservoir(
    artifact: Artifact, kernel: KernelInitialization, kernels: Sequence[KernelInitialization]
) -> bool:
    """Whether the kernel is of a recurrent layer that may be random by design, and frozen.

    Its recurrent kernel fits none of the usual initializers. Training, which would have moved the
    biases, did not do that, so somebody chose how it is drawn. A graph of TensorFlow 1 calls its
    variables trainable also where the layer was frozen; an object graph does not.
    """
    layer = layer_of(kernel)
    usual = {"Orthogonal", "GlorotUniform"}  # of recurrent kernels
    chosen = any(
        each.guessed
        and (each.tests.get("fits") is False or each.initializer not in usual)
        and each.tests.get("bias_initial") is True
        and recurrent(each)
        and layer_of(each) == layer
        for each in kernels
    )
    return chosen and not any(node.kind == "variable" for node in artifact.object_graph)
