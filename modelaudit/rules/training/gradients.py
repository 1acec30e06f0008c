"""MA433, MA434: what the optimizer's averages say of the gradients in training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from modelaudit.facts import Tensor
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.unused_results import UnusedResult, unused_results
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments
from modelaudit.measures.summary import Measurements
from modelaudit.rules.architecture.constant_layers import behind_constants
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.rules.initial_weights.training_reach import forgets_squares, require_steps
from modelaudit.rules.initial_weights.training_traces import without_state
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.network.sigmoids import sigmoid_depths
from modelaudit.rules.training.advice import for_penalized, for_silent
from modelaudit.rules.training.alike_inputs import fed_alike, fed_zeros
from modelaudit.rules.training.saturated_inputs import gets_nothing, some_are_right
from modelaudit.rules.training.silent_units import (
    above_rounding,
    biases_alone,
    dead_output,
    for_how_long,
    never_reached,
    of_the_last_step,
    silent_units,
    unreached,
)
from modelaudit.rules.training.steps import adam, compiled_state
from modelaudit.rules.training.still_statistics import around_single
from modelaudit.structs import replace
from modelaudit.thresholds.design import SIGMOIDS
from modelaudit.thresholds.training import (
    ALIVE,
    BIASES_ALONE,
    SCALED_AWAY,
    SHRINKING,
    STOPPED,
    STOPPED_MOMENTUM,
    VANISHED,
)
from modelaudit.thresholds.weights import AS_DRAWN

_MATRICES = frozenset(("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel"))


def trained_moments(facts: Facts) -> tuple[OptimizerState, tuple[WeightMoments, ...]]:
    """The optimizer and its averages, after at least `FEW_STEPS`."""
    state = compiled_state(facts)
    if not state.moments:
        raise NotApplicable("the file does not say which average of gradients belongs to what")
    require_steps(state)
    return state, above_rounding(state.moments)


def _weighs(each: WeightMoments) -> bool:
    """Whether it is a kernel; by its rank where only its number is stored."""
    return each.role in _MATRICES if each.role else len(each.shape) > 1


def _ratio(each: WeightMoments, largest: float, limit: float) -> float | None:
    """How much of a weight's past gradients still comes; None if nothing tells."""
    if each.first is not None and each.second is not None:
        return each.first / math.sqrt(each.second) if each.second > 0 else 0.0
    if each.first is None or not largest:
        return None
    return 0.0 if each.first < limit * largest else 1.0


def _momentum_limit(moments: Sequence[WeightMoments], largest: float) -> float:
    """The share of the largest momentum below which no gradient came."""
    alone = BIASES_ALONE.value
    kernels = [each for each in moments if _weighs(each)]
    few = kernels and all((each.first or 0.0) < alone * largest for each in kernels)
    return alone if few else STOPPED_MOMENTUM.value


