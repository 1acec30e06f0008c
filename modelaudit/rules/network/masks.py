"""Masks of positions, and those that no position meets when they are made."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.model import Rule
from modelaudit.rules.network.network_heads import activation_of, weighs

_NORMALIZES = Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION


def mask_before(graph: LayerGraph | None, route: str) -> tuple[str, str] | None:
    """The name of a layer before another that masks, and the value that it hides; None without one."""
    before = graph.above([route]) if graph else frozenset()
    masks = [x for x in (graph.layers if graph else ()) if x.route in before]
    mask = next((layer for layer in masks if layer.class_name == "Masking"), None)
    if mask is None:
        table = next((layer for layer in masks if layer.config.get("mask_zero") is True), None)
        return (table.name, "0") if table is not None else None
    said = number(mask.config.get("mask_value", 0.0))
    return mask.name, "mask_value" if said is None else f"{said:g}"


def unmet_masks(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Masking layers that no padded step reaches with the value that they look for."""
    for layer in graph.layers:
        if layer.class_name != "Masking" or layer.custom:
            continue
        value = layer.config.get("mask_value", 0.0)
        if _is_nan(value):
            yield rule.finding(
                f"`{layer.route}` masks steps that equal NaN, and no value equals NaN: nothing is masked, and "
                "NaN in the inputs makes the answers NaN.",
                route=layer.route,
                evidence={"measured": str(value), "unit": "mask_value"},
                severity=Severity.MEDIUM,
                fix="Fill padded steps with a number that data do not have, and train again:\n"
                f"keras.layers.Masking(mask_value=-1.0, name={layer.name!r})",
            )
            continue
        looked_for = number(value)
        before = [*graph.only_sources(layer.route, lambda x: has(x.class_name, Trait.KEEPS_RANGE))]
        last = before[-1] if before else None
        if last is None or last.custom or looked_for is None or not _changes(last, looked_for):
            continue
        yield rule.finding(
            f"`{layer.route}` masks steps whose values are all {looked_for:g}, but `{last.route}` "
            f"({last.class_name}) changes the values before it: padded steps have others then.",
            route=layer.route,
            evidence={"measured": looked_for, "unit": "mask_value", "changed by": last.route},
            fix=f"Put `{layer.name}` before `{last.name}`, and train again.",
        )


def _is_nan(value: Json) -> bool:
    told = value.strip().lower() == "nan" if isinstance(value, str) else False
    return told or (isinstance(value, float) and math.isnan(value))


def _changes(layer: Layer, value: float) -> bool:
    """Whether a layer gives another value for one of padded steps, whatever it learns."""
    name = layer.class_name
    if name == "Rescaling":
        scale, offset = (number(layer.config.get(x)) for x in ("scale", "offset"))
        return scale is not None and value * scale + (offset or 0.0) != value
    if has(name, _NORMALIZES) or name == "Normalization":
        return True
    return weighs(layer) and not (value == 0 and activation_of(layer) == "relu")
