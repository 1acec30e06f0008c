"""MA306: outputs that no layer with weights gives, as similarities and distances, beside their loss."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    DISTANCES,
    compiled_losses,
    named_outputs,
)
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.assumed_parts import with_outputs
from modelaudit.rules.grouped import Check
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import activation_of, output_heads, saved_graph
from modelaudit.rules.network.value_ranges import MONOTONE

_Range = tuple[float, float]
_FREE, _NEVER_NEGATIVE, _COSINE = (-math.inf, math.inf), (0.0, math.inf), (-1.0, 1.0)
_UNIT = frozenset(("UnitNormalization", "L2Normalize", "Normalize"))
_SIZES = frozenset(("Absolute", "Abs", "Square", "Sqrt", "Norm"))
_SUMS = frozenset(("Sum", "ReduceSum", "Mean", "ReduceMean"))
_MOVES = frozenset(("Squeeze", "ExpandDims", "Reshape"))
_MOST = 32  # layers in a row


def with_weightless(check: Check) -> Check:
    """The check, and what is said of outputs that no layer with weights gives."""

    def both(rule: Rule, facts: Facts) -> Iterator[Finding]:
        found = [*_weightless(rule, facts)]
        yield from found
        try:
            yield from check(rule, facts)
        except NotApplicable:
            if not found:
                raise

    return both


def _weightless(rule: Rule, facts: Facts) -> Iterator[Finding]:
    architecture = with_outputs(facts.artifact)
    if architecture is None:
        return
    graph = saved_graph(facts)
    losses = compiled_losses(facts.artifact.training, named_outputs(architecture))
    if len(losses) != len(graph.outputs):
        return
    known = {head.route for head in output_heads(graph)}
    for route, loss in zip(graph.outputs, losses, strict=True):
        given = None if route in known or loss is None else _range(graph, route)
        if given is None or loss is None:
            continue
        low, high = given
        values = f"values from {low:.3g} to {high:.3g} only"
        severity = Severity.MEDIUM
        if loss.name in DISTANCES and 0 < high - low < math.inf:
            severity = Severity.LOW
            said = (
                f"it gives {values}, so {loss.name} cannot fit targets beyond, as ratings of 1 to 5"
            )
            fix = (
                "Scale the targets to that range, or put keras.layers.Dense(1) behind it, which scales what "
                "it gets"
            )
        elif loss.name not in BINARY or loss.from_logits:
            continue
        elif low >= 0 and high <= 1:
            if low < 0.5:
                continue
            said = f"it gives {values}, so {loss.name} gets no probability below that"
            fix = "Leave out what makes the values before the sigmoid positive, or put keras.layers.Dense(1) there"
        else:
            more = (
                "any values" if low < 0 and high > 1 else "values above 1" if high > 1 else values
            )
            more = values if high - low < math.inf else more
            said = (
                f"{loss.name} expects probabilities, but it gives {more}. Those outside of 0 to 1 are clipped, "
                "where they give no gradient"
            )
            fix = 'Put keras.layers.Dense(1, activation="sigmoid") behind it'
        yield rule.finding(
            f"`{route}`: {said}.",
            route=route,
            evidence={"loss": loss.name, "measured": [str(low), str(high)], "unit": "range"},
            key=route,
            severity=severity,
            confidence=Confidence.MEDIUM,
            fix=f"{fix}, and train again.",
        )


def _range(graph: LayerGraph, route: str, left: int = _MOST) -> _Range | None:
    """The smallest and largest value that a row of similarities or distances can give; None if unknown."""
    layer, calls = graph.get(route), graph.calls.get(route, ())
    if layer is None or layer.custom or len(calls) != 1 or not calls[0] or left == 0:
        return None
    name = operation_name(layer)
    if layer.class_name == "Dot":
        unit = layer.config.get("normalize") is True
        unit = unit or all(_of_length_one(graph, source) for source in calls[0])
        return _COSINE if unit else _FREE
    given = _range(graph, calls[0][0], left - 1) if len(calls[0]) == 1 else None
    if name in _SIZES:
        return _NEVER_NEGATIVE
    if given is None:
        return None
    if name in _MOVES or has(layer.class_name, Trait.KEEPS_RANGE):
        return given
    if name in {"Negative", "Neg"}:
        return -given[1], -given[0]
    if name in _SUMS:
        return given if "Mean" in name else _NEVER_NEGATIVE if given[0] >= 0 else _FREE
    applied = MONOTONE.get(activation_of(layer))
    if layer.class_name != "Activation" or applied is None:
        return None
    return applied(given[0]), applied(given[1])


def _of_length_one(graph: LayerGraph, route: str) -> bool:
    layer = graph.get(route)
    return layer is not None and not layer.custom and operation_name(layer) in _UNIT
