"""MA306: targets that the last activation cannot give, as the averages of gradients prove."""

from __future__ import annotations

import math

from msgspec import Struct

from modelaudit.facts import Artifact
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CATEGORICAL,
    CROSS_ENTROPIES,
    DISTANCES,
    OVERLAPS,
    SPARSE,
    CompiledLoss,
)
from modelaudit.measures.one_way import rates_one_way
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.heads.regressions import has_metrics, of_numbers
from modelaudit.rules.heads.stored_losses import times_possible
from modelaudit.rules.initial_weights.training_reach import kept_squares
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.named_losses import named_after
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph, weighs
from modelaudit.thresholds.last_layers import NEAR_ZERO
from modelaudit.thresholds.optimizers import BEYOND_LABELS
from modelaudit.thresholds.small_layers import BALANCED
from modelaudit.thresholds.training import BEYOND_NUMBERS, BEYOND_TARGETS, STILL_MOVING

ADVANTAGES = (
    " Actions that are multiplied by their advantages or returns, as in policy gradients, do this on "
    "purpose: then nothing is wrong."
)


class TargetRange(Struct, frozen=True):
    """What an activation gives.

    Attributes:
        values: the range of its values.
        most: the largest gradient of the loss by the score before it, for a target in that range: of
            a squared error, that of 2 (f(z) - y) f'(z); of a cross-entropy, that of f(z) - y.
        shared: whether the loss of an input is the mean over the units, so that each of n has at most
            one nth of that.
    """

    values: str
    most: float
    shared: bool = True


# These keep an average of squares, and not a sum of all as Adagrad does.
_AVERAGES = frozenset(("adam", "adamw", "nadam", "rmsprop", "adadelta"))
# Of a sigmoid s, 2 s s (1 - s) is largest at s = 2/3; of a tanh t, 2 (1 + t) (1 - t t) at t = 1/3.
_SHARES, _PARTS = TargetRange("from 0 to 1", 1.0), TargetRange("that add up to 1", 1.0, False)
_REACHES = {
    ("mean_squared_error", "sigmoid"): TargetRange("from 0 to 1", 8 / 27),
    ("mean_squared_error", "tanh"): TargetRange("from -1 to 1", 64 / 27),
    ("binary_crossentropy", "sigmoid"): _SHARES,
    ("binary_crossentropy", "linear"): _SHARES,  # of scores
    ("categorical_crossentropy", "softmax"): _PARTS,
    ("categorical_crossentropy", "linear"): _PARTS,
}


def targets_beyond(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss
) -> Finding | None:
    """What is said of targets that the head cannot give; None if nothing proves any."""
    if loss.name == "mean_absolute_percentage_error":
        return _near_zero(rule, facts, head)
    times = _times_beyond(facts.artifact, head, loss)
    if times is None:
        beyond = _loss_beyond(rule, facts, head, loss)
        return beyond or _own_labels_beyond(rule, facts, head, loss)
    values = _REACHES[loss.name, head.last].values
    labels = loss.name in CROSS_ENTROPIES
    policy = may_be_policy(facts.artifact, head, loss)
    what = f"{loss.name} takes no others" if labels else f"A {head.last} gives no others"
    return rule.finding(
        f"`{head.route}`: in training, a gradient of its bias was at least {times:,.3g} times as "
        f"large as targets {values} can cause. {what}, so some targets were outside, unless samples had "
        "large weights." + ADVANTAGES * policy,
        route=head.route,
        evidence={
            "measured": times,
            "unit": BEYOND_TARGETS.unit,
            "threshold": _limit(facts.artifact, loss, head),
            "activation": head.last,
        },
        key=head.route,
        # Of classes, samples may have weights, and no metric says that these are numbers.
        severity=Severity.LOW
        if policy or (times < BEYOND_TARGETS.value and not has_metrics(facts.artifact.training))
        else None,
        fix=_for_labels(head, values) + _WEIGHED.format(times) * _settled(facts.artifact, head)
        if labels
        else "Use no activation in the last layer, or scale the targets to values "
        f"{values}, and train again:\n{head.code('linear')}",
    )


_WEIGHED = (
    "\n\nIf classes or samples have weights, as by class_weight, some are of about {:.2g}: use smaller ones, "
    "such as the number of rows by that of a class and of all classes, and train again."
)


