"""MA440, and what MA430 and MA432 say of trainings that hardly changed what was drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Layer, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.kernels.initializers import canonical_name
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.architecture.cancelled_biases import cancelled_biases
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.constant_scores import nearly_nothing
from modelaudit.rules.initial_weights.drawn_weights import looks_drawn
from modelaudit.rules.initial_weights.first_kernel_steps import (
    large_by_moves,
    large_by_steps,
    least_size,
    moved_by_inputs,
    tells_scale,
)
from modelaudit.rules.initial_weights.initial_values import never_trained
from modelaudit.rules.initial_weights.still_kernels import still_kernels
from modelaudit.rules.initial_weights.training_reach import (
    barely_trained,
    moved_share,
    one_step_of,
    require_steps,
)
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.learning_rates import rate_of
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.network.quantized_layers import quantized
from modelaudit.rules.training.advice import Training, rescaling_before, scaled_once
from modelaudit.rules.training.saturated_inputs import large_for_limits
from modelaudit.structs import replace
from modelaudit.thresholds.design import LOW_RATE
from modelaudit.thresholds.training import (
    FEW_STEPS,
    HARDLY_MOVED,
    SHORT_REACH,
    UNSCALED,
)
from modelaudit.thresholds.weights import MIN_VALUES

_ZEROS = frozenset(("zeros", "zero", ""))


def biased_layers(facts: Facts) -> list[tuple[Layer, TensorStats, TensorStats]]:
    """The trained layers whose biases started at 0, or at 0 and 1, with kernel and bias."""
    tensors = facts.artifact.by_name
    architecture = facts.artifact.architecture
    found = []
    for layer in architecture.layers if architecture else ():
        kernel, bias = (tensors.get(layer.variables.get(x, "")) for x in ("kernel", "bias"))
        said = layer.config.get("bias_initializer", "zeros")
        name = canonical_name(said if isinstance(said, dict) else {"class_name": said})
        if not (layer.trainable and kernel and kernel.stats and bias and bias.stats):
            continue
        if name in _ZEROS:
            found.append((layer, kernel.stats, bias.stats))
    return found


def spread_pairs(facts: Facts) -> list[tuple[Layer, TensorStats, TensorStats]]:
    """The same without kernels of one value, and of integers, whose scale is elsewhere."""
    return [each for each in biased_layers(facts) if each[1].std > 0 and not quantized(each[0])]


def _as_drawn(facts: Facts, state: OptimizerState) -> tuple[float, str] | None:
    """How far the biases moved beside the weights that were drawn, and the layer where most.

    Returns:
        The largest bias as a share of the spread of its kernel, if it is small in all layers and
        the kernels still look as their initializers draw them; otherwise None.
    """
    pairs = spread_pairs(facts)
    if len(pairs) < 2 or (state.steps or 0) < FEW_STEPS.value or not look_drawn(facts):
        return None
    largest = max(
        (moved_beyond(layer, bias) / kernel.std, layer.route) for layer, kernel, bias in pairs
    )
    return largest if 0 < largest[0] < HARDLY_MOVED.value else None


def moved_beyond(layer: Layer, bias: TensorStats) -> float:
    """How far the values of a bias are from their start: 0, or 0 and 1 of forget gates, beyond both."""
    if layer.config.get("unit_forget_bias") is True:
        return max(-bias.minimum, bias.maximum - 1.0)
    return max(abs(bias.minimum), abs(bias.maximum))


def slightly_changed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Weights of any file that show by themselves how little they were trained.

    Without a config, the initial value of a bias is taken for the nearest one that is usual.
    """
    biased = [kernel for kernel in facts.artifact.kernels if kernel.bias]
    found = facts.measurements
    if found is None or len(biased) < 2:
        return
    share = max(moved_share(facts.artifact, kernel) for kernel in biased)
    if not (0 < share < SHORT_REACH.value and look_drawn(facts, share)):
        return
    if never_trained(facts.artifact, found.initialization, found.batchnorm)[0]:
        return  # said by MA404
    state = optimizer_state(facts.artifact)
    steps = state.steps if state is not None else None
    made = (
        f", in {counted(steps, 'step', 'steps')}" if steps else ", as after few or very small steps"
    )
    yield rule.finding(
        "The kernels look as their initializers draw them, and no bias has moved by more than "
        f"{100 * share:.2g}% of the spread of its kernel{made}.",
        evidence={"measured": share, "unit": SHORT_REACH.unit, "threshold": SHORT_REACH.value},
        confidence=Confidence.MEDIUM,
        title="Training hardly changed the weights" if steps else "",
        fix="See that the inputs of training differ and reach the layers. If they do, train for more "
        "epochs, or with a higher learning rate."
        if steps
        else "Train for more epochs, or with a higher learning rate.",
    )


