"""Masks of positions."""

from __future__ import annotations

from modelaudit.audit_types.values import number
from modelaudit.measures.architecture.layer_graph import LayerGraph


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
