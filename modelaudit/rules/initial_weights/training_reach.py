"""How far training steps can have moved a weight, and whether a model was moved further."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct

from modelaudit.audit_types.kernels import InitialState, KernelInitialization
from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Kernel, Layer, Tensor
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.measures.kernels.other_weights import STARTS, frozen_variables
from modelaudit.measures.optimizer_state import (
    OptimizerState,
    optimizer_state,
)
from modelaudit.measures.weights_in_order import NOT_TRAINED
from modelaudit.rules.initial_weights.drawn_weights import exact
from modelaudit.rules.initial_weights.training_traces import got_gradients, numbered, reached
from modelaudit.rules.model import NotApplicable, NotRelevant
from modelaudit.rules.network.learning_rates import ADAPTIVE
from modelaudit.structs import PerObject, replace
from modelaudit.thresholds.training import FEW_STEPS
from modelaudit.thresholds.weights import (
    FAR,
    HARDLY_MOVED,
    MIN_WEIGHTS_WITH_BIAS,
    SLIGHT_REACH,
)

HALF = ("float16", "bfloat16")
_ULP = math.ldexp(1, -22)  # a change of this share of a float32 is not lost to rounding
FADED_AWAY = math.ldexp(1, -63)  # the root of twice the smallest normal float32


def require_steps(state: OptimizerState) -> None:
    """Check that the averages of gradients are those of at least `FEW_STEPS`.

    Raises:
        NotApplicable: the number of steps is not stored.
        NotRelevant: there were fewer.
    """
    if state.steps is None and not state.many_steps:
        raise NotApplicable("the number of training steps is not stored")
    if state.steps is not None and state.steps < FEW_STEPS.value:
        raise NotRelevant("there were too few training steps")


def barely_trained(artifact: Artifact) -> int:
    """Training steps, if so few that they moved every bias, beta and gamma no further than they can.

    Adam's first steps are of about the learning rate. 0 if there were more, or nothing tells.
    """
    state = optimizer_state(artifact)
    if state is None or not state.steps or not state.rate or state.steps >= FEW_STEPS.value:
        return 0
    step = max(state.rate, one_step_of(artifact))
    return state.steps if 0 < _furthest(artifact) <= 2 * state.steps * step else 0


def _of_all(artifact: Artifact) -> float:
    """Largest distance of a trained bias, beta or gamma from the initial values; 0 without any."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    kept = {x for layer in layers if not layer.trainable for x in layer.variables.values()}
    vectors = _tables(artifact).vectors
    return _distance(artifact, [each for name, each in vectors.items() if name not in kept])


_furthest = PerObject(_of_all)


def _own_biases(artifact: Artifact, kernel: KernelInitialization) -> list[Tensor]:
    """The biases of the layer, or the cell, that a kernel belongs to."""
    route, tables = re.sub("/(recurrent_)?kernel$", "", kernel.route), _tables(artifact)
    own = {*tables.biases.get(kernel.tensor, ()), *tables.biases.get(f"{route}/bias", ())}
    around, inner = route, ""
    while around:
        layer = tables.layers.get(around)
        variables = layer.variables if layer else {}
        own |= {name for role, name in variables.items() if role.startswith(inner)}
        around = around.rpartition("/")[0]
        inner = route.removeprefix(around).lstrip("/")
    vectors = tables.vectors
    return [vectors[name] for name in own if name in vectors]


