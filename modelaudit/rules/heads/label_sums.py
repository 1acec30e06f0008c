"""MA306: labels and shares that do not add up to 1 as a loss takes them.

The gradients of the last bias show those of the labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.compiled_losses import CATEGORICAL, SPARSE, CompiledLoss
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.rules.grammar import quoted
from modelaudit.rules.heads.unreached_targets import ADVANTAGES, may_be_policy
from modelaudit.rules.initial_weights.training_reach import kept_squares
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.learning_rates import rate_of
from modelaudit.rules.network.limited_values import never_negative
from modelaudit.rules.network.network_heads import HeadStep, NetworkHead, saved_graph
from modelaudit.thresholds.design import LABEL_SUM, LABELS_APART, LABELS_PULL, LABELS_REACH
from modelaudit.thresholds.last_layers import SCORE_OF_SQUARES
from modelaudit.thresholds.optimizers import SCORE_OF_ERRORS
from modelaudit.thresholds.training import FEW_STEPS

# These keep the average of the gradients themselves.
_AVERAGES = frozenset(("adam", "adamw", "nadam", "adamax"))
_ROW = 2  # axes of an output of values for each input
_JOINS = frozenset(("Flatten", "Reshape"))


def labels_above_one(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss
) -> Finding | None:
    """What is said of labels that add up to more than 1; None if nothing proves any.

    TensorFlow gives the softmax z of scores the gradient z - y under a categorical cross-entropy,
    whatever the labels y are. The z add up to 1, so that the gradients of the biases add up to 1 less
    the sum of the labels: to 0 where each input has one class.
    """
    labels = _sum_of_labels(facts, head, loss)
    if labels is None or labels < LABEL_SUM.value:
        return None
    policy = may_be_policy(facts.artifact, head, loss)
    return rule.finding(
        f"`{head.route}`: at the end of training, the labels of an input added up to about {labels:.3g}, "
        "and not to 1: the averages of the gradients of the biases add up to 1 less that. A softmax shares "
        "1 among the classes: where several hold, it cannot say so." + ADVANTAGES * policy,
        route=head.route,
        evidence={
            "measured": labels,
            "unit": LABEL_SUM.unit,
            "threshold": LABEL_SUM.value,
            "activation": head.last,
        },
        key=head.route,
        title="The labels of an input add up to more than 1 under a softmax",
        severity=Severity.LOW if policy else Severity.MEDIUM,
        fix="If several classes can hold for one input, use a sigmoid and binary_crossentropy:\n"
        f'{head.code("sigmoid")}\nmodel.compile(loss="binary_crossentropy")\n\nOtherwise give each input '
        "one-hot labels, such as keras.utils.to_categorical(y). Then train again.",
    )


def labels_apart(rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss) -> Finding | None:
    """What is said of labels that a sigmoid does not reach; None if nothing shows any."""
    return _stayed_apart(rule, facts, head, loss) or _beyond_scores(rule, facts, head, loss)


def _beyond_scores(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss
) -> Finding | None:
    """Errors that answers for labels from 0 to 1 do not leave at such scores.

    A score s and a label y have the product s * (y - sigmoid(s)). For y from 0 to 1 it is at most the
    largest s / (1 + exp(s)), 0.2785. The averages of gradients give the mean of it: the mean error
    times the score at the mean input.
    """
    found = facts.measurements.last_errors if facts.measurements else {}
    last, state = found.get(head.weights.route), optimizer_state(facts.artifact)
    if loss.name != "binary_crossentropy" or head.units != 1 or loss.summed or last is None:
        return None
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    if applied != ([] if loss.from_logits else ["sigmoid"]) or head.rescaled or head.joined:
        return None
    few = state is None or (state.steps or 0) < FEW_STEPS.value
    if few or (facts.artifact.training or {}).get("loss_weights"):
        return None
    product, least, unit = last.error * last.score, SCORE_OF_ERRORS.value, SCORE_OF_ERRORS.unit
    if last.of_squares:
        least, unit = SCORE_OF_SQUARES.value, SCORE_OF_SQUARES.unit
        graph = saved_graph(facts)
        sources = {x for call in graph.calls.get(head.weights.route, ()) for x in call}
        if not sources or not sources <= never_negative(graph):
            return None  # of inputs of either sign, squares tell no score
    if not least <= product < math.inf:
        return None
    side = "above 1" if last.only else "below 0"
    score = f"{'' if last.only else '-'}{last.score:,.3g}, where an answer is {last.only}"
    if last.of_squares:
        detail = (
            f"the mean error of a batch was still about {last.error:.2g}, although the score at the inputs of "
            f"these errors is about {score}. With labels from 0 to 1, training takes error times score to 0.56 "
            f"at most; here it is {product:,.3g}. Some labels were {side}, unless samples had large weights or "
            "steps were far too large."
        )
    else:
        detail = (
            f"the answers were still {last.error:.2g} {'below' if last.only else 'above'} the labels on average, "
            f"although the score at the mean input of these errors is {score}. With labels from 0 to 1, error "
            f"and score have a product of 0.28 at most: some labels were {side}, unless samples had large weights."
        )
    return rule.finding(
        f"`{head.route}`: at the end of training, {detail}",
        route=head.route,
        evidence={
            "measured": product,
            "unit": unit,
            "threshold": least,
            "activation": head.last,
        },
        key=head.route,
        title="The answers stayed apart from the labels",
        severity=Severity.LOW,
        fix=_LOOK
        + ("y = y - 1 of 1 and 2" if last.only else "y = (y + 1) / 2 of -1 and 1")
        + _FOR_OTHERS,
    )


_LOOK = "Look at the labels (print(np.unique(y, return_counts=True))), and make them 0 and 1: "
_FOR_OTHERS = (
    ". For numbers, use no activation in the last layer and mean_squared_error; for more than two "
    "classes, one unit for each and a softmax with sparse_categorical_crossentropy. Then train again."
)


def _stayed_apart(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss
) -> Finding | None:
    """What is said of labels that the answers of a sigmoid stayed apart from; None if they did not.

    The gradient of the bias is the mean of the answers less that of the labels. Training takes it
    to 0 where labels are from 0 to 1: with labels of -1, or of 2, it stays as it is.
    """
    if loss.name != "binary_crossentropy" or head.units != 1:
        return None
    found = _average(facts, head, loss, "sigmoid")
    state = optimizer_state(facts.artifact)
    if found is None or state is None:
        return None
    each, apart, kept = found[0], found[1], kept_squares(state)
    steps, rate = state.steps or 0, rate_of(state) or 0.0
    if kept is None or each.second is None or steps * rate < LABELS_REACH.value:
        return None
    usual = math.sqrt(max(each.second, 0.0) / (1 - kept**steps))
    if abs(apart) < max(LABELS_APART.value, LABELS_PULL.value * usual):
        return None
    above = apart > 0
    # Labels from 0 to 1 leave no more, where every answer is 0, or 1, from the start.
    stuck = abs(apart) < 1
    return rule.finding(
        f"`{head.route}`: at the end of training, the answers were still {abs(apart):.2g} "
        f"{'above' if above else 'below'} the labels on average, as they had been all along: "
        f"{steps:,} steps at a rate of {rate:g} did not bring them nearer. So it is with labels "
        f"{'below 0, such as -1 and 1' if above else 'above 1, such as 1 and 2'}"
        f"; {loss.name} is of labels from 0 to 1."
        + (f" Or every answer is {int(above)}, as of inputs that are not scaled." if stuck else ""),
        route=head.route,
        evidence={
            "measured": abs(apart),
            "unit": LABELS_APART.unit,
            "threshold": LABELS_APART.value,
            "activation": head.last,
        },
        key=head.route,
        title="The answers stayed apart from the labels",
        severity=Severity.LOW,
        fix=_LOOK
        + ("y = (y + 1) / 2 of -1 and 1" if above else "y = y - 1 of 1 and 2")
        + (". If they are, scale the inputs (keras.layers.Normalization)" if stuck else "")
        + _FOR_OTHERS,
    )


def _sum_of_labels(facts: Facts, head: NetworkHead, loss: CompiledLoss) -> float | None:
    """The mean sum of the labels of an input in the last steps; None where the file does not tell."""
    if loss.name != "categorical_crossentropy":
        return None
    found = _average(facts, head, loss, "softmax")
    return None if found is None else 1 - found[1]


def _average(
    facts: Facts, head: NetworkHead, loss: CompiledLoss, activation: str
) -> tuple[WeightMoments, float] | None:
    """The averages for the bias of a head, and the sum of its average gradients of late.

    None where other things than the loss of this head have a part in them.
    """
    artifact, graph = facts.artifact, saved_graph(facts)
    state = optimizer_state(artifact)
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    if loss.summed or state is None or not state.steps:
        return None
    if applied != ([] if loss.from_logits else [activation]) or head.rescaled or head.joined:
        return None
    limited = number(state.settings.get("clipvalue")) or number(state.settings.get("clipnorm"))
    weighted = bool((artifact.training or {}).get("loss_weights"))
    penalized = any(
        head.weights.config.get(key) for key in ("bias_regularizer", "activity_regularizer")
    )
    taken = graph.consumers().get(head.route)
    if state.name.lower() not in _AVERAGES or limited or weighted or penalized or taken:
        return None
    beta = number(state.settings.get("beta_1", 0.9))
    if beta is None or not 0 < beta < 1:
        return None
    for each in state.moments:
        if each.route == head.weights.route and each.role == "bias" and each.first:
            total = each.mean_first * math.prod(each.shape) / (1 - beta**state.steps)
            return (each, total) if math.isfinite(total) else None
    return None


def joined_shares(rule: Rule, head: NetworkHead, loss: CompiledLoss) -> Iterator[Finding]:
    """Softmaxes side by side, or at several positions in one row, under a loss of exclusive classes."""
    if loss.name not in CATEGORICAL | SPARSE or head.last != "softmax":
        return
    evidence = {"loss": loss.name, "activation": head.last, "units": head.units}
    if head.grouped:
        several = quoted(each.weights.name for each in (head, *head.joined))
        yield rule.finding(
            f"`{head.route}` joins {1 + len(head.joined)} softmaxes, whose shares add up to 1 each, and "
            f"{loss.name} takes all {head.units} for those of one choice.",
            route=head.route,
            evidence={**evidence, "softmaxes": 1 + len(head.joined)},
            key=head.route,
            severity=Severity.LOW,
            fix=f"Give {', '.join(several)} an output and a loss each, without `{head.weights.name}` and the "
            "others being joined, and train again:\n"
            "model = keras.Model(inputs, [first, second])\n"
            f'model.compile(..., loss=["{loss.name}", "{loss.name}"])',
        )
        return
    joins = _in_a_row(head)
    if joins is not None:
        step, places = joins
        yield rule.finding(
            f"`{step.layer.route}` puts the shares of {places} positions in one row: they add up to {places}, and "
            f"{loss.name} takes all {head.units} for those of one choice.",
            route=step.layer.route,
            evidence={**evidence, "positions": places},
            key=head.route,
            severity=Severity.LOW,
            fix=f"For one label per input, pool or flatten the positions before `{head.weights.name}`; for a "
            f"label at each, remove `{step.layer.name}`. Then train again.",
        )


def _in_a_row(head: NetworkHead) -> tuple[HeadStep, int] | None:
    """The layer that puts the shares of all positions in one row, and how many positions there are."""
    last = head.activations[-1]
    for step in head.steps[head.steps.index(last) + 1 :]:
        given = step.layer.input_shapes[0] if step.layer.input_shapes else last.layer.output_shape
        result = step.layer.output_shape
        if step.layer.class_name not in _JOINS or not given or not result:
            continue
        places = [n or 0 for n in given[1:-1]]
        if len(result) == _ROW < len(given) and math.prod(places) > 1:
            return step, math.prod(places)
    return None
