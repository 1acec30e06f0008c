"""MA306: targets that the last activation cannot give, which the averages of gradients prove."""

from __future__ import annotations

import math

from msgspec import Struct

from modelaudit.facts import Artifact
from modelaudit.findings import Finding
from modelaudit.formats.keras.compiled_losses import CompiledLoss
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network_heads import NetworkHead, weighs
from modelaudit.thresholds.training import BEYOND_TARGETS


class TargetRange(Struct, frozen=True):
    """What an activation gives.

    Attributes:
        values: the range of its values.
        most: the largest gradient of a squared error by the score before it, for a target in that
            range: that of 2 (f(z) - y) f'(z).
    """

    values: str
    most: float


# These keep an average of squares, and not a sum of all as Adagrad does.
_AVERAGES = frozenset(("adam", "adamw", "nadam", "rmsprop"))
# Of a sigmoid s, 2 s s (1 - s) is largest at s = 2/3; of a tanh t, 2 (1 + t) (1 - t t) at t = 1/3.
_REACHES = {
    "sigmoid": TargetRange("from 0 to 1", 8 / 27),
    "tanh": TargetRange("from -1 to 1", 64 / 27),
}


def targets_beyond(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss
) -> Finding | None:
    """What is said of targets that the head cannot give; None if nothing proves any."""
    times = _times_beyond(facts.artifact, head, loss)
    if times is None:
        return None
    values = _REACHES[head.last].values
    return rule.finding(
        f"{head.route}: in training, a gradient of its bias was at least {times:,.3g} times as "
        f"large as targets {values} can cause. A {head.last} gives no others, so the targets were "
        "beyond, unless samples had large weights.",
        route=head.route,
        evidence={
            "measured": times,
            "unit": BEYOND_TARGETS.unit,
            "threshold": BEYOND_TARGETS.value,
            "activation": head.last,
        },
        key=head.route,
        fix="Use no activation in the last layer, or scale the targets to values "
        f"{values}, and train again:\n{head.code('linear')}",
    )


def _times_beyond(artifact: Artifact, head: NetworkHead, loss: CompiledLoss) -> float | None:
    """How many times the gradients of the last bias were as large as targets in reach allow.

    The gradient of a bias is the mean of those of the scores, and the root of an average of squares
    is at most the largest: a value above 1 is a proof for a mean over the batch, unless samples
    have large weights. None where it proves nothing.
    """
    reach = _REACHES.get(head.last)
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    weighted = bool((artifact.training or {}).get("loss_weights"))
    if reach is None or loss.name != "mean_squared_error" or applied != [head.last] or weighted:
        return None
    state = optimizer_state(artifact)
    if state is None or state.name.lower() not in _AVERAGES or loss.summed:
        return None
    if head.rescaled or head.joined or not weighs(head.weights):
        return None
    route = head.weights.route
    for each in state.moments:
        if each.route == route and each.role == "bias" and each.second is not None:
            times = math.sqrt(max(each.second, 0.0)) / reach.most
            return times if BEYOND_TARGETS.value <= times < math.inf else None
    return None
