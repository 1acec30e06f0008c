"""Layers without weights, read from the operations of a graph."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.facts import Json
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.formats.graph.kernel_ops import ACTIVATIONS
from modelaudit.rules.plain_graphs.reader import GraphReader, OperationGroup

_SUMS = frozenset(("Add", "AddV2"))
_POOLINGS = {"MaxPool": "MaxPooling", "AvgPool": "AveragePooling"}
_REDUCTIONS = {"Mean": "GlobalAveragePooling", "Max": "GlobalMaxPooling"}
_ADDS = frozenset(("Mean", "Sum"))
_FUNCTIONS = frozenset(("Softmax", "LeakyRelu", "Exp", "Maximum"))
_POOLED = frozenset((*_POOLINGS, "MaxPool3D", "AvgPool3D"))
_MOVES = frozenset(("Reshape", "Squeeze", "ExpandDims", "Transpose", "Pad", "PadV2"))
_JOINS = frozenset(("ConcatV2", "RealDiv"))
# What a value is multiplied with, of itself.
_GATES = {"Erf": "gelu", "Erfc": "gelu", "Sigmoid": "silu", "Softplus": "mish"}
_EACH_VALUE = frozenset((*_GATES, "Neg", "Tanh"))
_WITH_CONSTANT = frozenset(("Mul", "Add", "AddV2", "Sub", "RealDiv"))
_MOST_IN_GATE = 8
_MERGES = {"Sub": "Subtract", "Mul": "Multiply", "Maximum": "Maximum", "Minimum": "Minimum"}


def softmax_over(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A softmax along another axis, which is moved to the end and back."""
    inner = reader.source(place) if place.node.op == "Transpose" else None
    before = reader.source(inner) if inner is not None and inner.node.op == "Softmax" else None
    if before is None or before.node.op != "Transpose":
        return None
    order, data = reader.axes(before, 1), reader.source(before)
    if not order or data is None or reader.axes(place, 1) != order:
        return None  # an exchange of two axes is its own inverse
    return OperationGroup("Softmax", (data,), {"axis": order[-1] - len(order)})


