"""How far an optimizer's steps move a weight whose gradients all go one way."""

from __future__ import annotations

import math

from modelaudit.audit_types.values import number
from modelaudit.measures.optimizer_state import OptimizerState

_ONE_RATE = frozenset(("adam", "adamw", "nadam", "adamax", "lion"))
_OF_RMSPROP = (("rho", 0.9), ("momentum", 0.0))
_LONG = 20_000  # steps: later ones of RMSprop have one size, and those of Adagrad hardly any


def rates_one_way(state: OptimizerState) -> float:
    """How far all steps can move a weight whose gradient stays the same, in learning rates; or 0.

    RMSprop divides by the root of an average of squares that starts at 0, Adagrad by that of their
    sum; Adam and its like correct for the start, and Lion takes the sign.
    """
    name, count = state.name.lower(), state.steps or 0
    if not name and any(each.second for each in state.moments):
        name = "adam"  # averages of squares stand for one of these
    if name in _ONE_RATE:
        return count
    if name == "adagrad":
        return sum(1 / math.sqrt(n) for n in range(1, min(count, _LONG) + 1))
    rho, momentum = (state.settings.get(key, usual) for key, usual in _OF_RMSPROP)
    if name != "rmsprop" or momentum or not isinstance(rho, float) or not 0 < rho < 1:
        return 0.0
    started = range(1, min(count, _LONG) + 1)
    return count + sum(1 / math.sqrt(1 - rho**n) - 1 for n in started)


CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")


def descents_one_way(state: OptimizerState, gradient: float) -> float:
    """How far all steps of gradient descent can move a weight by gradients of one sign, in rates.

    Args:
        state: of the optimizer.
        gradient: the size of each gradient, 0 if it has no limit of its own. Clipping gives it one;
            of the norm of all gradients, a single weight has all at most.

    Returns:
        0 where that is unknown.
    """
    momentum = number(state.settings.get("momentum")) or 0.0
    if state.name != "SGD" or not 0 <= momentum < 1:
        return 0.0
    limits = [x for key in CLIPS if (x := number(state.settings.get(key)))]
    most = min(limits, default=gradient)
    steps, left = state.steps or 0, 1 - momentum
    # Each step is that much of a gradient which has come all the time before: 1 - momentum ** n.
    return most * (steps - momentum * (1 - momentum**steps) / left) / left


def error_left(state: OptimizerState, curvature: float) -> float:
    """What all steps of gradient descent leave of an error, where its second derivative is this.

    A step of a rate r and a momentum m changes the error e by m times the change before, less
    r * curvature * e. So e is a sum of powers of the roots of z ** 2 - (1 + m - r * curvature) z
    + m, which are real as long as the error falls without swinging (Polyak, 1964). Less curvature
    leaves more.

    Args:
        state: of the optimizer.
        curvature: the second derivative.

    Returns:
        0 to 1; 0 where that is unknown, or the error swings.
    """
    momentum = number(state.settings.get("momentum")) or 0.0
    share, steps = (state.rate or 0.0) * curvature, state.steps or 0
    known = state.name == "SGD" and not state.settings.get("nesterov")
    if not known or not 0 <= momentum < 1 or not 0 < share < (1 - math.sqrt(momentum)) ** 2:
        return 0.0
    middle = (1 + momentum - share) / 2
    apart = math.sqrt(max(middle**2 - momentum, 0.0))
    if apart == 0:
        return 0.0
    slow, fast = middle + apart, middle - apart
    return ((1 - share - fast) * slow**steps - (1 - share - slow) * fast**steps) / (slow - fast)