def _settled(artifact: Artifact, head: NetworkHead) -> bool:
    """Whether the last gradients of a bias went to either side, as where weights have found their balance."""
    state = optimizer_state(artifact)
    return any(
        (each.route, each.role) == (head.weights.route, "bias")
        and bool(each.second)
        and abs(each.mean_first) < BALANCED.value * math.sqrt(each.mean_second or 0.0)
        for each in (state.moments if state else ())
    )


def _own_labels_beyond(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss
) -> Finding | None:
    """Labels above 1 that a function of the program's own seems to have got, by its name; or None.

    Of masks of 0 and 255, a cross-entropy makes the output larger in every step, whatever it is. One
    that adds up errors has gradients as large, until the answers are right on average.
    """
    alike, state = named_after(head, loss), optimizer_state(facts.artifact)
    if alike is None or alike.name not in BINARY | OVERLAPS or head.last != "sigmoid":
        return None
    if state is None or state.name.lower() not in _AVERAGES or head.rescaled or head.joined:
        return None
    stored = facts.artifact.by_name.get(head.weights.variables.get("bias", ""))
    if stored is None or stored.stats is None or not stored.stats.minimum > 0:
        return None
    own = [x for x in state.moments if x.route == head.weights.route and x.role == "bias"]
    if not own or own[0].second is None or not _one_way(facts.artifact, head):
        return None
    size = math.sqrt(max(own[0].second, 0.0) / _counted(state))
    if not BEYOND_LABELS.value <= size < math.inf:
        return None
    return rule.finding(
        f"`{head.route}`: all steps made its bias larger, with gradients of about {size:.3g}. Labels from 0 "
        f"to 1 cause 1 at most in a cross-entropy, so some were probably above, unless {loss.name}, a "
        "function of the program's own, adds up or weighs errors.",
        route=head.route,
        evidence={"measured": size, "unit": BEYOND_LABELS.unit, "threshold": BEYOND_LABELS.value},
        key=head.route,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix=_for_labels(head, "from 0 to 1"),
    )


def _for_labels(head: NetworkHead, values: str) -> str:
    """What to do about labels beyond these values: masks come as maps, numbers as rows."""
    if head.weights.class_name != "Dense":
        return (
            f"Scale the labels to values {values}, as by dividing masks of 0 and 255 by 255, or use a "
            "loss for numbers or for more classes, and train again."
        )
    last = head.activations[-1].layer if head.activations else head.weights
    own = last.route != head.weights.route and not head.joined
    first = f"remove the layer `{last.name}`" if own else "use no activation in the last layer"
    return (
        f"If the targets are numbers, {first}, compile with mean_squared_error, and train again:\n"
        f'{head.code("linear")}\nmodel.compile(loss="mean_squared_error")\n\nIf they are numbers of more '
        "classes, use one unit for each and sparse_categorical_crossentropy. Otherwise, scale them to "
        f"values {values}."
    )


def _loss_beyond(rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss) -> Finding | None:
    """What the mean loss says that the file keeps, where gradients have faded or have no such limit."""
    artifact = facts.artifact
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    weighted = bool((artifact.training or {}).get("loss_weights"))
    if artifact.architecture is None or weighted or loss.summed:
        return None
    if applied != [head.last] or head.rescaled or head.joined:
        return None
    times = times_possible(artifact, saved_graph(facts), head.last, loss)
    limit = _limit(artifact, loss)
    if times is None or times < limit:
        return None
    values = "from 0 to 1" if head.last == "sigmoid" else "from -1 to 1"
    return rule.finding(
        f"`{head.route}`: the mean loss that the file keeps of training is {times:,.3g} times as large "
        f"as {loss.name} of targets {values} can be. A {head.last} gives no others, so the targets were "
        "beyond, unless samples had large weights.",
        route=head.route,
        evidence={
            "measured": times,
            "unit": BEYOND_TARGETS.unit,
            "threshold": limit,
            "activation": head.last,
        },
        key=head.route,
        fix=f"Use no activation in the last layer, or scale the targets to values {values}, and train "
        f"again:\n{head.code('linear')}",
    )


