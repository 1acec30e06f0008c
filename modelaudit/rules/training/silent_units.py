"""Units, and whole outputs, that a ReLU keeps at 0: what the optimizer's averages say of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, is_row
from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    CROSS_ENTROPIES,
    DISTANCES,
    HINGES,
    KNOWN,
    compiled_losses,
)
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.head_advice import code_of
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.initial_weights.training_reach import forgets_squares
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import activation_of
from modelaudit.thresholds.design import MOMENTUM_APART, ROUNDING_ALONE
from modelaudit.thresholds.training import ALIVE, BIASES_APART, SILENT_UNITS, SLOW_FADING
from modelaudit.thresholds.weights import FADED

SMALLEST = math.ldexp(1, -125)
"""Twice the smallest normal float32."""

_OF_SQUARES = frozenset(("adam", "adamw", "nadam"))  # averages of gradients and of squares
_ALWAYS_PULL = DISTANCES | {"poisson"}  # whose gradient is 0 at the target alone


def dead_output(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """A ReLU as the output, behind which no weight got a gradient for hundreds of steps.

    A distance that has been learnt leaves gradients of some size, as long as batches differ; a ReLU
    that gives 0 leaves none at all, not even to its own bias. A cross-entropy leaves none of values
    that it clips, either, and a hinge none where its margin is kept.
    """
    beta = number(state.settings.get("beta_1", 0.9))
    if beta is None or not 0 < beta < 1 or not state.moments:
        return
    if any(each.first is None or each.second is None for each in state.moments):
        return
    ended = all((each.first or 0.0) * (1 - beta) <= SMALLEST for each in state.moments)
    never = never_reached(state)
    if not ended or not (never or any(each.second for each in state.moments)):
        return
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return
    learnt = {each.route for each in state.moments}
    if not all(head.last == "relu" and head.weights.route in learnt for head, _ in heads):
        return
    (head, loss), *_ = heads
    names = {each.name if each else "" for _, each in heads}
    if loss is None or not names <= _ALWAYS_PULL | CROSS_ENTROPIES:
        return
    steps = math.floor(math.log(SMALLEST) / math.log(beta))
    clips = not names <= _ALWAYS_PULL
    when = f"any of its {state.steps:,} steps" if never else f"the last {steps:,} steps or so"
    yield rule.finding(
        f"No weight received a gradient in {when}, not even the bias of "
        f"`{head.weights.route}`, the last layer: its ReLU gives 0"
        + (f", or what {loss.name} clips," if clips else "")
        + " for every training input.",
        route=head.weights.route,
        title="No gradient ever reached a weight"
        if never
        else ("The output is always 0, and no gradient reaches any weight" if not clips else ""),
        evidence={"measured": len(state.moments), "unit": "weights without gradient"},
        key="output",
        severity=Severity.MEDIUM if clips else Severity.HIGH,
        fix="Use another activation in the last layer, and train again from new weights, with a "
        f"smaller learning rate if the output falls to one value again:\n{code_of(head, loss)}",
    )


def above_rounding(moments: Iterable[WeightMoments]) -> tuple[WeightMoments, ...]:
    """The averages without those of biases that get no gradient but rounding errors.

    A bias that is added alike to all that a softmax or a normalization compares changes nothing. Its
    averages neither say that it learns nor that it has stopped.
    """
    listed = tuple(moments)
    roots = {
        each.route: math.sqrt(each.mean_second)
        for each in listed
        if each.role == "kernel" and each.mean_second
    }
    return tuple(
        each
        for each in listed
        if each.role != "bias"
        or not each.mean_second
        or math.sqrt(each.mean_second) >= ROUNDING_ALONE.value * roots.get(each.route, 0.0)
    )


def biases_alone(rule: Rule, state: OptimizerState, *, right: bool = False) -> Iterator[Finding]:
    """Only biases still learn: what the last layer gets has become the same for every input.

    The gradient of its kernel is that of its bias times its input. Adam divides what came of late by
    what came before: a training that goes on has much the same quotient in both.

    Args:
        rule: MA433.
        state: of the optimizer.
        right: whether the other inputs may be answered right beyond doubt, which leaves no gradient, too.
    """
    if state.name == "SGD":
        yield from _descends_by_a_bias(rule, state)
    if state.name.lower() not in _OF_SQUARES:
        return
    quotients: dict[str, float] = {}
    of_biases: list[float] = []
    moments = above_rounding(state.moments)
    for each in moments:
        if not each.role or each.first is None or not each.second or not math.isfinite(each.second):
            return
        quotient = each.first / math.sqrt(each.second)
        if each.role.endswith(("bias", "beta")):
            of_biases.append(quotient)
        else:
            quotients[each.route] = max(quotient, quotients.get(each.route, 0.0))
    last = [*quotients][-1] if quotients else ""
    bias = next((x for x in moments if x.role == "bias" and x.route == last), None)
    if bias is None or not bias.first or not bias.second or len(quotients) < 2:
        return
    own, most = bias.first / math.sqrt(bias.second), max(quotients.values())
    # A unit that died took the gradient of its own bias as well. Where none lost it, kernels have
    # a small quotient because some inputs before were huge.
    if max(most, min(of_biases)) >= BIASES_APART.value * own:
        return
    yield rule.finding(
        f"At the end of training, biases alone still moved: the last gradients of the bias of `{last}` "
        f"were {own:.2g} times the size that its gradients had before, and those of all other weights "
        f"at most {most:.2g} times. So it is where what `{last}` gets has become the same for every "
        "training input"
        + (
            " whose answer was still wrong: behind dead units, and also where all other answers are right "
            "beyond doubt."
            if right
            else ", as behind units that are dead or saturated: then the output has, too."
        ),
        route=last,
        title="At the end of training, biases alone still moved",
        evidence={
            "measured": most / own,
            "unit": BIASES_APART.unit,
            "threshold": BIASES_APART.value,
            "n": len(quotients),
        },
        key="biases alone",
        severity=Severity.LOW if right else rule.severity,
    )


def _descends_by_a_bias(rule: Rule, state: OptimizerState) -> Iterator[Finding]:
    """The same by the momentum of gradient descent, where the other biases have stopped as well.

    Inputs of next to nothing give a kernel a small gradient, but not the biases behind them.
    """
    moments = [each for each in state.moments if each.role]
    last = next((x for x in reversed(moments) if x.role == "bias"), None)
    others = [x for x in moments if x is not last]
    hidden = [x for x in others if x.role == "bias"]
    if last is None or not last.first or not hidden or len(moments) != len(state.moments):
        return
    if last.route != moments[-1].route or any(x.first is None or x.nonfinite for x in moments):
        return  # of averages that are not finite, MA111 tells
    most = max((x.first or 0.0) for x in others) / last.first
    if most >= MOMENTUM_APART.value:
        yield from _behind_dead_layers(rule, state, moments)
        return
    yield rule.finding(
        f"At the end of training, biases alone still moved: the last steps of all other weights were at "
        f"most {most:.2g} times as large as those of the bias of `{last.route}`. So it is where what "
        f"`{last.route}` gets has become the same for every training input, as behind units that are dead "
        "or saturated: then the output has, too.",
        route=last.route,
        title="At the end of training, biases alone still moved",
        evidence={
            "measured": most,
            "unit": MOMENTUM_APART.unit,
            "threshold": MOMENTUM_APART.value,
            "n": len(others),
        },
        key="biases alone",
    )


def _behind_dead_layers(
    rule: Rule, state: OptimizerState, moments: Sequence[WeightMoments]
) -> Iterator[Finding]:
    """A layer that gets 0 for every input, behind layers that no gradient reaches any more.

    The gradient of its kernel is that of its bias times its input. The kernels of the layers before
    it may still move, by a penalty on their size; their biases do not.
    """
    kept = number(state.settings.get("momentum"))
    shifts = [each for each in moments if each.role in ("bias", "beta")]
    largest = max(each.first or 0.0 for each in shifts)
    alive = next(
        i for i, x in enumerate(shifts) if (x.first or 0) >= MOMENTUM_APART.value * largest
    )
    behind, before = shifts[alive], shifts[:alive]
    kernel = next((x for x in moments if x.role == "kernel" and x.route == behind.route), None)
    if kept is None or not SLOW_FADING.value <= kept < 1 or len(before) < 2 or kernel is None:
        return
    share = (kernel.first or 0.0) / (behind.first or 1.0)
    if behind.role != "bias" or share >= ALIVE.value:
        return
    most = max(each.first or 0.0 for each in before) / largest
    yield rule.finding(
        f"At the end of training, what `{behind.route}` gets was next to 0 for every input: the last "
        f"steps of its kernel were {share:.2g} times as large as those of its bias, and no gradient "
        f"came any further: those of the biases of the {len(before)} layers before it were at most "
        f"{most:.2g} times as large as that of the bias that moved most. So it is where every ReLU of a "
        "layer has died: then the output is the same for every input that comes this way.",
        route=behind.route,
        title="At the end of training, no gradient reached the first layers",
        evidence={
            "measured": most,
            "unit": MOMENTUM_APART.unit,
            "threshold": MOMENTUM_APART.value,
            "n": len(before),
        },
        key="dead layers",
    )


def of_the_last_step(state: OptimizerState) -> bool:
    """Whether the averages are steps without momentum: tf-keras keeps the last one alone."""
    of_steps = state.name == "SGD" and all(each.second is None for each in state.moments)
    return of_steps and not number(state.settings.get("momentum", 0.0))


def never_reached(state: OptimizerState) -> bool:
    """Whether no gradient was ever other than 0: of squares of gradients, nothing is left so soon."""
    squares = [each.second for each in state.moments if each.second is not None]
    return bool(state.steps and squares) and not any(squares) and not forgets_squares(state)


def for_how_long(
    state: OptimizerState,
    silent: Sequence[WeightMoments],
    ratios: Sequence[tuple[WeightMoments, float | None]],
) -> str:
    """For how many steps: m falls by beta_1 and the root of v by the root of beta_2 in each."""
    first, second = state.settings.get("beta_1", 0.9), state.settings.get("beta_2", 0.999)
    left = max((r for each, r in ratios if each in silent and r), default=0.0)
    if not (left and isinstance(first, float) and isinstance(second, float)):
        return ""
    if not (0 < first < 1 and 0 < second < 1 and first * first < second):
        return ""
    fall = math.log(first) - math.log(second) / 2
    # Where an update is below the smallest normal float32, the average falls no further.
    floors = [(each.first, first) for each in silent] + [(each.second, second) for each in silent]
    ended = any(m is not None and m * (1 - beta) <= SMALLEST for m, beta in floors)
    about = ("at least the last ", "") if ended else ("the last ", " or so")
    return f", for {about[0]}{round(math.log(left) / fall):,} steps{about[1]},"


def unreached(rule: Rule, facts: Facts, state: OptimizerState) -> Finding:
    """What is said of a training in which no gradient came."""
    given = (facts.artifact.training or {}).get("loss")
    losses = compiled_losses({"loss": given}, [*given] if isinstance(given, dict) else [""])
    ends = any(each is None or each.name in HINGES or each.name not in KNOWN for each in losses)
    return rule.finding(
        f"No gradient has reached any of the {len(state.moments):,} trained weights in the "
        f"{counted(state.steps or 0, 'step', 'steps')} since the model was compiled: this training "
        "changed nothing."
        + (" The loss may have been 0 before, as a hinge can be." if ends else ""),
        title="No gradient ever reached a weight",
        evidence={"measured": len(state.moments), "unit": "weights without gradient"},
        severity=Severity.LOW if ends else None,
        fix="See what stops the gradient: an output that is 0 or clipped for every input, a loss that "
        "does not depend on it or has a parameter that leaves nothing of it (Huber with delta=0), or an "
        "operation without a derivative. Then train again.",
    )


def silent_units(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """ReLU layers of which many units got no gradient, ever or for long: their biases stood still.

    RMSprop's average of squares, which is multiplied by rho at each step, falls to 0 in about 1,000
    steps without a gradient. Adam's averages stop where what is added is below the smallest normal
    float32: near 1e-37 and 1e-35, not at 0.
    """
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    rectified = {layer.route for layer in layers if activation_of(layer) == "relu"}
    own = {layer.route: layer.config.get("units") for layer in layers}
    rectified |= {x.route for x in facts.artifact.kernels if x.activation == "relu"}
    for each in state.moments:
        units = each.shape[-1] if is_row(each.shape) else 0
        largest = each.first if each.first is not None else each.second
        if each.role != "bias" or each.route not in rectified or not largest or not units:
            continue
        slow = _fades_slowly(state, each) and largest > math.sqrt(FADED.value)
        silent = max(each.zeros, each.faded if slow else 0)
        if silent >= SILENT_UNITS.value * units:
            fades = silent > each.zeros or each.first is None or state.name.lower() == "rmsprop"
            since = (
                # Those of inputs that a sigmoid is certain of get none either.
                "received no gradient for a long time, as where a ReLU gives 0 for every training "
                "input."
                if fades
                else "never received a gradient, as where a ReLU gives 0 for every training input."
            )
            yield rule.finding(
                f"{silent} of the {_counted_values(units, own.get(each.route), each.route)} {since}",
                route=each.route,
                evidence={
                    "measured": silent / units,
                    "unit": SILENT_UNITS.unit,
                    "threshold": SILENT_UNITS.value,
                    "n": units,
                },
                key=f"{each.route} units",
                severity=Severity.LOW,
            )


def _counted_values(values: int, units: Json, route: str) -> str:
    """What a bias has a value for: each unit, or each gate of a unit of a recurrent layer."""
    if isinstance(units, int) and 0 < units < values and values % units == 0:
        return f"{values} gates of `{route}` ({values // units} for each of its {units} units)"
    return f"{values} units of `{route}`"


def _fades_slowly(state: OptimizerState, each: WeightMoments) -> bool:
    """Whether the average outlasts a few steps: that of plain SGD is the last gradient alone."""
    key = "rho" if each.first is None else "beta_1" if "beta_1" in state.settings else "momentum"
    kept = number(state.settings.get(key))
    return kept is not None and kept >= SLOW_FADING.value
