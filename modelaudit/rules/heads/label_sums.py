"""MA306: labels of several classes at once under a softmax, as the last bias's gradients prove."""

from __future__ import annotations

import math

from modelaudit.audit_types.values import number
from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.compiled_losses import CompiledLoss
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.heads.unreached_targets import ADVANTAGES, may_be_policy
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph
from modelaudit.thresholds.design import LABEL_SUM

# These keep the average of the gradients themselves.
_AVERAGES = frozenset(("adam", "adamw", "nadam", "adamax"))


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


def _sum_of_labels(facts: Facts, head: NetworkHead, loss: CompiledLoss) -> float | None:
    """The mean sum of the labels of an input in the last steps; None where the file does not tell."""
    artifact, graph = facts.artifact, saved_graph(facts)
    state = optimizer_state(artifact)
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    if loss.name != "categorical_crossentropy" or loss.summed or state is None or not state.steps:
        return None
    if applied != ([] if loss.from_logits else ["softmax"]) or head.rescaled or head.joined:
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
            return 1 - total if math.isfinite(total) else None
    return None
