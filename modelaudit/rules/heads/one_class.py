"""MA439: labels of one class, as the averages of the last layer's gradients show."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.kernels import LastErrors, OneWay
from modelaudit.audit_types.values import number
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.limited_values import at_most_one, never_negative
from modelaudit.rules.network.network_heads import NetworkHead, activation_of, saved_graph
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.thresholds.design import (
    ONE_CLASS_LEFT,
    ONE_CLASS_ROWS,
    ONE_CLASS_STEPS,
    ONE_CLASS_SURE,
)
from modelaudit.thresholds.last_layers import (
    ABSENT_CLASSES,
    ERRORS_AHEAD,
    ERRORS_ALONG,
    ERRORS_PUSHED,
    ONE_CLASS_MET,
    ONE_CLASS_SOON,
)
from modelaudit.thresholds.optimizers import (
    ONE_SIDED_ALIKE,
    ONE_SIDED_LEAST,
    ONE_SIDED_MOST,
    ONE_SIDED_OUTSIDE,
    ONE_SIDED_ROWS,
    ONE_SIDED_TINY,
)

# These keep the average of the gradients themselves.
_AVERAGES = frozenset(("adam", "adamw", "nadam", "adamax"))
_OF_NUMBERS = frozenset(("mean_squared_error", "mean_absolute_error"))
COUNT_LABELS = (
    "Count the labels that training gets:\n\n    print(np.unique(y, return_counts=True))\n\n"
    "If there is one class, see how the labels are read. If they are sorted by class, shuffle them "
    "before they are split, and a Dataset with dataset.shuffle(len(y)). If one is rare, give its "
    "rows a weight, as with model.fit(x, y, class_weight={0: 1.0, 1: 20.0}), and judge by recall. "
    "Then train again."
)
FEW_INPUTS = 6  # of which, and units, means have a direction by chance
ENDS = frozenset(("sigmoid", "softmax", "linear"))


def one_class(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Heads whose last gradients all led to one answer, although they gave it already."""
    found = facts.measurements.one_way if facts.measurements else {}
    errors = facts.measurements.last_errors if facts.measurements else {}
    state = optimizer_state(facts.artifact)
    if not (found or errors) or state is None or (state.steps or 0) < ONE_CLASS_SOON.value:
        return
    if shown_architecture(facts.artifact) is None:
        return  # as of a checkpoint of TensorFlow 1 alone
    # Without momentum, steps are of one batch, which may be of one class.
    few = (state.steps or 0) < ONE_CLASS_STEPS.value
    averaged = state.name != "SGD" or bool(number(state.settings.get("momentum")))
    graph = saved_graph(facts)
    positive = never_negative(graph)
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return
    for head, loss in heads:
        if loss is None or loss.name not in CROSS_ENTROPIES or head.joined or head.last not in ENDS:
            continue
        route = head.weights.route
        sources = {x for call in graph.calls.get(route, ()) for x in call}
        above = bool(sources) and sources <= positive
        way, last = found.get(route), errors.get(route)
        answer = _one_way(state, head, way) if way is not None and above else None
        if way is not None and answer is not None:
            yield _told(rule, head, answer, _left(state, way), way.rows)
        elif last is not None and averaged and _one_sided(graph, state, head, last, above=above):
            yield _told(rule, head, last.only, last.error, last.rows, last)
        elif few or last is None or not (above or last.of_squares):
            continue
        elif _absent(head, loss.name, last):
            yield _never_labels(rule, head, last)