def _near_zero(rule: Rule, facts: Facts, head: NetworkHead) -> Finding | None:
    """Targets by which a percentage error divides, if they are next to 0; otherwise None.

    The gradient of an output y for a target t is 100 / |t|, with a sign.
    """
    state = optimizer_state(facts.artifact)
    if state is None or state.name.lower() not in _AVERAGES or head.last != "linear":
        return None
    for each in state.moments:
        if each.route != head.weights.route or each.role != "bias" or not each.second:
            continue
        target = 100 / math.sqrt(each.second / _counted(state))
        if not 0 < target < NEAR_ZERO.value:
            return None
        return rule.finding(
            f"`{head.route}`: mean_absolute_percentage_error divides by the targets, and the gradients of the "
            f"bias were as large as targets of {target:.2g} or less make them. These few decide each step, "
            "and the answers for all others hardly count.",
            route=head.route,
            evidence={"measured": target, "unit": "size of targets", "threshold": NEAR_ZERO.value},
            key=head.route,
            title="A percentage error divides by targets of nearly 0",
            severity=Severity.LOW,
            fix="Use mean_absolute_error or mean_squared_error, or leave out targets of 0, and train again:\n"
            '\n    model.compile(loss="mean_absolute_error")',
        )
    return None


def _limit(artifact: Artifact, loss: CompiledLoss, head: NetworkHead | None = None) -> float:
    """From how many times on targets are beyond: numbers have no classes with weights of their own.

    Weights of classes that balance them leave gradients of both signs at the end.
    """
    numbers = of_numbers(artifact.training) or not has_metrics(artifact.training)
    if loss.name in DISTANCES and numbers:
        return BEYOND_NUMBERS.value
    if loss.name == "binary_crossentropy" and head is not None and _one_way(artifact, head):
        return BEYOND_LABELS.value
    return BEYOND_TARGETS.value


def _one_way(artifact: Artifact, head: NetworkHead) -> bool:
    """Whether all steps moved the biases of a head one way, by all that steps can."""
    state = optimizer_state(artifact)
    bias = artifact.by_name.get(head.weights.variables.get("bias", ""))
    whole = (state.rate or 0.0) * rates_one_way(state) if state is not None else 0.0
    if bias is None or bias.stats is None or not whole > 0:
        return False
    share = min(abs(bias.stats.minimum), abs(bias.stats.maximum)) / whole
    return STILL_MOVING.value <= share <= 2 - STILL_MOVING.value


def may_be_policy(artifact: Artifact, head: NetworkHead, loss: CompiledLoss) -> bool:
    """Whether it may have been trained on actions times advantages: nobody asks for its accuracy."""
    asked = (artifact.training or {}).get("metrics")
    dense = head.weights.class_name == "Dense"
    return dense and loss.name in CATEGORICAL | SPARSE and not asked


def _times_beyond(artifact: Artifact, head: NetworkHead, loss: CompiledLoss) -> float | None:
    """How many times the gradients of the last bias were as large as targets in reach allow.

    The gradient of a bias is the mean of those of the scores, and the root of an average of squares
    is at most the largest: a value above 1 is a proof for a mean over the batch, unless samples
    have large weights. None where it proves nothing.
    """
    reach = _REACHES.get((loss.name, head.last))
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    weighted = bool((artifact.training or {}).get("loss_weights"))
    scores = head.last == "linear"
    if reach is None or weighted or applied != ([] if scores else [head.last]):
        return None
    if scores and not loss.from_logits:
        return None  # of values that are no probabilities, the gradient has no limit
    state = optimizer_state(artifact)
    if state is None or state.name.lower() not in _AVERAGES or loss.summed:
        return None
    if head.rescaled or head.joined or not weighs(head.weights):
        return None
    route = head.weights.route
    for each in state.moments:
        if each.route == route and each.role == "bias" and each.second is not None:
            units = head.units or math.prod(each.shape) or 1
            most = reach.most / (units if reach.shared else 1)
            times = math.sqrt(max(each.second, 0.0) / _counted(state)) / most
            return times if _limit(artifact, loss, head) <= times < math.inf else None
    return None


def _counted(state: OptimizerState) -> float:
    """The weights of all squares in their average, which add up to less than 1 at the start."""
    kept, steps = kept_squares(state), state.steps
    return float(1 - kept**steps) if kept is not None and steps else 1.0
