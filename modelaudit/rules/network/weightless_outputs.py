"""MA306: outputs that no layer with weights gives, as similarities, beside their loss; and critics."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator

from msgspec import Struct

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.bytecode.marshal_reader import Bytecode, read_bytecode
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
from modelaudit.rules.network.named_losses import of_critic
from modelaudit.rules.network.network_heads import activation_of, output_heads, saved_graph
from modelaudit.rules.network.value_ranges import MONOTONE


class _OutputValues(Struct, frozen=True):
    """The smallest and largest value, and whether only names in the code of a Lambda tell them."""

    low: float
    high: float
    by_name: bool = False


_FREE, _NEVER_NEGATIVE = _OutputValues(-math.inf, math.inf), _OutputValues(0.0, math.inf)
_COSINE = _OutputValues(-1.0, 1.0)
_UNIT = frozenset(("UnitNormalization", "L2Normalize", "Normalize"))
_NORMALIZES = frozenset(("l2_normalize", "unit_norm"))
_SIZES = frozenset(("Absolute", "Abs", "Square", "Sqrt", "Norm"))
_SUMS = frozenset(("Sum", "ReduceSum", "Mean", "ReduceMean"))
_MOVES = frozenset(("Squeeze", "ExpandDims", "Reshape"))
_MOST = 32  # layers in a row


def with_weightless(check: Check) -> Check:
    """The check, and what is said of outputs that no layer with weights gives."""

    def both(rule: Rule, facts: Facts) -> Iterator[Finding]:
        found = [*_weightless(rule, facts), *_normalized_critic(rule, facts)]
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
        low, high = given.low, given.high
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
        guess = " This is by the names in the code of a Lambda alone." if given.by_name else ""
        yield rule.finding(
            f"`{route}`: {said}.{guess}",
            route=route,
            evidence={"loss": loss.name, "measured": [str(low), str(high)], "unit": "range"},
            key=route,
            severity=Severity.LOW if given.by_name else severity,
            confidence=Confidence.LOW if given.by_name else Confidence.MEDIUM,
            fix=f"{fix}, and train again.",
        )


def _normalized_critic(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Batch normalization in a critic, unless a generator is before it."""
    architecture = with_outputs(facts.artifact)
    if architecture is None:
        return
    losses = compiled_losses(facts.artifact.training, named_outputs(architecture))
    names = [loss.name for loss in losses if loss is not None and of_critic(loss)]
    layers = saved_graph(facts).layers
    norms = [x for x in layers if has(x.class_name, Trait.BATCH_NORMALISATION)]
    if not names or not norms or any(_enlarges(layer) for layer in layers):
        return
    yield rule.finding(
        f"`{norms[0].route}`: batch normalization in a critic, as {names[0]}, a function of the program's "
        "own, seems to be of one: with a gradient penalty, the gradient at an input depends on the "
        "others of its batch then. Where weights are clipped instead, nothing is wrong.",
        route=norms[0].route,
        evidence={"loss": names[0], "measured": len(norms), "unit": "layers"},
        key=norms[0].route,
        title="Batch normalization in a critic",
        severity=Severity.LOW,
        confidence=Confidence.LOW,
        fix="With a gradient penalty, leave it out, or use keras.layers.LayerNormalization(), and train "
        "again.",
    )


def _enlarges(layer: Layer) -> bool:
    return has(layer.class_name, Trait.UPSAMPLING) or "Transpose" in layer.class_name


def _range(graph: LayerGraph, route: str, left: int = _MOST) -> _OutputValues | None:
    """The smallest and largest value that a row of similarities or distances can give; None if unknown."""
    layer, calls = graph.get(route), graph.calls.get(route, ())
    if layer is None or layer.custom or len(calls) != 1 or not calls[0] or left == 0:
        return None
    name = operation_name(layer)
    if layer.class_name == "Dot":
        unit = layer.config.get("normalize") is True
        unit = unit or all(_of_length_one(graph, source) for source in calls[0])
        return _COSINE if unit else _FREE
    if layer.class_name == "Lambda":
        return _by_names(layer)
    given = _range(graph, calls[0][0], left - 1) if len(calls[0]) == 1 else None
    if name in _SIZES:
        return _NEVER_NEGATIVE
    if given is None:
        return None
    if name in _MOVES or has(layer.class_name, Trait.KEEPS_RANGE):
        return given
    if name in {"Negative", "Neg"}:
        return _OutputValues(-given.high, -given.low, given.by_name)
    if name in _SUMS:
        return given if "Mean" in name else _NEVER_NEGATIVE if given.low >= 0 else _FREE
    applied = MONOTONE.get(activation_of(layer))
    if layer.class_name != "Activation" or applied is None:
        return None
    return _OutputValues(applied(given.low), applied(given.high), given.by_name)


def _of_length_one(graph: LayerGraph, route: str) -> bool:
    layer = graph.get(route)
    if layer is None or layer.custom:
        return False
    return operation_name(layer) in _UNIT or {*code_names(layer)} & _NORMALIZES != set()


def _by_names(layer: Layer) -> _OutputValues | None:
    names = " ".join(code_names(layer)).lower()
    if "cos" in names and ("simil" in names or "proxim" in names):
        return _OutputValues(-1.0, 1.0, by_name=True)
    apart = any(each in names for each in ("abs", "manhattan", "euclid", "dist", "square"))
    return _OutputValues(0.0, 1.0, by_name=True) if "exp" in names and apart else None


def code_names(layer: Layer) -> tuple[str, ...]:
    """The names in the code of a Lambda, or that of its function; none if it cannot be read."""
    said = layer.config.get("function") if layer.class_name == "Lambda" else None
    if isinstance(said, dict):
        inner = said.get("config")
        said = inner.get("code") if isinstance(inner, dict) else inner
    said = said[0] if isinstance(said, list) and said else said
    if not isinstance(said, str):
        return ()
    if said.isidentifier():
        return (said,)
    try:
        read = read_bytecode(base64.b64decode(said))
    except (binascii.Error, ValueError):
        return ()
    return read.all_names() if isinstance(read, Bytecode) else ()