def look_drawn(facts: Facts, moved: float = 0.0) -> bool:
    """Whether there are large kernels, and all look as their initializers draw them.

    Args:
        facts: the model.
        moved: how far steps have moved each weight since, as a share of the spread of a kernel. That
            brings about `moved / (2 * sqrt(3))` of a uniform draw out of its range.
    """
    kernels = facts.measurements.initialization if facts.measurements else ()
    large = [kernel for kernel in kernels if kernel.weights >= MIN_VALUES.value]
    outside = max(HARDLY_MOVED.value, moved / math.sqrt(12))
    return bool(large) and all(looks_drawn(kernel, outside) for kernel in large)


def hardly_left(facts: Facts) -> str:
    """What shows that the few steps of a training were all; empty if nothing does."""
    found = facts.measurements
    if found and never_trained(facts.artifact, found.initialization, found.batchnorm)[0]:
        return ""  # said by MA404
    if look_drawn(facts):
        return ", and the weights look as their initializers draw them"
    steps = barely_trained(facts.artifact)
    reach = steps * one_step_of(facts.artifact)
    trained = any(  # before it was compiled again
        kernel.tests.get("fits") is False
        and kernel.tests.get("trainable") is not False
        and not kernel.guessed
        and "ks_distance" in kernel.tests  # any step ends what is exact, as orthogonality
        and not looks_drawn(kernel)
        and not _within(facts, kernel, reach)
        for kernel in (found.initialization if found else ())
    )
    if trained or not steps:
        return ""
    return ", and no bias that it trains is further from its start than these can move it"


def _within(facts: Facts, kernel: KernelInitialization, reach: float) -> bool:
    """Whether no weight is further from the range of its initializer than steps can have moved it."""
    tensor, bound = facts.artifact.by_name.get(kernel.tensor), kernel.tests.get("bound")
    if tensor is None or tensor.stats is None or not isinstance(bound, float):
        return False
    return max(-tensor.stats.minimum, tensor.stats.maximum) <= bound + reach


