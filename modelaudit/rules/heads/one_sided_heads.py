"""MA329, MA439: sigmoids whose scores, or errors, have the same sign for every input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import wraps

from modelaudit.facts import Json, Layer, Tensor
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import BINARY
from modelaudit.layer_classes import Trait, has
from modelaudit.rules import examples
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.heads.one_class import COUNT_LABELS, ENDS
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.limited_values import keeps_sign, never_negative
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph
from modelaudit.rules.network.value_ranges import sums_up
from modelaudit.thresholds.small_layers import SIDED_BIAS, SIDED_LITTLE, SIDED_MANY, SIDED_WEIGHTS

Check = Callable[[Rule, Facts], Iterator[Finding]]


def _one_sided(rule: Rule, facts: Facts) -> Iterator[Finding]:
    stored = facts.artifact.by_name
    graph, positive = saved_graph(facts), None
    for head, loss in paired_heads(facts):
        layer = head.weights
        if not _scored(head) or head.joined or not has(layer.class_name, Trait.AFFINE):
            continue
        limited = sums_up(layer)
        sign = 1 if limited else _sign(layer, stored)
        positive = never_negative(graph) if sign and positive is None else positive
        sources = {source for call in graph.calls.get(layer.route, ()) for source in call}
        if not sign or not positive or not sources or not sources <= positive:
            continue
        held = stored.get(layer.variables.get("bias", ""))
        bias = held.stats if held is not None else None
        # Classes are answers above 0.5, and a score of 0 gives 0.5: sums of nothing are a no.
        one = sign < 0 or (not limited and bias is not None and bias.minimum > 0)
        which = "negative" if sign > 0 else "positive"
        parts = "weight" if layer.config.get("use_bias") is False else "weight or bias"
        told = f"kernel_constraint lets no weight of `{layer.route}` be negative, it has no bias"
        binary = loss is None or loss.name in BINARY
        answers = (
            "which at the usual limit is one answer for all inputs"
            if one
            else "and 0.5 only where everything that has a weight is 0, so that no probability of a no "
            "is above a half"
        )
        yield rule.finding(
            f"{told if limited else f'No {parts} of `{layer.route}` is {which}'}, and its inputs are "
            f"never negative: the sigmoid never gives {'less' if sign > 0 else 'more'} than 0.5, "
            f"{answers}.",
            route=head.route,
            evidence={"measured": sign, "unit": "as the sign of every score", "limited": limited},
            key=head.route,
            severity=None if binary and (limited or one) else Severity.LOW,
            fix=f"Allow weights below 0 and a bias, and train again:\n{head.code('sigmoid')}"
            if limited
            else f"Train again from other initial values, and check that the classes differ:\n"
            f"{head.code('sigmoid')}",
        )


def _scored(head: NetworkHead) -> bool:
    """Whether a sigmoid is all that follows the last weights, but for what keeps signs."""
    applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
    before = [each for each in head.steps if each.layer is not head.weights]
    before = before[: next((at for at, x in enumerate(before) if x.activation == "sigmoid"), 0)]
    return applied == ["sigmoid"] and all(
        each.activation == "linear" or keeps_sign(each.layer) for each in before
    )


def _sign(layer: Layer, stored: Mapping[str, Tensor]) -> int:
    """1 if no stored weight or bias is below 0, -1 if none is above, 0 otherwise."""
    roles = ("kernel", "bias") if layer.config.get("use_bias") is not False else ("kernel",)
    found = [stored.get(layer.variables.get(role, "")) for role in roles]
    known = [each.stats for each in found if each is not None]
    stats = [each for each in known if each is not None and not each.nonfinite]
    if len(stats) < len(roles) or stats[0].constant:
        return 0  # MA406 tells of a constant kernel
    if all(each.minimum >= 0 for each in stats):
        return 1
    return -1 if all(each.maximum <= 0 for each in stats) else 0


def with_one_sided(check: Check) -> Check:
    """The check, and what the weights of the last layer say where it finds nothing else."""

    @wraps(check)
    def checked(rule: Rule, facts: Facts) -> Iterator[Finding]:
        try:
            found = [*check(rule, facts)]
        except NotApplicable:
            sided = [*_one_sided_weights(rule, facts), *_one_sided_columns(rule, facts)]
            if not sided:
                raise
            yield from sided
            return
        yield from found or [*_one_sided_weights(rule, facts)] or _one_sided_columns(rule, facts)

    return checked


def _one_sided_weights(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """A sigmoid of one unit whose weights all left their draws to the side to which its bias went.

    Behind values that are never below 0, errors of one sign move all weights and the bias to one side.
    """
    if facts.artifact.architecture is None or facts.measurements is None:
        return
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return
    graph, stored = saved_graph(facts), facts.artifact.by_name
    drawn = {each.route: each for each in facts.measurements.initialization}
    for head, loss in heads:
        layer = head.weights
        if loss is None or loss.name != "binary_crossentropy" or head.units != 1 or head.joined:
            continue
        known = drawn.get(layer.route)
        kernel, bias = (stored.get(layer.variables.get(x, "")) for x in ("kernel", "bias"))
        if known is None or kernel is None or bias is None or not (kernel.stats and bias.stats):
            continue
        bound, outside = known.tests.get("bound"), known.tests.get("outside")
        sources = {x for call in graph.calls.get(layer.route, ()) for x in call}
        if known.tests.get("law") != "uniform" or not isinstance(bound, float):
            continue
        if known.guessed or not sources or not sources <= never_negative(graph):
            continue
        if not isinstance(outside, float) or not layer.trainable or head.last not in ENDS:
            continue
        up = bias.stats.minimum > 0
        other = -kernel.stats.minimum if up else kernel.stats.maximum
        count, moved = round(outside * known.weights), abs(bias.stats.mean) / (bound / math.sqrt(3))
        least = SIDED_LITTLE.value if count >= SIDED_MANY.value else SIDED_BIAS.value
        if count < SIDED_WEIGHTS.value or not least <= moved < math.inf or other > bound:
            continue
        yield rule.finding(
            f"The {count:,} weights of `{layer.route}` that left the range of their initializer all went "
            f"{'up' if up else 'down'}, and so did its bias, by {moved:.2g} times the spread of the draws: nearly "
            f"all errors asked for the answer {int(up)}. The labels were of one class, or nearly, or beyond it, "
            "or that class had a large weight.",
            route=layer.route,
            title="Nearly all errors of training were of one sign",
            evidence={
                "measured": count,
                "unit": SIDED_WEIGHTS.unit,
                "threshold": SIDED_WEIGHTS.value,
            },
            key=f"{head.route} labels",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix=COUNT_LABELS,
        )


def _one_sided_columns(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """The same of a softmax: of one class all weights went up with its bias, of all others down."""
    found = facts.measurements.sided_columns if facts.measurements else {}
    if facts.artifact.architecture is None or not found:
        return
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return
    graph = saved_graph(facts)
    for head, loss in heads:
        route, named = head.weights.route, loss.name if loss is not None else ""
        sides = found.get(route)
        if sides is None or not named.endswith("categorical_crossentropy") or head.joined:
            continue
        sources = {x for call in graph.calls.get(route, ()) for x in call}
        if head.last == "sigmoid" or not sources or not sources <= never_negative(graph):
            continue
        few = sides.up < SIDED_MANY.value or sides.bias < SIDED_LITTLE.value
        if few or sides.against or not head.weights.trainable:
            continue
        yield rule.finding(
            f"Of `{route}`, all {sides.up:,} weights of unit {sides.only} that left the range of their initializer "
            "went up, as did its bias, and those of all other units down: nearly all errors asked for the answer "
            f"{sides.only}. The labels were of that class, or nearly, or it had a large weight.",
            route=route,
            title="Nearly all errors of training were of one sign",
            evidence={"measured": sides.up, "unit": SIDED_MANY.unit, "threshold": SIDED_MANY.value},
            key=f"{head.route} labels",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix=COUNT_LABELS,
        )


def _head(**config: Json) -> Facts:
    head: dict[str, Json] = {"units": 1, "activation": "sigmoid", "use_bias": False}
    last = examples.layer("head", "Dense", {"kernel": "head/kernel"}, head | config)
    return examples.chain(examples.dense("hidden"), last, training={"loss": "binary_crossentropy"})


RULES = (
    Rule(
        code="MA329",
        name="one-sided-output",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.LAYERS,),
        summary="A sigmoid gets scores of one sign only",
        pass_title="No sigmoid is limited to one side of 0.5",
        why="Behind a ReLU, features are never negative. Where no weight and no bias of the last layer "
        "is negative either, no score is below 0, and no answer of the sigmoid below 0.5: a no is 0.5 "
        "itself, with a loss of log 2, or the model says yes to every input.",
        fix="Allow weights below 0 and a bias in the last layer, and train again.",
        check=one_for_alike(_one_sided, "output"),
        assumes="output",
        bad=lambda: _head(kernel_constraint={"class_name": "NonNeg", "config": {}}),
        good=_head,
    ),
)
