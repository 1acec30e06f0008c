"""MA432: steps of gradient descent that were too small, all of them together, to learn by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from modelaudit.audit_types.values import number
from modelaudit.findings import Confidence, Finding
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES
from modelaudit.measures.one_way import descents_one_way, rates_one_way
from modelaudit.measures.optimizer_state import OptimizerState
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.initial_weights.training_reach import moved_share
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.structs import replace
from modelaudit.thresholds.last_layers import DESCENT_MOVED, DESCENT_REACH, EPSILON_OVER

_BY_EPSILON = frozenset(("adam", "adamw", "nadam", "rmsprop"))


def slow_descent(
    rule: Rule, facts: Facts, state: OptimizerState, drawn: Callable[[Facts, float], bool]
) -> Iterator[Finding]:
    """What is said of classifiers whose kernels look as drawn after steps of this size.

    Under a cross-entropy, the gradient of a bias of the last layer is 1 at most.

    Args:
        rule: MA432.
        facts: the model.
        state: of its optimizer.
        drawn: whether all kernels look as drawn, where steps moved each by a share of their spread.
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
        + f", which an epsilon of {epsilon:g} divides," * bool(epsilon)
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
