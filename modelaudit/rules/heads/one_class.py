"""MA439: labels of one class, as the averages of the last layer's gradients show."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.kernels import OneWay
from modelaudit.audit_types.values import number
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.heads.one_sided_heads import never_negative
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph
from modelaudit.thresholds.design import (
    ONE_CLASS_LEFT,
    ONE_CLASS_ROWS,
    ONE_CLASS_STEPS,
    ONE_CLASS_SURE,
)

# These keep the average of the gradients themselves.
_AVERAGES = frozenset(("adam", "adamw", "nadam", "adamax"))
_ENDS = frozenset(("sigmoid", "softmax", "linear"))


def one_class(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Heads whose last gradients all led to one answer, although they gave it already."""
    found = facts.measurements.one_way if facts.measurements else {}
    state = optimizer_state(facts.artifact)
    if not found or state is None or state.name.lower() not in _AVERAGES:
        return
    if (state.steps or 0) < ONE_CLASS_STEPS.value:
        return
    graph = saved_graph(facts)
    positive = never_negative(graph)
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return
    for head, loss in heads:
        way = found.get(head.weights.route)
        if way is None or loss is None or loss.name not in CROSS_ENTROPIES or head.joined:
            continue
        sources = {x for call in graph.calls.get(head.weights.route, ()) for x in call}
        left = _left(state, way)
        answer = _answer(head, way)
        if answer is None or head.last not in _ENDS or not sources or not sources <= positive:
            continue
        if way.rows < ONE_CLASS_ROWS.value or left >= ONE_CLASS_LEFT.value:
            continue
        if way.sure < ONE_CLASS_SURE.value:
            continue  # errors of either sign cancel in the averages
        yield rule.finding(
            f"At the end of training, the gradients of all {way.rows:,} weights of each unit of "
            f"`{head.weights.route}` led to the answer {answer}, although a label of {answer} was "
            f"missed by {left:.2g} on average: the last labels were of that class, very few were of "
            "another, or class_weight left them out.",
            route=head.weights.route,
            title="The last labels of training were of one class, or nearly",
            evidence={
                "measured": left,
                "unit": ONE_CLASS_LEFT.unit,
                "threshold": ONE_CLASS_LEFT.value,
                "n": way.rows,
            },
            key=f"{head.route} labels",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix="Count the labels that training gets:\n\n    print(np.unique(y, return_counts=True))\n\n"
            "If there is one class, see how the labels are read. If they are sorted by class, shuffle them "
            "before they are split, and a Dataset with dataset.shuffle(len(y)). If one is rare, give its "
            "rows a weight, as with model.fit(x, y, class_weight={0: 1.0, 1: 20.0}), and judge by recall. "
            "Then train again.",
        )


def _answer(head: NetworkHead, way: OneWay) -> int | None:
    """The class that all gradients led to; None if they led to none or several."""
    if head.units == 1 and way.units == 1:
        return way.up
    return way.only if head.last != "sigmoid" and way.units == head.units else None


def _left(state: OptimizerState, way: OneWay) -> float:
    """How far the answers were from the label on average: the gradient of a bias is that."""
    beta = number(state.settings.get("beta_1", 0.9)) or 0.0
    return way.largest / (1 - beta ** (state.steps or 1)) if 0 < beta < 1 else way.largest
