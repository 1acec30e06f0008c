"""What MA432 says of regressions whose training ended on its way to the targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set

from modelaudit.audit_types.values import number
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES, DISTANCES, KNOWN
from modelaudit.measures.kernels.initializers import fans
from modelaudit.measures.one_way import descents_one_way, rates_one_way
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.heads.short_steps import (
    counted_squares,
    of_numbers,
    recent,
    short_outputs,
)
from modelaudit.rules.initial_weights.drawn_weights import looks_drawn
from modelaudit.rules.initial_weights.training_reach import moved_share
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.training.extent import biased_layers, look_drawn
from modelaudit.thresholds.design import FIRST_STILL, LAST_ALONE, LAYERS_BEFORE, OUT_OF_REACH
from modelaudit.thresholds.optimizers import GROWING, GROWING_STEPS, STILL_PUSHED, WAY_MADE
from modelaudit.thresholds.small_layers import (
    FEW_MOVED,
    LIMITED_REACH,
    SMALL_DRAW,
    SMALL_OUTSIDE,
    SMALL_STACK,
)
from modelaudit.thresholds.training import MANY_STEPS, SHORT_REACH, STILL_MOVING
from modelaudit.thresholds.weights import MIN_VALUES

_KEEP_BOTH = frozenset(("adam", "adamw", "nadam"))
_SIGN = (
    "See that the loss falls as answers get better: of a score, such as an overlap or a reward, return "
    "1 - score or -score, and not the score; and that labels or masks are not all 0"
)
_LABELS = (
    "See that the labels are what the loss takes, without which it falls without limit "
    "(print(y.min(), y.max()) for a binary cross-entropy: 0 and 1), and of more than one class"
)
_TARGETS = (
    "If targets are made from the model's own answers, as in Q-learning, take them from a copy that is "
    "updated seldom, with a discount below 1 and none at the end of an episode; otherwise see that the "
    "loss has the right sign"
)
_FADING = frozenset(("Adagrad", "Adadelta"))  # whose steps begin small, or become small
_OF_ONE_SIZE = frozenset(("mean_absolute_error", "huber"))


def last_bias_alone(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """Training that moved the last bias, and of what is before it next to nothing."""
    biased = [kernel for kernel in facts.artifact.kernels if kernel.bias]
    small = _small_as_drawn(facts)
    if len(biased) < (SMALL_STACK.value if small else LAYERS_BEFORE.value):
        return
    if not small and not 0 < (state.steps or 0) < MANY_STEPS.value:
        return
    shares = [moved_share(facts.artifact, kernel) for kernel in biased]
    if small:  # of which the config tells that they started at 0, and not at 1
        own = {
            x.route: max(abs(b.minimum), abs(b.maximum)) / k.std for x, k, b in biased_layers(facts)
        }
        shares = [
            own.get(kernel.route, share) for kernel, share in zip(biased, shares, strict=True)
        ]
    *before, last = shares
    first = max(before[: len(before) // 2])  # of the half that is far from the loss
    if not 0 < first < SHORT_REACH.value < last or last < LAST_ALONE.value * max(before):
        return
    if last < FIRST_STILL.value * shares[0] or not (small or look_drawn(facts, first)):
        return
    yield rule.finding(
        f"{counted(state.steps or 0, 'step', 'steps')} moved the bias of `{biased[-1].route}` by {last:.1%} "
        f"of the spread of its kernel, and that of `{biased[0].route}` by {shares[0]:.1%}; the kernels look "
        "as their initializers draw them"
        + (f", at most {small:.2g} times as wide as usual ones" if small else "")
        + ". What was learnt may be no more than "
        + ("one answer for all inputs." if small else "how frequent the answers are."),
        route=biased[-1].route,
        evidence={
            "measured": last / max(before),
            "unit": LAST_ALONE.unit,
            "threshold": LAST_ALONE.value,
        },
        title="Training moved little but the last bias",
        confidence=Confidence.MEDIUM,
        fix="Leave kernel_initializer at its default, scale inputs and targets to a mean of 0 and a "
        "standard deviation of 1, and train again."
        if small
        else 'Use initializers that keep the size of values (kernel_initializer="he_normal" with ReLU), '
        "batch normalization, or tanh in place of ReLU, and train again for more epochs or with Adam.",
    )


def _small_as_drawn(facts: Facts) -> float:
    """How wide the widest kernel is beside usual draws, where all are far smaller, and as drawn; or 0.

    Products of such kernels leave next to nothing of what differs between inputs.
    """
    found = facts.measurements.initialization if facts.measurements else ()
    widths = [0.0]
    for kernel in found:
        tensor = facts.artifact.by_name.get(kernel.tensor)
        if kernel.guessed or tensor is None or tensor.stats is None or len(tensor.shape) < 2:
            return 0.0
        width = tensor.stats.std / math.sqrt(2 / sum(fans(tensor.shape)))
        if not looks_drawn(kernel, SMALL_OUTSIDE.value) or not width < SMALL_DRAW.value:
            return 0.0
        widths.append(width)
    return max(widths)


def few_weights(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """Layers of too few weights to tell draws by, which steps of a limited size left as they were.

    The gradient of the last bias is at most 1 under a cross-entropy, and under a squared error of u
    sigmoids for targets from 0 to 1 at most 2 / u of the slope, which is at most 1/4.
    """
    found = facts.measurements.initialization if facts.measurements else ()
    momentum = number(state.settings.get("momentum")) or 0.0
    layers = biased_layers(facts)
    fading = state.name in _FADING
    few = state.name == "SGD" and 0 <= momentum < 1 and (state.steps or 0) < MANY_STEPS.value
    if not (fading or few) or len(layers) < 2 or len(layers) != len(found) or not state.steps:
        return
    drawn = {each.route: number(each.tests.get("bound")) or 0.0 for each in found}
    as_drawn = all(looks_drawn(each, 0.0) and each.weights < MIN_VALUES.value for each in found)
    if not as_drawn or any(drawn.get(layer.route, 0.0) <= 0 for layer, _, _ in layers):
        return
    largest = 0.0
    for head, loss in paired_heads(facts):
        if loss is None or loss.summed or head.last not in PROBABILITIES or not head.units:
            return
        if loss.name in CROSS_ENTROPIES:
            largest = max(largest, 1.0)
        elif loss.name == "mean_squared_error" and head.last == "sigmoid":
            largest = max(largest, 0.5 / head.units)
        else:
            return
    spread = min(drawn[layer.route] for layer, _, _ in layers) / math.sqrt(3)
    reach = (state.rate or 0.0) * (state.steps or 0) / (1 - momentum) * largest / spread
    moved, route = max(
        (max(abs(bias.minimum), abs(bias.maximum)) * math.sqrt(3) / drawn[layer.route], layer.route)
        for layer, _, bias in layers
    )
    most = SHORT_REACH.value if fading else FEW_MOVED.value
    if not (fading or 0 < reach < LIMITED_REACH.value) or not 0 < moved < most:
        return
    can = "" if fading else f"can have moved the last bias by {reach:.0%} at most, and "
    yield rule.finding(
        f"{counted(state.steps, 'step', 'steps')} of {state.rate or 0:g} by {state.name} {can}moved no bias by "
        f"more than {moved:.1%} of the spread that the kernels are drawn with (`{route}`). No weight is beyond "
        "what its initializer draws.",
        route=route,
        evidence={
            "measured": moved,
            "unit": FEW_MOVED.unit,
            "threshold": most,
            "steps": state.steps,
        },
        title="Training hardly changed the weights",
        confidence=Confidence.MEDIUM,
        fix="Train again for many more epochs, or with Adam or a higher learning rate.",
    )


def still_moving(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """The last bias of a regression that every step moved the same way, by all that a step can.

    Steps of these optimizers have a size of their own while the gradient keeps its sign and size
    (arXiv:1412.6980, section 2.1), and less as it falls near the target.
    """
    far, said = rates_one_way(state), set[str]()
    biases = {layer.route: bias for layer, _, bias in biased_layers(facts)}
    for head, loss in paired_heads(facts):
        bias = biases.get(head.weights.route)
        if bias is None or loss is None or loss.name not in DISTANCES or head.last != "linear":
            continue
        whole = (state.rate or 0.0) * (
            far or descents_one_way(state, _size_of_one(loss.name, head.units))
        )
        if not whole > 0:
            continue
        share = min(abs(bias.minimum), abs(bias.maximum)) / whole
        last = max(
            _last_of_all(state, head.weights.route),
            _last_of_all(state, head.weights.route, "kernel"),
        )
        pushed = share >= WAY_MADE.value and last >= STILL_PUSHED.value
        if (pushed or share >= STILL_MOVING.value) and share <= 2 - STILL_MOVING.value:
            why = (
                "all of them went one way"
                if share >= STILL_MOVING.value
                else f"its last gradients went one way, and their average is still {last:.0%} of the root "
                "of that of all squares"
            )
            yield rule.finding(
                f"The bias of `{head.weights.route}` has moved by {share:.0%} of what "
                f"{counted(state.steps or 0, 'step', 'steps')} of {state.rate:g} can move it: {why}, so it "
                "was probably still on its way to its target at the end.",
                route=head.weights.route,
                title="Training ended on its way to the targets",
                evidence={
                    "measured": share,
                    "unit": STILL_MOVING.unit,
                    "threshold": WAY_MADE.value if pushed else STILL_MOVING.value,
                    "steps": state.steps,
                },
                confidence=Confidence.MEDIUM,
                fix="Scale the targets to a mean of 0 and a standard deviation of 1, or train for more "
                "epochs, then train again.",
            )
            said.add(head.route)
    yield from _out_of_reach(rule, facts, state, said)
    yield from short_outputs(rule, facts, state, said)


def _last_of_all(state: OptimizerState, route: str, role: str = "bias") -> float:
    """The average gradient of a weight by the root of its average square; 0 if either is unknown.

    Averages that begin at 0 are divided by the sum of their weights, as Adam does. Of several units,
    it is 1 only where all have one gradient; of a kernel, averages of either sign count alike.
    """
    for each in state.moments:
        if each.route == route and each.role == role and each.mean_second:
            mean, square = recent(state, each), each.mean_second / counted_squares(state)
            if role == "kernel":
                mean *= each.typical / abs(each.mean_first) if each.mean_first else 0.0
            return mean / math.sqrt(square) if 0 < square < math.inf else 0.0
    return 0.0


def _out_of_reach(
    rule: Rule, facts: Facts, state: OptimizerState, said: Set[str]
) -> Iterator[Finding]:
    """Errors that no steps of Adagrad could make up for, whose sum of squares makes each smaller.

    Under a mean squared error over u units, the gradient of the last bias is the mean error of a
    batch times 2 / u; that of the kernel has the input as a factor.
    """
    steps, rate = state.steps or 0, state.rate or 0.0
    start = number(state.settings.get("initial_accumulator_value", 0.1))
    if state.name != "Adagrad" or start is None or steps <= 0:
        return
    for head, units, bias, kernel in of_numbers(facts, state, said):
        summed, of_kernel = (bias.mean_second or 0.0) - start, (kernel.mean_second or 0.0) - start
        if not 0 < summed < math.inf or not of_kernel >= 0:
            continue
        error = math.sqrt(summed / steps) * units / 2
        inputs = kernel.shape[0] * math.sqrt(of_kernel / summed)
        reach = rate * rates_one_way(state) * (1 + inputs)
        if not 0 < reach < OUT_OF_REACH.value * error:
            continue
        yield rule.finding(
            f"In training, the mean error of a batch at `{head.weights.route}` was about {error:.3g}, and "
            f"{counted(steps, 'step', 'steps')} of Adagrad at {rate:g} can have moved the output by {reach:.2g}"
            " at most: each step is smaller the larger the gradients before it were. The targets are too "
            "large for these steps.",
            route=head.weights.route,
            title="The steps were too small to reach the targets",
            evidence={
                "measured": reach / error,
                "unit": OUT_OF_REACH.unit,
                "threshold": OUT_OF_REACH.value,
                "steps": steps,
            },
            confidence=Confidence.MEDIUM,
            fix="Scale the targets to a mean of 0 and a standard deviation of 1, and train again with Adam "
            "or a larger learning rate.",
        )


def _size_of_one(loss: str, units: int | None) -> float:
    """The gradient that a loss gives each of several units for any error; 0 if errors decide it.

    That of a mean absolute error is 1 by the number of units, and that of Huber's far from the target.
    """
    return 1 / units if loss in _OF_ONE_SIZE and units else 0.0


def growing_gradients(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Kernels that all had larger gradients in the last steps than before, and of one sign.

    While gradients keep their size, their average is at most the root of that of their squares.
    """
    state = optimizer_state(facts.artifact)
    if state is None or state.name.lower() not in _KEEP_BOTH:
        return
    beta, steps = number(state.settings.get("beta_1", 0.9)), state.steps or 0
    if beta is None or not 0 < beta < 1 or steps < GROWING_STEPS.value:
        return
    kernels = [x for x in state.moments if x.role == "kernel" and x.typical and x.mean_second]
    squares, counted_means = counted_squares(state), 1 - beta**steps
    grown = [
        x.typical / counted_means / math.sqrt((x.mean_second or 0.0) / squares) for x in kernels
    ]
    if len(grown) < 2 or not GROWING.value <= min(grown) < math.inf:
        return
    last = kernels[-1].route
    yield rule.finding(
        f"In the last steps, the average gradients of all {len(grown)} kernels had {min(grown):.1f} times the "
        "size that gradients had in training, or more: they pushed one way, and grew up to the end, as "
        "where a loss has no minimum or steps are too large. The weights were still running away.",
        route=last,
        title="Gradients were still growing at the end of training",
        evidence={
            "measured": min(grown),
            "unit": GROWING.unit,
            "threshold": GROWING.value,
            "n": len(grown),
            "steps": steps,
        },
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix=f"{_why_growing(facts)}. Then train again from new weights. If the loss is right, use a smaller "
        "learning rate and clipped gradients:\n\n    keras.optimizers.Adam(1e-4, clipnorm=1.0)",
    )


def _why_growing(facts: Facts) -> str:
    """What comes first, by the loss: a function of the program's own, one of labels or of numbers."""
    try:
        names = {loss.name for _, loss in paired_heads(facts) if loss is not None}
    except NotApplicable:
        return _SIGN
    if not names or not names <= KNOWN:
        return _SIGN
    return _LABELS if names & CROSS_ENTROPIES else _TARGETS