def one_error(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """A regression whose errors were the same for all inputs of a batch, although their mean changed.

    Then the gradients of a hidden ReLU unit are those of its bias times the mean of the inputs that it
    is above 0 for, which goes along its weights.
    """
    errors = facts.measurements.last_errors if facts.measurements else {}
    state = optimizer_state(facts.artifact)
    if not errors or state is None or (state.steps or 0) < ONE_CLASS_STEPS.value:
        return
    try:
        ((head, loss),) = paired_heads(facts)
    except (NotApplicable, ValueError):
        return
    route = head.weights.route
    bias = next((x for x in state.moments if (x.route, x.role) == (route, "bias")), None)
    if loss is None or loss.name not in _OF_NUMBERS or head.last != "linear" or head.units != 1:
        return
    if bias is None or not bias.second or head.rescaled or head.joined:
        return
    graph = saved_graph(facts)
    hidden = [kernel.route for kernel in facts.artifact.kernels if kernel.route != route]
    known = [errors[x] for x in hidden if x in errors and activation_of(graph.layer(x)) == "relu"]
    if not known or hidden[0] not in errors or errors[hidden[0]] is not known[0]:
        return
    if any(graph.layer(x).variables for x in graph.above([hidden[0]]) - {hidden[0]}):
        return  # learnt features may all lie along the weights
    first, pushed = known[0], (bias.first or 0.0) / math.sqrt(bias.second)
    if min(first.rows, first.units) < FEW_INPUTS or pushed >= ERRORS_PUSHED.value:
        return
    if first.along < ERRORS_ALONG.value or any(x.ahead < ERRORS_AHEAD.value for x in known):
        return
    yield rule.finding(
        f"In the last steps, the gradients of `{hidden[0]}` went along its weights, as where all inputs of "
        f"a batch have one error, and the average of that error was {pushed:.0%} of its size. It looks as if targets of shape "
        "(n,) were compared with outputs of shape (n, 1), or the reverse: that compares each output with all "
        "targets, and their mean is learnt.",
        route=route,
        title="All inputs of a batch seem to have had one error",
        evidence={
            "measured": first.along,
            "unit": ERRORS_ALONG.unit,
            "threshold": ERRORS_ALONG.value,
            "n": first.units,
        },
        key=f"{head.route} one error",
        severity=Severity.LOW,
        confidence=Confidence.LOW,
        fix="Compare the shapes in the loss or the training loop of your own:\n\n"
        "    print(y.shape, model(x).shape)\n\nGive the targets that of the outputs, such as "
        "y = tf.reshape(y, tf.shape(outputs)), and train again.",
    )


def _one_way(state: OptimizerState, head: NetworkHead, way: OneWay) -> int | None:
    """The answer that all gradients led to, each of one sign behind values that have no other."""
    if state.name.lower() not in _AVERAGES or way.rows < ONE_CLASS_ROWS.value:
        return None
    if _left(state, way) >= _most_left(state) or way.sure < ONE_CLASS_SURE.value:
        return None  # errors of either sign cancel in the averages
    return _answer(head, way)


def _most_left(state: OptimizerState) -> float:
    """How far answers may be from their label where nearly all are given already.

    In fewer steps all scores may still move one way from their start, unless the label is nearly met.
    """
    few = (state.steps or 0) < ONE_CLASS_STEPS.value
    return ONE_CLASS_MET.value if few else ONE_CLASS_LEFT.value


def _one_sided(
    graph: LayerGraph, state: OptimizerState, head: NetworkHead, last: LastErrors, *, above: bool
) -> bool:
    """Whether the last errors were all of one sign, by the score that belongs to their size.

    A score s for the right answer leaves an error of about exp(-s). Where errors of both signs cancel,
    their mean is smaller, and the mean input further out: by A = (e + f) / |e - f| of the sums e and
    f, the score is A s, and the logarithm of the error -s - log(A).
    """
    if last.of_squares or last.units != (head.units or 0) or last.rows < ONE_SIDED_ROWS.value:
        return False
    if not 0 < last.error < _most_left(state) or (head.last == "sigmoid" and last.units > 1):
        return False
    fits = -math.log(last.error)
    fitting = ONE_SIDED_LEAST.value * fits <= last.score <= ONE_SIDED_MOST.value * fits
    if last.units > 2:
        tiny = last.error < ONE_SIDED_TINY.value
        return last.raised == 1 and last.alike >= ONE_SIDED_ALIKE.value and (fitting or tiny)
    if not fitting:
        return False
    if above and last.low < -ONE_SIDED_OUTSIDE.value * last.high:
        return False
    return (
        not at_most_one(graph, head.weights.route)
        or max(-last.low, last.high) <= 1 + ONE_SIDED_OUTSIDE.value
    )


def _told(
    rule: Rule,
    head: NetworkHead,
    answer: int,
    left: float,
    rows: int,
    last: LastErrors | None = None,
) -> Finding:
    route = head.weights.route
    why = (
        f"the gradients of all {rows:,} weights of each unit of `{route}` led to the answer {answer}, although a "
        f"label of {answer} was missed by {left:.2g} on average"
        if last is None
        else f"the errors of `{route}` were of one kind: the gradients of its bias and of the {rows:,} "
        f"weights of each unit led to the answer {answer}, although a label of {answer} was missed by {left:.2g} on "
        "average. "
        + (
            "All units tell of one mean input"
            if last.units > 2
            else f"The score for their mean input, {last.score:.3g}, is the one that leaves such errors; it "
            "would be larger if errors of either sign had cancelled"
        )
    )
    return rule.finding(
        f"At the end of training, {why}: the last labels were of that class, very few were of another, "
        "or class_weight left them out.",
        route=route,
        title="The last labels of training were of one class, or nearly",
        evidence={
            "measured": left,
            "unit": ONE_CLASS_LEFT.unit,
            "threshold": ONE_CLASS_LEFT.value,
            "n": rows,
        },
        key=f"{head.route} labels",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix=COUNT_LABELS,
    )


def _absent(head: NetworkHead, loss: str, last: LastErrors) -> bool:
    """Whether some of several exclusive classes were no labels, behind values that are never below 0."""
    return (
        loss.endswith("categorical_crossentropy")
        and head.last != "sigmoid"
        and last.units == head.units
        and 2 < last.units <= ABSENT_CLASSES.value
        and last.rows >= ONE_CLASS_ROWS.value
        and 0 < len(last.lowered) <= last.units - 2
    )


def _never_labels(rule: Rule, head: NetworkHead, last: LastErrors) -> Finding:
    said = (
        "class"
        + ("es" if len(last.lowered) > 1 else "")
        + " "
        + ", ".join(map(str, last.lowered[:8]))
    )
    said += ", ..." if len(last.lowered) > 8 else ""
    why = (
        "had next to no gradients"
        if last.of_squares
        else "had small gradients, all of which lowered it"
    )
    return rule.finding(
        f"In the last steps, the score of {said} (of 0 to {last.units - 1}) of `{head.weights.route}` {why}: it looks as if no label was one of these classes, or hardly any.",
        route=head.weights.route,
        title="Classes that look as if they were never a label in training",
        evidence={"measured": len(last.lowered), "unit": "classes", "n": last.units},
        key=f"{head.route} absent",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix="Count the labels that training gets:\n\n    print(np.unique(y, return_counts=True))\n\n"
        "validation_split takes the last rows before any shuffling. If rows are sorted by class, shuffle "
        "them first:\n\n    order = np.random.permutation(len(x))\n    x, y = x[order], y[order]\n\n"
        "If there are fewer classes than units, give the last layer one unit for each. Then train again.",
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