def activation(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A function of each value, or a softmax along the last axis."""
    name = ACTIVATIONS.get(place.node.op)
    data = reader.source(place) if name or place.node.op in _FUNCTIONS else None
    if data is None:
        return None
    if place.node.op == "Softmax":
        return OperationGroup("Softmax", (data,), {"axis": -1})
    if place.node.op == "LeakyRelu":
        slope = place.node.attrs.get("alpha", 0.2)
        return OperationGroup("LeakyReLU", (data,), {"negative_slope": slope})
    if place.node.op == "Exp":
        name = "exponential"
    if place.node.op == "Maximum" and reader.numbers(place, 1) == (0.0,):
        name = "relu"
    return OperationGroup("Activation", (data,), {"activation": name}) if name else None


def gated(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A value times a function of itself, as in GELU and SiLU."""
    if place.node.op != "Mul":
        return None
    rows = [_of_one_value(reader, each) for each in reader.sources(place)[:2]]
    keys = [[(id(x.frame), x.node.name, x.output) for x in row] for row in rows]
    met = [each for each in keys[0] if each in keys[-1]] if len(rows) == 2 else []
    if not met:
        return None
    ends = [row.index(met[0]) for row in keys]
    applied = {x.node.op for row, end in zip(rows, ends, strict=True) for x in row[:end]}
    names = {_GATES[op] for op in applied if op in _GATES}
    if len(names) != 1:
        return None
    return OperationGroup("Activation", (rows[0][ends[0]],), {"activation": names.pop()})


def _of_one_value(reader: GraphReader, place: NodeOutput) -> list[NodeOutput]:
    """A value, and those before it that it alone is computed from, value by value."""
    found: list[NodeOutput] = []
    at: NodeOutput | None = place
    while at is not None and len(found) < _MOST_IN_GATE:
        found.append(at)
        op, index = at.node.op, 0
        if op in _WITH_CONSTANT:
            constants = [len(reader.numbers(at, i) or ()) == 1 for i in (0, 1)]
            index = 1 if constants[0] else 0
            if not any(constants):
                break
        elif op not in _EACH_VALUE:
            break
        at = reader.source(at, index)
    return found


def pooling(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A pooling of windows, also of one axis, or of a whole map."""
    inner = reader.source(place) if place.node.op == "Squeeze" else place
    rank = 2 if inner is place else 1
    if inner is not None and inner.node.op in _POOLED:
        added: tuple[int, ...] = ()
        data = reader.source(inner)
        if rank == 1 and data is not None and data.node.op == "ExpandDims":
            added = reader.axes(data, 1) or ()
            data = reader.source(data)
        if rank == 1 and len(added) != 1:
            return None
        rank = 3 if inner.node.op.endswith("3D") else rank
        first = str(inner.node.attrs.get("data_format") or "").startswith("NC")
        config: dict[str, Json] = {
            "pool_size": _spatial(inner.node.attrs.get("ksize"), first, added),
            "strides": _spatial(inner.node.attrs.get("strides"), first, added),
            "padding": str(inner.node.attrs.get("padding") or "").lower(),
            "data_format": "channels_first" if first else "channels_last",
        }
        name = f"{_POOLINGS[inner.node.op.removesuffix('3D')]}{rank}D"
        return OperationGroup(name, (data,), config) if data is not None else None
    if place.node.op not in _REDUCTIONS:
        return None
    data, over = reader.source(place), reader.axes(place, 1)
    shape = reader.shape(data)
    if data is None or over is None or not shape:
        return None
    many = len(shape)
    along = sorted(each % many for each in over) if many else []
    for first, spatial in ((False, [*range(1, many - 1)]), (True, [*range(2, many)])):
        if 2 < many < 6 and along == spatial and not (first and many == 3):
            order = "channels_first" if first else "channels_last"
            name = f"{_REDUCTIONS[place.node.op]}{many - 2}D"
            kept = bool(place.node.attrs.get("keep_dims"))
            return OperationGroup(name, (data,), {"data_format": order, "keepdims": kept})
    return None


def reduced_shares(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A sum or mean of what a softmax gives, along its axis."""
    data = reader.source(place) if place.node.op in _ADDS else None
    shape, over = reader.shape(data), reader.axes(place, 1) if data is not None else None
    if data is None or not shape or not over:
        return None
    shares = softmax_over(reader, data)
    if shares is None and data.node.op == "Softmax":
        shares = activation(reader, data)
    along = shares.config.get("axis") if shares is not None else None
    if not isinstance(along, int) or along % len(shape) not in {each % len(shape) for each in over}:
        return None
    axes: list[Json] = [*over]
    kept = bool(place.node.attrs.get("keep_dims"))
    return OperationGroup(place.node.op, (data,), {"axis": axes, "keepdims": kept})


def moved(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """Values at other places, or borders around them."""
    op = place.node.op
    data = reader.source(place) if op in _MOVES else None
    if data is None:
        return None
    given, shape = reader.shape(data), reader.shape(place)
    if op in {"Reshape", "Squeeze", "ExpandDims"} and shape and given:
        if len(shape) == 2 and len(given) > 2 and op == "Reshape" and shape[0] is None:
            return OperationGroup("Flatten", (data,))
        return OperationGroup("Reshape", (data,), {"target_shape": [*shape[1:]]})
    if op == "Transpose":
        order = reader.axes(place, 1)
        return (
            OperationGroup("Permute", (data,), {"dims": [*order[1:]]})
            if order and not order[0]
            else None
        )
    if op in {"Pad", "PadV2"} and given and 2 < len(given) < 6:
        sizes = reader.axes(place, 1)
        if sizes and len(sizes) == 2 * len(given) and not any((*sizes[:2], *sizes[-2:])):
            pairs: list[Json] = [[*sizes[i : i + 2]] for i in range(2, len(sizes) - 2, 2)]
            padding = pairs[0] if len(pairs) == 1 else pairs
            return OperationGroup(f"ZeroPadding{len(pairs)}D", (data,), {"padding": padding})
    return None


def merged(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """Two values element by element, or one and a constant."""
    op = "Add" if place.node.op in _SUMS else _MERGES.get(place.node.op, "")
    if not op and place.node.op not in _JOINS:
        return None
    if place.node.op == "ConcatV2":
        sources = reader.sources(place)[:-1]
        over = reader.axes(place, len(sources))
        return (
            OperationGroup("Concatenate", sources, {"axis": over[0]}) if over and sources else None
        )
    for index in (1, 0):
        scalar, data = reader.numbers(place, index), reader.source(place, 1 - index)
        if data is None or scalar is None or len(scalar) != 1:
            continue
        (value,) = scalar
        if op == "Multiply":
            return OperationGroup("Rescaling", (data,), {"scale": value, "offset": 0.0})
        if op == "Add" or (op == "Subtract" and index == 1):
            offset = value if op == "Add" else -value
            return OperationGroup("Rescaling", (data,), {"scale": 1.0, "offset": offset})
        if place.node.op == "RealDiv" and index == 1 and value:
            return OperationGroup("Rescaling", (data,), {"scale": 1 / value, "offset": 0.0})
    sources = reader.sources(place)
    computed = [each for each in sources if reader.computed(each)]
    return OperationGroup(op, sources, known=len(computed) == 2) if op else None


def _spatial(value: Json, first: bool, added: Sequence[int]) -> Json:
    """The entries of the axes of a map, without those that were added for the operation."""
    sizes: Sequence[Json] = value if isinstance(value, list) else ()
    without = {axis % len(sizes) for axis in added} if sizes else set()
    kept = range(2, len(sizes)) if first else range(1, len(sizes) - 1)
    return [sizes[axis] for axis in kept if axis not in without]