def hardly_changed(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """Steps that hardly changed the weights."""
    found = facts.measurements
    moved = _as_drawn(facts, state)
    if found is None or moved is None:
        return
    if never_trained(facts.artifact, found.initialization, found.batchnorm)[0]:
        return  # said by MA404
    if moved_by_inputs(facts, state) is not None:
        return  # of large inputs, small steps change much: said by MA440
    rate = f" with a learning rate of {state.rate:g}" if state.rate is not None else ""
    yield rule.finding(
        f"{counted(state.steps or 0, 'step', 'steps')}{rate} moved no bias by more than "
        f"{moved[0]:.1%} of the spread of the weights ({moved[1]}), and the kernels look as their "
        "initializers draw them.",
        route=moved[1],
        evidence={
            "measured": moved[0],
            "unit": HARDLY_MOVED.unit,
            "threshold": HARDLY_MOVED.value,
            "learning_rate": state.rate,
        },
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix="Use a higher learning rate or Adam, or train for more epochs.",
    )


def _farthest(facts: Facts, state: OptimizerState) -> tuple[float, float] | None:
    """How far the Adam family can have moved any weight, and that as a share of their spread.

    Its steps have at most about the size of the learning rate (arXiv:1412.6980, section 2.1), those
    of RMSprop that of `one_step_of`, of which its momentum m sums up to 1 / (1 - m).

    Returns:
        None if that is unknown, or the biases say that the training was not the first.
    """
    step = one_step_of(facts.artifact)
    # Without a name, both averages stand for the Adam family; RMSprop keeps only that of squares.
    if not state.name and any(each.second and each.first is not None for each in state.moments):
        step = state.rate or 0.0
    momentum = state.settings.get("momentum") if state.name.lower() == "rmsprop" else 0.0
    if isinstance(momentum, float) and 0 < momentum < 1:
        step /= 1 - momentum
    pairs, reach = spread_pairs(facts), step * (state.steps or 0)
    if not pairs or not reach > 0:
        return None
    for layer, _, bias in pairs:
        start = 1.0 if layer.config.get("unit_forget_bias") is True else 0.0
        if bias.minimum < -reach or bias.maximum > start + reach:
            return None
    return reach, reach / min(kernel.std for _, kernel, _ in pairs)


def short(facts: Facts, state: OptimizerState) -> tuple[float, float] | None:
    """How far the Adam family can have moved any weight, if that is too little to learn by.

    Returns:
        The distance, and that as a share of the spread of the weights; None if it is larger.
    """
    found = _farthest(facts, state)
    return found if found is not None and found[1] < SHORT_REACH.value else None


def training_without_steps(facts: Facts) -> Training | None:
    """What to do if the optimizer has made no step; None otherwise."""
    state = optimizer_state(facts.artifact)
    return Training.AT_ALL if state is not None and state.steps == 0 else None


def steps_without_effect(facts: Facts) -> int:
    """The steps at a learning rate of nearly 0 that left all they trained as drawn; 0 if none did.

    Frozen layers are not trained, and moving statistics move at any rate.
    """
    state, found = optimizer_state(facts.artifact), facts.measurements
    rate = rate_of(state) if state and state.steps and found else None
    if state is None or found is None or rate is None or not 0 <= rate < LOW_RATE.value:
        return 0
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    frozen = {layer.route for layer in layers if not layer.trainable}
    kernels = [x for x in found.initialization if x.tests.get("trainable") is not False]
    norms = [replace(x, statistics_initial=True) for x in found.batchnorm if x.route not in frozen]
    drawn, _ = never_trained(facts.artifact, kernels, norms)
    return (state.steps or 0) if drawn else 0


def _unscaled(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.measurements is not None
    graph = saved_graph(facts)
    state = optimizer_state(facts.artifact)

    def fix(route: str) -> str:
        return scaled_once(rescaling_before(graph, route))

    large = [*large_by_moves(rule, facts, state)] or [*large_by_steps(rule, facts, state)]
    large = large or [*nearly_nothing(rule, facts, fix)] or [*still_kernels(rule, facts, state)]
    if large:
        yield from large
        return
    if state is not None:
        require_steps(state)
    scales = facts.measurements.input_scales
    cancelled = cancelled_biases(graph, graph.consumers()) if scales else ()
    known = [(size, route) for route, size in scales.items() if math.isfinite(size)]
    sizes = [x for x in known if x[1] not in cancelled and tells_scale(graph, x[1])]
    if not sizes:
        raise NotApplicable("no layer that gets the inputs has averages of its gradients")
    size, route = max(sizes)
    least = least_size(facts, graph, route, size, scaled=rescaling_before(graph, route) is not None)
    if 0 < size < least:
        yield rule.finding(
            f"In training, `{route}` got values of about {size:.2g} at most: so much smaller are the "
            "averages of the gradients of its kernel than those of its bias. What is left to learn "
            "is the bias, the same answer for every input.",
            route=route,
            evidence={
                "measured": size,
                "unit": "root mean square of the largest input column",
                "threshold": least,
                "n": len(sizes),
            },
            title="The training inputs were scaled to nearly nothing",
            fix=fix(route),
        )
    if size > UNSCALED.value:
        yield rule.finding(
            f"In training, a column of what `{route}` got had a root mean square of about {size:,.3g}: so "
            "much larger are the averages of the gradients of its kernel than those of its bias.",
            route=route,
            evidence={
                "measured": size,
                "unit": "root mean square of the largest input column",
                "threshold": UNSCALED.value,
                "n": len(sizes),
            },
        )
    elif size >= least:
        yield from large_for_limits(rule, facts, sizes)


def _example(size: float) -> Facts:
    """A layer whose inputs had this size in training."""
    kernel = examples.tensor("dense/kernel", (100, 2))
    artifact = examples.model(examples.layer("dense"), tensors=(kernel,))
    return Facts(artifact, measurements=Measurements(input_scales={"dense": size}))


RULES = (
    Rule(
        code="MA440",
        name="unscaled-inputs-in-training",
        family=Family.WEIGHTS,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE, Need.TENSORS, Need.MEASUREMENTS),
        summary="The training inputs had large values that nothing scaled",
        pass_title="The training inputs had a usual scale",
        why="The gradient of a kernel is that of the bias times the input. With large inputs, the "
        "first steps saturate or kill the units of the first layer, and what remains to be learned "
        "is the bias: the same answer for all inputs.",
        fix="Scale the inputs to mean 0 and standard deviation 1, for example with a "
        "Normalization layer that was adapted to the training data, and train again.",
        check=_unscaled,
        bad=lambda: _example(5000.0),
        good=lambda: _example(1.0),
    ),
)
