"""How far training steps can have moved a weight, and whether a model was moved further."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from modelaudit.audit_types.kernels import InitialState, KernelInitialization
from modelaudit.facts import Artifact, Tensor
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.measures.kernels.other_weights import STARTS, frozen_variables
from modelaudit.measures.optimizer_state import NOT_TRAINED, optimizer_state
from modelaudit.rules.learning_rates import ADAPTIVE
from modelaudit.rules.training_traces import numbered, reached
from modelaudit.structs import replace
from modelaudit.thresholds.training import FEW_STEPS
from modelaudit.thresholds.weights import (
    FAR,
    HARDLY_MOVED,
    MIN_WEIGHTS_WITH_BIAS,
    SLIGHT_REACH,
)

_HALF = ("float16", "bfloat16")


def barely_trained(artifact: Artifact) -> int:
    """Training steps, if so few that they moved every bias, beta and gamma no further than they can.

    Adam's first steps are of about the learning rate. 0 if there were more, or nothing tells.
    """
    state = optimizer_state(artifact)
    if state is None or not state.steps or not state.rate or state.steps >= FEW_STEPS.value:
        return 0
    return state.steps if 0 < _furthest(artifact) <= 2 * state.steps * state.rate else 0


def _furthest(artifact: Artifact) -> float:
    """Largest distance of a bias, beta or gamma from the initial values; 0 without any."""
    return _distance(artifact, _vectors(artifact))


def _own_biases(artifact: Artifact, kernel: KernelInitialization) -> list[Tensor]:
    """The biases of the layer, or the cell, that a kernel belongs to."""
    route = re.sub("/(recurrent_)?kernel$", "", kernel.route)
    layers = artifact.architecture.layers if artifact.architecture else ()
    own = {k.bias for k in artifact.kernels if k.tensor == kernel.tensor}
    for layer in layers:
        if route == layer.route or route.startswith(f"{layer.route}/"):
            inner = route.removeprefix(layer.route).lstrip("/")
            own |= {x for role, x in layer.variables.items() if role.startswith(inner)}
    names = variable_names(artifact)
    own |= {x for x, said in names.items() if said.removesuffix(":0") == f"{route}/bias"}
    return [tensor for tensor in _vectors(artifact) if tensor.name in own]


def _distance(artifact: Artifact, vectors: Sequence[Tensor]) -> float:
    """Largest distance of these biases, betas or gammas from the initial values; 0 without any."""
    known = [(tensor, stats) for tensor in vectors if (stats := tensor.stats) is not None]
    apart = [
        min(abs(value - start) for start in _starts(artifact, tensor))
        for tensor, stats in known
        for value in (stats.minimum, stats.maximum)
    ]
    return max(apart, default=0.0)


def _starts(artifact: Artifact, tensor: Tensor) -> tuple[float, ...]:
    """Values that an initializer may have given to a bias, beta or gamma."""
    if artifact.architecture is None:
        alike = tensor.size > 1 and tensor.stats is not None and tensor.stats.constant
        return (*STARTS, tensor.stats.minimum) if alike and tensor.stats else STARTS
    for layer in artifact.architecture.layers:
        if layer.variables.get("bias") == tensor.name:
            said = layer.config.get("bias_initializer")
            drawn = candidates(said, tensor.shape) if isinstance(said, Mapping) else ()
            return STARTS + tuple(each.mean for each in drawn if each.kind == "constant")
    return STARTS


def far_from_start(artifact: Artifact, kernels: Sequence[KernelInitialization]) -> str:
    """A weight with a value that no usual initializer draws, or "".

    It shows training whatever the layer calls it. Statistics of data are no trained weights, nor are
    those that are frozen. One value in all entries, or a round one, may be a constant.
    """
    drawn = {kernel.tensor for kernel in kernels if kernel.tests.get("fits") is True}
    names, frozen = variable_names(artifact), frozen_variables(artifact)
    for tensor in artifact.tensors:
        stats, name = tensor.stats, names.get(tensor.name, tensor.name).removesuffix(":0")
        apart = tensor.name in drawn | frozen or name.rpartition("/")[2] in NOT_TRAINED
        if tensor.role != "weight" or apart or stats is None or "float" not in tensor.dtype:
            continue
        value = max(stats.minimum, stats.maximum, key=abs)
        chosen = stats.constant and (tensor.size > 1 or math.isclose(value, round(value, 2)))
        if tensor.shape and not chosen and FAR.value < abs(value) < math.inf:
            return f"{name} has the value {value:.4g}"
    return ""


def one_step_of(artifact: Artifact) -> float:
    """Distance that the compiled optimizer's first step moves a weight; 0 if gradients decide it.

    It is the learning rate of Adam and its like, and that by the root of 1 - rho of RMSprop, which
    does not correct its average of squares; only gradients near their epsilon give less.
    """
    state = optimizer_state(artifact)
    if state is None or not state.rate or state.name.lower() not in ADAPTIVE:
        return 0.0
    rho = state.settings.get("rho", 0.9) if state.name.lower() == "rmsprop" else 0.0
    if isinstance(rho, float) and 0 <= rho < 1:
        return state.rate / math.sqrt(1 - rho)
    return state.rate


def hardly_moved(
    artifact: Artifact, kernels: Sequence[KernelInitialization]
) -> tuple[list[KernelInitialization], float]:
    """The kernels, and 0; or, of a model that was trained without effect, how far biases moved.

    Then kernels as drawn are fresh, although their biases are not exactly at their initial values.
    Without effect is what rounding or less than one step of the optimizer moves.
    """
    furthest = _furthest(artifact)
    stats = {tensor.name: tensor.stats for tensor in artifact.tensors}
    spread = min((s.std for k in kernels if (s := stats.get(k.tensor)) and s.std > 0), default=0.0)
    step = min(one_step_of(artifact), SLIGHT_REACH.value * spread)
    if not 0 < furthest <= max(HARDLY_MOVED.value * spread, step):
        return [*kernels], 0.0
    return [_with_initial_bias(kernel) for kernel in kernels], furthest


def _with_initial_bias(kernel: KernelInitialization) -> KernelInitialization:
    """The same, with its bias taken for unmoved."""
    tests = dict(kernel.tests)
    if tests.get("bias_initial") is not False:
        return kernel
    fits, large = tests.get("fits"), kernel.weights >= MIN_WEIGHTS_WITH_BIAS.value
    state: InitialState = "fresh" if fits is True and large else "undecidable"
    kept = kernel.state if fits is False else state
    return replace(kernel, tests=tests | {"bias_initial": True}, state=kept)


def trained_slightly(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether gradients reached a kernel, whose updates may have been too small to show.

    Its moments are not 0, and either float16 rounded the updates away, or the steps that were made
    cannot move a weight far, or their number is not stored. A bias that is exactly at its start, or
    further from it than these steps can move it, shows that they did not train the layer as it is.
    """
    state = optimizer_state(artifact)
    tensor = next((each for each in artifact.tensors if each.name == kernel.tensor), None)
    if state is None or tensor is None or tensor.stats is None:
        return False
    steps, rate = state.steps, state.rate
    reach = 2 * steps * rate if steps is not None and rate is not None else None
    short = steps is None or (reach is not None and reach <= SLIGHT_REACH.value * tensor.stats.std)
    beyond = reach is not None and _distance(artifact, _own_biases(artifact, kernel)) > reach
    if steps_passed_by(artifact, kernel) or (short and beyond):
        return False
    return (short or tensor.dtype in _HALF) and reached(artifact, kernel) is True


def steps_passed_by(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether the kernel's bias is exactly at its start, which every step would have moved.

    In half precision, rounding may have lost its updates.
    """
    dtypes = {tensor.name: tensor.dtype for tensor in artifact.tensors}
    whole = dtypes.get(kernel.tensor) not in _HALF
    return whole and kernel.tests.get("bias_initial") is True


def _vectors(artifact: Artifact) -> list[Tensor]:
    """Biases, betas and gammas, by their role or by the name of the variable."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    roles = {name: role for layer in layers for role, name in layer.variables.items()}
    names = {**variable_names(artifact), **roles}
    return [
        tensor
        for tensor in artifact.tensors
        if tensor.role == "weight"
        and numbered(names.get(tensor.name, tensor.name).removesuffix(":0")).rpartition("/")[2]
        in {"bias", "beta", "gamma"}
    ]