def _no_gradient(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.measurements is not None
    unused = _unused(facts)
    yield from _without_effect(rule, facts, unused)
    left = without_state(facts.artifact, facts.measurements.initialization)
    left = tuple(each for each in left if each.tensor not in unused)
    if left:
        yield rule.finding(
            f"The optimizer keeps nothing of {', '.join(quoted(each.route for each in left[:5]))}, whose "
            "biases are exactly at their initial values, although it trained others and the graph "
            "calls them trainable: the loss does not depend on them, or they were left out of training.",
            route=left[0].route,
            evidence={"measured": len(left), "unit": "kernels without state"},
            fix="See whether their output leads to the loss. If they are to be trained, connect them, "
            "and train again.",
        )
    try:
        yield from _stopped(rule, facts, facts.measurements)
    except NotApplicable:
        if not left and not unused:
            raise


def _unused(facts: Facts) -> dict[str, UnusedResult]:
    """Kernels of a training graph whose results nothing takes, by their tensors."""
    kernels = [each.tensor for each in facts.artifact.kernels]
    found: dict[str, UnusedResult] = {}
    for graph in facts.artifact.graphs:
        if not graph.held_by:
            own = [each for each in facts.artifact.signatures if each.tags == graph.tags]
            found |= {each.variable: each for each in unused_results(graph, kernels, own)}
    return found


def _without_effect(
    rule: Rule, facts: Facts, unused: Mapping[str, UnusedResult]
) -> Iterator[Finding]:
    if not unused:
        return
    assert facts.measurements is not None
    routes = {each.tensor: each.route for each in facts.artifact.kernels}
    trained = {x.tensor for x in facts.measurements.initialization if x.state == "trained"}
    kept = not any(
        each.variable not in trained if each.spread is None else as_drawn(each.spread, tensor)
        for tensor in facts.artifact.tensors
        if (each := unused.get(tensor.name))
    )
    shown = [
        f"`{routes[name]}` (last operation: {', '.join(quoted(each.ends[:2]))})"
        for name, each in [*unused.items()][:5]
    ]
    yield rule.finding(
        f"In the graph, nothing takes the result of {', '.join(shown)}"
        + (f" and of {len(unused) - 5:,} more" if len(unused) > 5 else "")
        + ". The loss does not depend on it, and no optimizer changes its weights, which are "
        "trainable."
        + (" They are not as drawn: they may be left of another model." if kept else ""),
        route=routes[next(iter(unused))],
        severity=Severity.LOW if kept else rule.severity,
        title="Nothing takes the result of some layers",
        evidence={"measured": len(unused), "unit": "layers whose result nothing takes"},
        fix="See which layer should take the result: the next one probably has another input. "
        "Connect it, and train again.",
    )


def as_drawn(spread: float, tensor: Tensor) -> bool:
    """Whether a kernel's standard deviation is the one that its initializer draws."""
    if tensor.stats is None:
        return False
    error = spread / math.sqrt(2 * max(1, tensor.size))  # of a normal law; of others less
    return abs(tensor.stats.std - spread) <= AS_DRAWN.value * error


def _stopped(rule: Rule, facts: Facts, measured: Measurements) -> Iterator[Finding]:
    """Weights, and units of layers, whose averages say that their gradients ended."""
    state, moments = trained_moments(facts)
    never = never_reached(state)
    if never and all(each.state != "trained" for each in measured.initialization):
        raise NotRelevant("no weight received a gradient, and none was trained: MA404 judges it")
    units = [*dead_output(rule, facts, state), *silent_units(rule, facts, state)]
    yield from units
    largest = max((each.first or 0.0 for each in moments), default=0.0)
    limit = _momentum_limit(moments, largest)
    ratios = [(each, _ratio(each, largest, limit)) for each in moments]
    learn = {each.role for each, ratio in ratios if ratio is not None and ratio > ALIVE.value}
    if not learn:
        if units:
            return
        if never:
            yield unreached(rule, facts, state)
            return
        if all(each.first is None for each in moments):
            raise NotApplicable(f"{state.name or 'the optimizer'} keeps averages of squares only")
        raise NotRelevant("no weight received a gradient at the end: training had converged")
    # One gradient that exploded stays in the square for thousands of steps: the average itself has
    # to be small as well, beside that of the other weights. Where only biases learn, fewer steps tell.
    limit = ALIVE.value if learn <= {"bias", "beta"} else STOPPED.value
    stopped = [
        each
        for each, ratio in ratios
        if ratio is not None and ratio < limit and (each.first or 0.0) < ALIVE.value * largest
    ]
    # In sequences of one step, a recurrent kernel is not used.
    alive = {each.route for each in moments if _weighs(each) and each not in stopped}
    stopped = [e for e in stopped if not (e.role == "recurrent_kernel" and e.route in alive)]
    known = {
        each.kernel.route
        for each in left_initial(facts.artifact, measured.initialization, measured.batchnorm)
    }
    weighed, silent = ([*filter(_weighs, each)] for each in (moments, stopped))
    constant, single = behind_constants(facts), around_single(facts)
    said = all(x.route in known or constant(x.route) or single(x.route) for x in silent)
    if not silent and not measured.constant:
        for found in biases_alone(rule, state, right=some_are_right(facts, moments)):
            yield replace(found, fix=f"{for_penalized(facts)}{found.fix}")
    if measured.constant or said or fed_zeros(facts.artifact):
        return  # said by MA437, MA405, MA305, MA314 or MA439
    lately = of_the_last_step(state)
    never = not lately and all(not each.second and not each.first for each in silent)
    # Where the layers up to some place got no gradient, the output no longer depends on the input.
    behind = weighed[len(silent)] if weighed[: len(silent)] == silent != weighed else None
    fed = fed_alike(moments) if behind else None
    passes = behind is not None and not (fed and fed.route == behind.route)
    through = behind is not None or silent == weighed
    since = " since the model was compiled" if never else ""
    since = " for very many steps, or ever" if never and forgets_squares(state) else since
    when = "has reached" if never else f"reached{for_how_long(state, silent, ratios)}"
    when += ", in the last step," if lately else ""
    inputs = "input of the last batch" if lately else "training input"
    routes = [*dict.fromkeys(each.route for each in silent)]
    names = ", ".join(quoted(routes[:5])) + (
        f" and {len(routes) - 5:,} more" if len(routes) > 5 else ""
    )
    constant_input = _ends_in_a_bias(moments, stopped, silent == weighed)
    biased = {each.route for each in moments if each.role == "bias" and each not in stopped}
    empty = [each for each in routes if each in biased] if silent != weighed else []
    # What never got a gradient has learnt no answer that is beyond doubt.
    right = constant_input and not never and some_are_right(facts, moments)
    yield rule.finding(
        f"No gradient {when} {names}{since}. Of the {len(moments):,} trained weights, "
        f"{counted(len(moments) - len(stopped), 'receives', 'receive')} one still."
        + (" No kernel does: at the end, training moved biases alone." if silent == weighed else "")
        + gets_nothing(inputs, right=right) * constant_input
        + (
            f" The bias of {', '.join(quoted(empty[:5]))} does: what the layer got was 0."
            if empty
            else ""
        )
        + (
            f" `{behind.route}`, behind them, still learns: they may be saturated, or were kept as they "
            "are on purpose."
            if behind is not None and passes and not empty
            else ""
        ),
        route=silent[0].route,
        evidence={
            "measured": len(silent),
            "unit": "kernels without gradient",
            "n": len(weighed),
            "layers": [each.route for each in silent[:20]],
        },
        severity=Severity.LOW
        if right
        else Severity.HIGH
        if constant_input and not lately
        else rule.severity
        if through and not passes
        else Severity.LOW,
        fix=for_silent(facts, routes),
    )


def _ends_in_a_bias(
    moments: Sequence[WeightMoments], stopped: Sequence[WeightMoments], biases_alone: bool
) -> bool:
    """Whether the bias of the last kernel learns, and no kernel: the input of that one is 0.

    The gradient of a bias is the sum of the output's, that of the kernel their product with its
    input: where the first is not 0 and the second is, the layer gets 0 for every input.
    """
    last = [each for each in moments if _weighs(each)][-1:]
    alive = {each.route for each in moments if each.role == "bias" and each not in stopped}
    return biases_alone and bool(last) and last[0].route in alive


def _vanishing(rule: Rule, facts: Facts) -> Iterator[Finding]:
    state, moments = trained_moments(facts)
    kernels = [each for each in moments if _weighs(each)]
    sizes = [(each, math.sqrt(each.mean_second)) for each in kernels if each.mean_second]
    squared = bool(sizes)
    if not squared and _explained(facts):  # the momentum of SGD is that of the last steps only
        sizes = [(each, each.first) for each in kernels if each.first]
    if len(sizes) < 2:
        raise NotRelevant("there are no squared gradients of several layers")
    (first, least), (_, last) = sizes[0], sizes[-1]
    scales = facts.measurements.input_scales if facts.measurements else {}
    if 0 < scales.get(first.route, 0.0) < SCALED_AWAY.value:
        return  # its inputs are nearly nothing: said by MA440
    epsilon = state.settings.get("epsilon", 1e-7)
    small = squared and isinstance(epsilon, float) and least < epsilon < last
    explained = least < SHRINKING.value * last and _explained(facts)
    # Where each layer gets less than the one behind it, that is no matter of a single layer.
    steady = len(sizes) >= SIGMOIDS.value and all(a < b for (_, a), (_, b) in pairwise(sizes))
    limit = SHRINKING if explained else VANISHED
    if explained or least < VANISHED.value * last:
        yield rule.finding(
            f"The gradient of `{first.route}` is {least / last:.2g} times that of the last layer"
            + (
                f", and below the optimizer's epsilon of {epsilon:g}: it hardly moves."
                if small
                else "."
            ),
            route=first.route,
            evidence={
                "measured": least / last,
                "unit": limit.unit,
                "threshold": limit.value,
                "gradient": least,
            },
            severity=rule.severity if explained or steady else Severity.LOW,
        )


def _explained(facts: Facts) -> bool:
    """Whether the layers themselves shrink gradients: a long way through sigmoids."""
    if facts.artifact.architecture is None:
        return False
    return max(sigmoid_depths(saved_graph(facts)).values(), default=0) >= SIGMOIDS.value


RULES = (
    Rule(
        code="MA433",
        name="layers-without-gradient",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS, Need.MEASUREMENTS),
        summary="At the end of training no gradient reached some layers",
        pass_title="Gradients reached every layer until the end of training",
        why="Units that are never active, saturated ones and a stopped gradient pass nothing back. "
        "What is left to train is a bias, so the output becomes the mean of the labels.",
        fix="Train again with a smaller learning rate, He initialization and inputs on a scale of "
        "about 1, or with leaky_relu instead of relu. If the layers were frozen on purpose, set "
        "trainable=False before compiling.",
        check=_no_gradient,
        bad=lambda: adam(("a", 1e-20, 0.1), ("b", 0.1, 0.1)),
        good=lambda: adam(("a", 0.1, 0.1), ("b", 0.1, 0.1)),
    ),
    Rule(
        code="MA434",
        name="vanishing-gradient",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="The gradients of the first layer are tiny compared with those of the last",
        pass_title="Gradients keep their size from the last layer to the first",
        why="Deep stacks of sigmoid or tanh layers shrink the gradient at each layer. The first "
        "ones hardly learn, and what they pass on is nearly the same for every input.",
        fix="Use relu with He initialization, batch normalization or residual connections.",
        check=_vanishing,
        bad=lambda: adam(("a", 1e-9, 1e-18), ("b", 0.1, 0.1)),
        good=lambda: adam(("a", 0.1, 0.1), ("b", 0.1, 0.1)),
    ),
)
