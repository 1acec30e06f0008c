"""Normalizations, read from the operations of a graph."""

from __future__ import annotations

from modelaudit.facts import Json
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.formats.graph.kernel_ops import BATCH_NORMS
from modelaudit.rules.plain_graphs.reader import GraphReader, OperationGroup

_SUMS = frozenset(("Add", "AddV2"))


def normalization(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """X * scale + shift, where the scale is an inverse root of a variance."""
    data = reader.source(place) if place.node.op in BATCH_NORMS else None
    if data is not None:
        first = str(place.node.attrs.get("data_format") or "").startswith("NC")
        return OperationGroup("BatchNormalization", (data,), {"axis": 1 if first else -1})
    if place.node.op not in _SUMS:
        return None
    for index in (0, 1):
        scaled = reader.source(place, index)
        if scaled is None or scaled.node.op != "Mul":
            continue
        for side in (1, 0):
            variance = _variance(reader, reader.source(scaled, side))
            data = reader.source(scaled, 1 - side)
            if variance is not None and data is not None:
                return _normalized(reader, data, variance)
    return None


def _normalized(
    reader: GraphReader, data: NodeOutput, variance: NodeOutput
) -> OperationGroup | None:
    """By stored statistics, or by those of the value itself over its last axis."""
    if not reader.computed(variance):
        return OperationGroup("BatchNormalization", (data,), {"axis": -1})
    over, shape = reader.axes(variance, 1), reader.shape(data)
    if over is None or not shape or variance.node.op != "Mean":
        return None
    last = over in {(-1,), (len(shape) - 1,)}
    return OperationGroup("LayerNormalization", (data,), {"axis": -1}) if last else None


def _variance(reader: GraphReader, scale: NodeOutput | None) -> NodeOutput | None:
    """What an inverse root is taken of, in a factor with or without gamma."""
    found = [scale]
    if scale is not None and scale.node.op == "Mul":
        found = [reader.source(scale, index) for index in (0, 1)]
    for each in found:
        if each is not None and each.node.op == "Rsqrt":
            total = reader.source(each)
            return reader.source(total) if total is not None and total.node.op in _SUMS else total
    return None


def adapted(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """(x - mean) / max(sqrt(variance), epsilon), as a layer with `adapt` computes it."""
    if place.node.op != "RealDiv":
        return None
    above, below = reader.source(place), reader.source(place, 1)
    if above is None or below is None or above.node.op != "Sub":
        return None
    root = reader.source(below) if below.node.op == "Maximum" else None
    data = reader.source(above)
    if root is None or root.node.op != "Sqrt" or data is None:
        return None
    means, variances = reader.numbers(above, 1), reader.numbers(root, 0)
    names = {"mean": reader.stored(above, 1), "variance": reader.stored(root, 0)}
    config: dict[str, Json] = {"axis": -1}
    if means is not None and variances is not None:
        config |= {"mean": [*means], "variance": [*variances]}
    held = {role: tensor.name for role, tensor in names.items() if tensor is not None}
    return OperationGroup("Normalization", (data,), config, held)
