"""MA432: steps that were too small, all of them together, to learn by or to reach the targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Set

from modelaudit.audit_types.values import number
from modelaudit.findings import Confidence, Finding
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES
from modelaudit.measures.one_way import CLIPS, descents_one_way, error_left, rates_one_way
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.initial_weights.training_reach import kept_squares, moved_share
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.limited_values import at_most_one
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph
from modelaudit.structs import replace
from modelaudit.thresholds.last_layers import (
    DESCENT_KERNELS,
    DESCENT_MOVED,
    DESCENT_REACH,
    DESCENT_STEPS,
    EPSILON_OVER,
    LINE_LEFT,
)
from modelaudit.thresholds.optimizers import OUTPUT_SHORT
from modelaudit.thresholds.training import LARGE_COLUMN, UNSCALED

_WITH_BOTH = frozenset(("adam", "adamw", "nadam"))  # averages of gradients and of squares
_AVERAGED = _WITH_BOTH | {"rmsprop", "adadelta"}
_BY_EPSILON = frozenset(("adam", "adamw", "nadam", "rmsprop"))


def recent(state: OptimizerState, bias: WeightMoments) -> float:
    """The average gradient of the last steps, of optimizers that keep it; otherwise 0."""
    beta, steps = state.settings.get("beta_1", 0.9), state.steps
    if state.name.lower() not in _WITH_BOTH or bias.first is None or not steps:
        return 0.0
    if not isinstance(beta, float) or not 0 <= beta < 1:
        return 0.0
    return abs(bias.mean_first) / (1 - beta**steps)


def counted_squares(state: OptimizerState) -> float:
    """The sum of the weights in an average of squares, which begins at 0."""
    kept, steps = kept_squares(state), state.steps
    return 1 - kept**steps if kept is not None and steps else 1.0


def of_numbers(
    facts: Facts, state: OptimizerState, said: Set[str]
) -> Iterator[tuple[NetworkHead, int, WeightMoments, WeightMoments]]:
    """Dense heads under a mean squared error that are not `said`, with units, averages of bias and kernel."""
    if (facts.artifact.training or {}).get("loss_weights"):
        return
    for head, loss in paired_heads(facts):
        own = {each.role: each for each in state.moments if each.route == head.weights.route}
        bias, kernel = own.get("bias"), own.get("kernel")
        if bias is None or kernel is None or loss is None or not head.units or head.route in said:
            continue
        if loss.summed or loss.name != "mean_squared_error" or head.last != "linear":
            continue
        if head.weights.class_name == "Dense" and not (head.rescaled or head.joined):
            yield head, head.units, bias, kernel


def _largest(state: OptimizerState, kernel: WeightMoments, name: str) -> float:
    """The largest average gradient of a kernel in the last steps."""
    if name not in _WITH_BOTH:
        return math.sqrt((kernel.second or 0.0) / counted_squares(state))
    of_mean = abs(kernel.mean_first)
    return recent(state, kernel) * (kernel.first or 0.0) / of_mean if of_mean else 0.0


def short_outputs(
    rule: Rule, facts: Facts, state: OptimizerState, said: Set[str]
) -> Iterator[Finding]:
    """Errors at the end that are larger than any output of these weights.

    Under a mean squared error over u units, the gradient of the last bias is the mean error of a
    batch times 2 / u; that of the kernel has the input as a factor. By Cauchy and Schwarz, n inputs
    give at most n times the root mean squares of weights and inputs. An average of squares that
    forgets in tens of steps is of the end; one of a thousand is not, but that of gradients is.
    """
    name, tensors = state.name.lower(), facts.artifact.by_name
    if name not in _AVERAGED:
        return
    for head, units, bias, kernel in of_numbers(facts, state, said):
        known = [tensors.get(head.weights.variables.get(role, "")) for role in ("kernel", "bias")]
        stored = [each.stats for each in known if each is not None and each.stats is not None]
        if len(stored) < 2:
            continue
        squared, of_kernel = bias.mean_second or 0.0, kernel.mean_second or 0.0
        if not 0 < squared < math.inf or not 0 <= of_kernel < math.inf:
            continue
        late = (
            recent(state, bias)
            if name in _WITH_BOTH
            else math.sqrt(squared / counted_squares(state))
        )
        error, size, least = late * units / 2, math.sqrt(of_kernel / squared), UNSCALED.value
        if at_most_one(saved_graph(facts), head.weights.route):
            # Then no product of error and input is larger than the error.
            error = max(error, _largest(state, kernel, name) * units / 2)
            size, least = min(size, 1.0), LARGE_COLUMN.value
        of_weights, of_bias = (math.hypot(each.mean, each.std) for each in stored)
        most = kernel.shape[0] * of_weights * size + of_bias
        if error <= least or not most < OUTPUT_SHORT.value * error:
            continue
        yield rule.finding(
            f"At the end of training, the mean error of a batch at `{head.weights.route}` was about "
            f"{error:,.3g}, and its weights and inputs give outputs of {most:.3g} at most: "
            f"{counted(state.steps or 0, 'step', 'steps')} of {state.name} were too few or too small to "
            "reach the targets.",
            route=head.weights.route,
            title="The steps were too small to reach the targets",
            evidence={
                "measured": most / error,
                "unit": OUTPUT_SHORT.unit,
                "threshold": OUTPUT_SHORT.value,
                "steps": state.steps,
            },
            confidence=Confidence.MEDIUM,
            fix="Scale the targets to a mean of 0 and a standard deviation of 1, and train again. "
            "Without that, use a larger learning rate and more epochs.",
        )


def slow_descent(
    rule: Rule, facts: Facts, state: OptimizerState, drawn: Callable[[Facts, float], bool]
) -> Iterator[Finding]:
    """What is said of networks whose kernels look as drawn after steps of this size.

    Args:
        rule: MA432.
        facts: the model.
        state: of its optimizer.
        drawn: whether all kernels look as drawn, where steps moved each by a share of their spread.
    """
    yield from [*_small_steps(rule, facts, state, drawn)] or _small_gradients(rule, facts, state)
    yield from _lines_left(rule, facts, state)


def _lines_left(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """Linear regressions whose descent ended before the slowest part of their error was gone.

    Of a mean squared error over u units, z = x W + b has 2 / u as the second derivative by each bias,
    so the smallest eigenvalue of its Hessian is at most that, whatever x is: along its eigenvector,
    each step of gradient descent at a rate r leaves 1 - 2 r / u of the error, or more. With a momentum,
    the same holds as long as the error does not swing.
    """
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    if state.name != "SGD" or len([x for x in layers if x.variables]) != 1:
        return
    try:
        ((head, loss),) = paired_heads(facts)
    except (NotApplicable, ValueError):
        return
    only = head.weights
    if only.class_name != "Dense" or not only.variables.get("bias") or not only.trainable:
        return
    if loss is None or loss.summed or loss.name != "mean_squared_error" or head.last != "linear":
        return
    if head.rescaled or head.joined or not head.units:
        return
    left = error_left(state, 2 / head.units)
    if not LINE_LEFT.value <= left < 1 or any(map(state.settings.get, CLIPS)):
        return
    yield rule.finding(
        f"`{only.route}` is a linear regression, and {counted(state.steps or 0, 'step', 'steps')} of SGD at "
        f"{state.rate:g} leave {left:.0%} or more of the part of its error that falls slowest, whatever the "
        "inputs are. If that was not 0 from the start, the line was not reached.",
        route=only.route,
        title="Training ended on its way to the targets",
        evidence={
            "measured": left,
            "unit": LINE_LEFT.unit,
            "threshold": LINE_LEFT.value,
            "steps": state.steps,
        },
        key="line",
        confidence=Confidence.MEDIUM,
        fix="Train for many more epochs, until the loss no longer falls. Inputs with a mean of 0 and a "
        "standard deviation of 1 allow a higher rate, such as 0.1, which needs fewer steps.",
    )


def _small_gradients(rule: Rule, facts: Facts, state: OptimizerState) -> Iterator[Finding]:
    """Many steps of descent that took no weight of any kernel out of what its initializer draws."""
    steps = state.steps or 0
    found = facts.measurements.initialization if facts.measurements else ()
    biased = [kernel for kernel in facts.artifact.kernels if kernel.bias]
    moved = max((moved_share(facts.artifact, kernel) for kernel in biased), default=0.0)
    if state.name != "SGD" or steps < DESCENT_STEPS.value or not 0 < moved < DESCENT_MOVED.value:
        return
    if len(found) < DESCENT_KERNELS.value or not all(
        each.tests.get("fits") is True and each.tests.get("outside") == 0 and not each.guessed
        for each in found
    ):
        return
    yield rule.finding(
        f"{counted(steps, 'step', 'steps')} of SGD at {state.rate or 0:g} took no weight of {len(found)} kernels out "
        "of what its initializer draws, and moved no bias by more than "
        f"{moved:.0%} of the spread of its kernel: the gradients were small, as of inputs scaled to nearly "
        "nothing, or the rate was.",
        evidence={
            "measured": moved,
            "unit": DESCENT_MOVED.unit,
            "threshold": DESCENT_MOVED.value,
            "steps": steps,
        },
        title="Training hardly changed the weights",
        key="small gradients",
        confidence=Confidence.MEDIUM,
        fix="See that inputs have a standard deviation of about 1, and pixels are divided by 255 once:\n\n"
        "    print(x.mean(), x.std())\n\nThen train again with Adam, a momentum of 0.9 or a higher learning "
        "rate, for more epochs.",
    )


def _small_steps(
    rule: Rule, facts: Facts, state: OptimizerState, drawn: Callable[[Facts, float], bool]
) -> Iterator[Finding]:
    """The same of classifiers, by what all steps can have moved.

    Under a cross-entropy, the gradient of a bias of the last layer is 1 at most.
    """
    biased = [kernel for kernel in facts.artifact.kernels if kernel.bias]
    moved = max((moved_share(facts.artifact, kernel) for kernel in biased), default=0.0)
    if not 0 < moved < DESCENT_MOVED.value or not state.steps or not state.rate:
        return
    if not drawn(facts, moved):
        return
    try:
        losses = [loss for _, loss in paired_heads(facts)]
    except NotApplicable:
        return
    if not all(loss and loss.name in CROSS_ENTROPIES and not loss.summed for loss in losses):
        return
    epsilon = _epsilon_over(state)
    if epsilon:
        reach = state.rate / epsilon * state.steps
    elif state.name == "Adagrad":  # which divides by the root of its start, too
        start = number(state.settings.get("initial_accumulator_value", 0.1)) or 0.0
        reach = state.rate * min(rates_one_way(state), state.steps / math.sqrt(start or math.inf))
    else:
        plain = replace(state, settings={"momentum": state.settings.get("momentum")})
        reach = state.rate * descents_one_way(plain, 1.0)
    if not losses or not 0 < reach < DESCENT_REACH.value:
        return
    yield rule.finding(
        f"{counted(state.steps, 'step', 'steps')} of {state.name} at {state.rate:g}"
        + (f", which an epsilon of {epsilon:g} divides," if epsilon else "")
        + f" can have moved the score of a class by its bias by {reach:.2g} at most. No bias has moved by more "
        f"than {moved:.0%} of the spread of its kernel, and the kernels look as their initializers draw them.",
        evidence={
            "measured": reach,
            "unit": "reach of the steps",
            "threshold": DESCENT_REACH.value,
            "steps": state.steps,
        },
        title="Training hardly changed the weights",
        key="slow descent",
        confidence=Confidence.MEDIUM,
        fix="Leave epsilon at its default (1e-7), and train again."
        if epsilon
        else "Train again with a higher learning rate, a momentum of 0.9 or Adam, or for many more epochs.",
    )


def _epsilon_over(state: OptimizerState) -> float:
    """Adam's epsilon, if it is so large that the averages of squares hardly count; otherwise 0."""
    epsilon = number(state.settings.get("epsilon"))
    squares = [each.second for each in state.moments]
    if state.name.lower() not in _BY_EPSILON or not epsilon or not squares:
        return 0.0
    largest = max((x or math.inf for x in squares), default=math.inf)
    return epsilon if epsilon >= EPSILON_OVER.value * math.sqrt(largest) else 0.0
