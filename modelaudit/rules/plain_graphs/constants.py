"""Small constants of a graph: values that do not depend on the inputs of the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Graph, Json
from modelaudit.formats.graph.dataflow import Frame, GraphWalker, NodeOutput
from modelaudit.formats.saved_model.captured_variables import captured_nodes
from modelaudit.graphs import VALUE, VARIABLE_KEY_END
from modelaudit.structs import PerObject

Numbers = tuple[float, ...]
_MOST = 64  # values of a list of axes or sizes
_DEEPEST = 12  # operations that compute one


def stored_weights(artifact: Artifact, graph: Graph) -> dict[str, str]:
    """Node of the main graph -> name of the stored tensor that it holds."""
    tensors = {tensor.name for tensor in artifact.tensors}
    by_node = {}
    for node in artifact.object_graph:
        key = node.attributes.get(VALUE, {}).get("key", "").removesuffix(VARIABLE_KEY_END)
        if node.kind == "variable" and key in tensors:
            by_node[node.index] = key
    own = {node.name: node.name for node in graph.nodes if node.name in tensors}
    return own | captured_nodes(graph, artifact.object_graph, by_node)


def constant(walker: GraphWalker, frame: Frame, reference: str) -> Numbers | None:
    """The numbers of a value that only constants determine; None if unknown, or too many."""
    return _constant(walker, frame, reference, _DEEPEST)


def _constant(walker: GraphWalker, frame: Frame, reference: str, deeper: int) -> Numbers | None:
    place = walker.value(frame, reference)
    if place is None or deeper <= 0:
        return None
    if place.node.op == "Const":
        return _stored(place.node.attrs.get("value"))
    given = [each for each in place.node.inputs if not each.startswith("^")]
    if place.node.op not in _COMPUTED or not 0 < len(given) <= _MOST:
        return None
    # A value that is used twice, and so are those that it is made of, is computed once.
    known, key = _known(walker), (id(place.frame), place.node.name, place.output)
    if key not in known:
        values: list[Numbers] = []
        for each in given:
            value = _constant(walker, place.frame, each, deeper - 1)
            if value is None:
                return None
            values.append(value)
        known[key] = _computed(place, values)
    return known[key]


def _none_yet(_: GraphWalker) -> dict[tuple[int, str, int], Numbers | None]:
    return {}


_known = PerObject(_none_yet)
_COMPUTED = frozenset(
    {
        *("Range", "ConcatV2", "Pack", "Sub", "Add", "AddV2", "FloorMod", "Mul", "Neg"),
        *("Reshape", "ExpandDims", "Squeeze"),
    }
)


def _computed(place: NodeOutput, values: Sequence[Numbers]) -> Numbers | None:
    """The result of an operation on lists or numbers, as far as lists of axes need it."""
    op, first = place.node.op, values[0]
    if op == "ConcatV2":
        return tuple(value for each in values[:-1] for value in each)[:_MOST]
    if op == "Pack":
        return tuple(value for each in values for value in each)[:_MOST]
    if op in {"Reshape", "ExpandDims", "Squeeze"}:
        return first
    if op == "Neg":
        return tuple(-value for value in first)
    if any(len(each) != 1 for each in values):
        return None
    if op == "Range" and len(values) == 3:
        (start,), (end,), (step,) = values
        long = (end - start) / step if step else math.inf
        many = math.ceil(long) if math.isfinite(long) else _MOST + 1
        return tuple(start + step * index for index in range(many)) if many <= _MOST else None
    if len(values) != 2:
        return None
    (one,), (other,) = values
    if op == "FloorMod":
        return (one % other,) if other else None
    return ({"Sub": one - other, "Mul": one * other}.get(op, one + other),)


def _stored(value: Json) -> Numbers | None:
    """The numbers of a constant; one that stands for many is given once."""
    held = value.get("value") if isinstance(value, Mapping) else None
    if not isinstance(held, list) or len(held) > _MOST:
        return None
    found = [number(each) for each in held]
    known = tuple(each for each in found if each is not None)
    return known if len(known) == len(found) else None


def axes(walker: GraphWalker, frame: Frame, reference: str) -> tuple[int, ...] | None:
    """A constant list of axes, sizes or steps."""
    found = constant(walker, frame, reference)
    if found is None or any(not each.is_integer() for each in found):
        return None
    return tuple(int(each) for each in found)