def untouched_biases(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether its layer's biases moved by less than float32 shows beside 1: by next to no gradient."""
    own = _own_biases(artifact, kernel)
    return bool(own) and _distance(artifact, own) < math.ldexp(1, -24)


def _distance(artifact: Artifact, vectors: Sequence[Tensor]) -> float:
    """Largest distance of these biases, betas or gammas from the initial values; 0 without any."""
    known = [
        (stats, _starts(artifact, tensor))
        for tensor in vectors
        if (stats := tensor.stats) is not None
    ]
    apart = [
        min(abs(value - start) for start in starts)
        for stats, starts in known
        for value in (stats.minimum, stats.maximum)
    ]
    return max(apart, default=0.0)


def moved_share(artifact: Artifact, kernel: Kernel) -> float:
    """How far its bias is from usual initial values, as a share of the spread of a kernel."""
    tables = _tables(artifact)
    stats, bias = tables.tensors[kernel.tensor].stats, tables.tensors.get(kernel.bias or "")
    spread = stats.std if stats else 0.0
    return _distance(artifact, [bias]) / spread if bias and spread else 0.0


def _starts(artifact: Artifact, tensor: Tensor) -> tuple[float, ...]:
    """Values that an initializer may have given to a bias, beta or gamma."""
    if artifact.architecture is None:
        alike = tensor.size > 1 and tensor.stats is not None and tensor.stats.constant
        return (*STARTS, tensor.stats.minimum) if alike and tensor.stats else STARTS
    layer = _tables(artifact).biased.get(tensor.name)
    said = layer.config.get("bias_initializer") if layer else None
    drawn = candidates(said, tensor.shape) if isinstance(said, Mapping) else ()
    return STARTS + tuple(each.mean for each in drawn if each.kind == "constant")


def far_from_start(artifact: Artifact, kernels: Sequence[KernelInitialization]) -> str:
    """What a weight has that initializers do not give: a value that none draws, or, in a layer of an
    unknown class, a vector that is neither 0 nor 1 as biases and scales start; or "".

    It shows training whatever the layer calls it. Statistics of data are no trained weights, nor are
    those that are frozen. One value in all entries, or a round one, may be a constant.
    """
    drawn = {kernel.tensor for kernel in kernels if kernel.tests.get("fits") is True}
    names, apart_from = variable_names(artifact), drawn | frozen_variables(artifact)
    for tensor in artifact.tensors:
        stats, name = tensor.stats, names.get(tensor.name, tensor.name).removesuffix(":0")
        apart = tensor.name in apart_from or name.rpartition("/")[2] in NOT_TRAINED
        if tensor.role != "weight" or apart or stats is None or "float" not in tensor.dtype:
            continue
        value = max(stats.minimum, stats.maximum, key=abs)
        chosen = stats.constant and (tensor.size > 1 or math.isclose(value, round(value, 2)))
        if tensor.shape and not chosen and FAR.value < abs(value) < math.inf:
            return f"`{name}` has the value {value:.4g}, which no initializer draws"
    limit = _without_effect(artifact, kernels)
    for tensor in _of_unknown_layers(artifact):
        if tensor.stats is not None and _distance(artifact, [tensor]) > limit:
            return (
                f"`{tensor.name}`, in a layer of an unknown class, is not constant as biases start"
            )
    return ""


def _of_unknown_layers(artifact: Artifact) -> list[Tensor]:
    """Vectors of layers whose classes are not known: most are biases or scales."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    if not any(layer.custom for layer in layers):
        return []
    known = {x for layer in layers if not layer.custom for x in layer.variables.values()}
    known |= _tables(artifact).vectors.keys() | frozen_variables(artifact)
    return [
        tensor
        for tensor in artifact.tensors
        if tensor.role == "weight"
        and len(tensor.shape) == 1 < tensor.size
        and tensor.name not in known
        and "float" in tensor.dtype
        and tensor.stats is not None
        and not tensor.stats.constant
    ]


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
    furthest = max(_furthest(artifact), _distance(artifact, _of_unknown_layers(artifact)))
    if not 0 < furthest <= _without_effect(artifact, kernels):
        return [*kernels], 0.0
    return [_with_initial_bias(kernel) for kernel in kernels], furthest


def _without_effect(artifact: Artifact, kernels: Sequence[KernelInitialization]) -> float:
    """How far rounding, or less than one step of the optimizer, moves a bias."""
    stats = {tensor.name: tensor.stats for tensor in artifact.tensors}
    biased = [each for each in kernels if each.tests.get("bias_initial") is not None] or kernels
    spread = min((s.std for k in biased if (s := stats.get(k.tensor)) and s.std > 0), default=0.0)
    return max(HARDLY_MOVED.value * spread, min(one_step_of(artifact), SLIGHT_REACH.value * spread))


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
    further from it than these steps can move it, shows that they did not train the layer as it is;
    so do weights that are all draws of the initializer, bit for bit.
    """
    state = optimizer_state(artifact)
    tensor = _tables(artifact).tensors.get(kernel.tensor)
    if state is None or tensor is None or tensor.stats is None:
        return False
    steps, rate = state.steps, state.rate
    reach = 2 * steps * rate if steps is not None and rate is not None else None
    short = steps is None or (reach is not None and reach <= SLIGHT_REACH.value * tensor.stats.std)
    beyond = reach is not None and _distance(artifact, _own_biases(artifact, kernel)) > reach
    if steps_passed_by(artifact, kernel) or (short and beyond):
        return False
    return (short or tensor.dtype in HALF) and reached(artifact, kernel) is True


def steps_passed_by(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether the kernel's bias is exactly at its start, which every step would have moved.

    Or all weights are, where a step of the optimizer is far larger than their rounding. In half
    precision, rounding may have lost its updates.
    """
    tensor = _tables(artifact).tensors.get(kernel.tensor)
    stats = tensor.stats if tensor is not None else None
    largest = max(abs(stats.minimum), abs(stats.maximum)) if stats is not None else math.inf
    if exact(kernel) and one_step_of(artifact) > _ULP * largest:
        return True
    return (tensor is None or tensor.dtype not in HALF) and kernel.tests.get("bias_initial") is True


def how_untrained(artifact: Artifact, kernel: KernelInitialization) -> str:
    """How a kernel as drawn came about, if no restore skipped it."""
    if not got_gradients(artifact, kernel):
        return "not trained"
    anew = steps_passed_by(artifact, kernel)
    how = "drawn anew after training" if anew else "training hardly moved it"
    return f"{how}: its gradients were not 0"


class _Tables(Struct, frozen=True):
    """What tells which bias belongs to what.

    Attributes:
        tensors: all, by name.
        vectors: biases, betas and gammas, by name.
        layers: by route.
        biased: the layer of each bias, by the name of its tensor.
        biases: names of biases, by the tensor of their kernel and by the name of the variable.
    """

    tensors: Mapping[str, Tensor]
    vectors: Mapping[str, Tensor]
    layers: Mapping[str, Layer]
    biased: Mapping[str, Layer]
    biases: Mapping[str, Sequence[str]]


def _look_up(artifact: Artifact) -> _Tables:
    layers = artifact.architecture.layers if artifact.architecture else ()
    names, biases = variable_names(artifact), defaultdict[str, list[str]](list)
    for tensor, said in names.items():
        biases[said.removesuffix(":0")].append(tensor)
    for kernel in artifact.kernels:
        if kernel.bias is not None:
            biases[kernel.tensor].append(kernel.bias)
    return _Tables(
        {tensor.name: tensor for tensor in artifact.tensors},
        _vectors(artifact, names),
        {layer.route: layer for layer in layers},
        {layer.variables["bias"]: layer for layer in layers[::-1] if "bias" in layer.variables},
        biases,
    )


_tables = PerObject(_look_up)


def _vectors(artifact: Artifact, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Biases, betas and gammas by name, found by their role or by the name of the variable."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    names = {**names, **{x: role for layer in layers for role, x in layer.variables.items()}}
    return {
        tensor.name: tensor
        for tensor in artifact.tensors
        if tensor.role == "weight"
        and numbered(names.get(tensor.name, tensor.name).removesuffix(":0")).rpartition("/")[2]
        in {"bias", "beta", "gamma"}
    }


def kept_squares(state: OptimizerState) -> float | None:
    """The share of an average of squares that each step keeps; None if the config is unusual."""
    usual_rho = {"rmsprop": 0.9, "adadelta": 0.95}.get(state.name.lower())
    key, usual = ("beta_2", 0.999) if usual_rho is None else ("rho", usual_rho)
    kept = state.settings.get(key, usual)
    return kept if isinstance(kept, float) and 0 < kept < 1 else None


def forgets_squares(state: OptimizerState) -> bool:
    """Whether there were so many steps that squares of gradients at their start may be 0 by now."""
    kept = kept_squares(state)
    return kept is not None and _fades(kept, state)


def forgets_gradients(state: OptimizerState) -> bool:
    """The same of averages of the gradients themselves; true if what a step keeps is not known."""
    kept = number(state.settings.get("momentum", state.settings.get("beta_1")))
    return kept is None or not 0 < kept < 1 or _fades(kept, state)


def last_step_alone(state: OptimizerState) -> bool:
    """Whether what is kept of the gradients is that of the last batch: a momentum of 0."""
    return number(state.settings.get("momentum")) == 0


def _fades(kept: float, state: OptimizerState) -> bool:
    return (state.steps or 0) * -math.log(kept) > -math.log(FADED_AWAY)
