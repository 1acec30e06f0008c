"""Ranges of values: scalings of what is scaled already, and random changes told another range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Severity
from modelaudit.graphs import WHITE
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.model import Facts
from modelaudit.thresholds.design import OTHER_RANGE, SCALED_TWICE

SCALINGS = frozenset(("Rescaling", "Normalization"))
"""Layers that multiply by constants."""

# Layers whose change is a share of the range, or starts at its end (Keras 3.15).
_MOST = 64  # layers in a row; those of images are a few
_DIVIDES = frozenset(("TrueDivide", "Truediv", "Divide", "RealDiv"))
_MULTIPLIES = frozenset(("Multiply", "Mul"))
_SHIFTS = frozenset(("Subtract", "Sub", "Add", "AddV2"))
_ADD = {"RandomBrightness": "factor", "RandomInvert": ""}


def other_range(graph: LayerGraph, layer: Layer) -> Iterator[tuple[str, Json, Severity, str]]:
    """A `value_range` for pixels behind a scaling of pixels, or the reverse.

    Keras scales changes by the range, and clips results to it (`value_range`, by default 0 to 255).
    """
    told = layer.config.get("value_range")
    if layer.custom or not isinstance(told, list) or len(told) != 2:
        return
    low, high = number(told[0]), number(told[1])
    if low is None or high is None or high <= low:
        return
    clips = has(layer.class_name, Trait.CLIPS_TO_RANGE)
    before = _scaling(row(graph.only_sources(layer.route, _keeps_or_rescales)))
    behind = _scaling(row(graph.only_takers(layer.route, _keeps_or_rescales)))
    if before is not None and (high - low) > OTHER_RANGE.value * WHITE * abs(before[0]):
        start, end = sorted((before[1], before[1] + WHITE * before[0]))
        width = (high - low) * _share(layer)
        if layer.class_name in _ADD and width > end - start:
            detail = (
                f"value_range [{low:g}, {high:g}] is for pixels, but a scaling before it leaves {start:.3g} "
                f"to {end:.3g}: the change can be {width / (end - start):.3g} times as wide as that"
            )
            fix = f"Use value_range=({start:.3g}, {end:.3g}) in `{layer.name}`"
            yield detail, [low, high], Severity.MEDIUM, fix
    elif (
        clips and before is None and behind is not None and OTHER_RANGE.value * (high - low) < WHITE
    ):
        detail = (
            f"value_range [{low:g}, {high:g}] clips what comes before the scaling of pixels behind it: "
            "nearly all values become the same"
        )
        fix = f"Use value_range=(0, {WHITE:g}) in `{layer.name}`, or move it behind the scaling"
        yield detail, [low, high], Severity.MEDIUM, fix


def row(layers: Iterator[Layer]) -> Iterator[Layer]:
    """The first of layers one after another: each is looked at from all others of its row."""
    return islice(layers, _MOST)


def _share(layer: Layer) -> float:
    """The largest part of its range by which a layer changes values."""
    factor = layer.config.get(_ADD.get(layer.class_name, ""), 1.0)
    ends = factor if isinstance(factor, list) else [factor]
    return max((abs(each) for each in map(number, ends) if each is not None), default=0.0)


def _scaling(layers: Iterator[Layer]) -> tuple[float, float] | None:
    """Scale and offset of all scalings in a row together, if they leave pixels in a small range."""
    scale, offset, seen = 1.0, 0.0, False
    for at in layers:
        if at.class_name == "Rescaling":
            by, plus = number(at.config.get("scale")), number(at.config.get("offset", 0.0))
            if by is None or plus is None:
                return None
            scale, offset, seen = scale * by, scale * plus + offset, True  # the nearest is the last
        elif not has(at.class_name, Trait.KEEPS_RANGE):
            break
    return (scale, offset) if seen and 0 < abs(scale) * OTHER_RANGE.value < 1 else None


def _keeps_or_rescales(layer: Layer) -> bool:
    keeps = has(layer.class_name, Trait.KEEPS_RANGE) or layer.class_name == "Rescaling"
    return keeps and not layer.custom


def keeps_or_scales(layer: Layer) -> bool:
    """Whether a layer keeps the range of values, or multiplies them by one number."""
    keeps = has(layer.class_name, Trait.KEEPS_RANGE) or layer.class_name in SCALINGS
    return (keeps and not layer.custom) or _by_number(layer) is not None or _shifts(layer)


def _shifts(layer: Layer) -> bool:
    """Whether an operation, as `x - 1`, moves all values by a number, which makes none more alike."""
    one = len(layer.inbound) == 1 and len(layer.inbound[0]) == 1
    return one and not layer.custom and operation_name(layer) in _SHIFTS


def _by_number(layer: Layer) -> float | None:
    """By which number an operation, as `x / 255`, multiplies; None for all others."""
    name = operation_name(layer)
    if name not in _DIVIDES | _MULTIPLIES or layer.custom:
        return None
    said = [each.get(key) for each in layer.call_kwargs for key in ("y", "x2")]
    found = [x for x in map(number, [*said, *(n for c in layer.call_numbers for n in c)]) if x]
    one = len(found) == 1 and len(layer.inbound) == 1 and len(layer.inbound[0]) == 1
    return (1 / found[0] if name in _DIVIDES else found[0]) if one else None


def scaled_again(
    facts: Facts, graph: LayerGraph, layer: Layer
) -> Iterator[tuple[str, Json, Severity, str]]:
    """A scaling behind another one, through layers that keep the range of values."""
    own, product, scalings = _factor(facts, layer), 1.0, 0
    if layer.class_name == "Normalization" and not (own and own < 1):
        return  # it makes no two values more alike
    for at in (layer, *row(graph.only_sources(layer.route, keeps_or_scales))):
        by_operation = _by_number(at)
        if (at.class_name in SCALINGS and not at.custom) or by_operation is not None:
            scale = by_operation if by_operation is not None else _factor(facts, at)
            if scale is None:
                return
            product, scalings = product * scale, scalings + 1
        elif not (has(at.class_name, Trait.KEEPS_RANGE) or _shifts(at)):
            return
    if scalings > 1 and 0 < abs(product) < SCALED_TWICE.value:
        image = len(layer.output_shape or ()) > 3
        detail = (
            f"it is the last of {scalings} scalings, which multiply the input by {product:.2g}: "
            f"{'pixels' if image else 'values from 0 to 255'} become nearly alike"
        )
        severity = Severity.MEDIUM if image else Severity.LOW
        yield detail, product, severity, f"Remove the layer `{layer.name}`"


def _factor(facts: Facts, layer: Layer) -> float | None:
    """By how much a scaling multiplies; of a Normalization, the most that it does to a column."""
    if layer.class_name == "Rescaling":
        known = number(layer.config.get("offset", 0.0)) is not None
        return number(layer.config.get("scale")) if known else None
    stored = facts.artifact.by_name.get(layer.variables.get("variance", ""))
    least = stored.stats.minimum if stored is not None and stored.stats is not None else 0.0
    return 1 / math.sqrt(least) if least > 0 and layer.config.get("invert") is not True else None
