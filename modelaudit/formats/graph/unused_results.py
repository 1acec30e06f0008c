"""Layers of TensorFlow 1's training graphs whose result nothing takes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from modelaudit.facts import Graph, GraphNode, Signature
from modelaudit.formats.graph.dataflow import PASSING, RESHAPING, node_name
from modelaudit.formats.graph.kernel_ops import (
    BATCH_NORMS,
    KEEP_CHANNELS,
    OPERATIONS,
)
from modelaudit.graphs import reachable, trains, updates

# What a layer consists of behind the product with its weights: bias, activation, normalization,
# pooling, dropout. Any other operation may be why somebody evaluates the result.
_OF_LAYERS = (
    PASSING
    | RESHAPING
    | KEEP_CHANNELS
    | OPERATIONS.keys()
    | BATCH_NORMS
    | {"Mul", "Sub", "RealDiv", "Div", "Floor", "Maximum", "Minimum", "GreaterEqual", "LRN"}
    | {"Select", "SelectV2", "ExpandDims"}
    | {"Shape", "StridedSlice", "Pack", "Prod", "ConcatV2", "RandomUniform", "Transpose"}
)
_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})
# Standard deviations of what random operations draw; that of a normal law is cut at 2.
_DRAWS = {
    "RandomStandardNormal": 1.0,
    "TruncatedNormal": 0.87962566103423978,
    "RandomUniform": 1 / math.sqrt(12),
}
_MOST = 8  # operations of an initializer


class UnusedResult(Struct, frozen=True):
    """A variable that an operation applies as weights.

    `ends` are the operations where its results end, `spread` is the standard deviation that its
    initializer draws, if the graph says it.
    """

    variable: str
    ends: tuple[str, ...]
    spread: float | None


def unused_results(
    graph: Graph, variables: Iterable[str], signatures: Sequence[Signature]
) -> list[UnusedResult]:
    """Those of the weights that nothing but layers takes the results of, and nothing changes.

    They are trainable, the graph's optimizer updates others, and no operation gives them a value
    but their initializer and the saver.

    Args:
        variables: names of weights, which are those of their nodes.
        signatures: of the graph; what they return is taken.
    """
    if not trains(graph):
        return []
    updated = {node_name(node.inputs[0]) for node in graph.nodes if updates(node) and node.inputs}
    if not updated:
        return []  # whoever runs the graph takes its last results
    nodes = {node.name: node for node in graph.nodes}
    returned = {node_name(each.tensor) for one in signatures for each in one.outputs}
    takers: dict[str, list[GraphNode]] = defaultdict(list)
    for node in graph.nodes:
        for name in _taken(node):
            takers[name].append(node)
    wanted = [node.name for node in graph.nodes if node.op not in _OF_LAYERS]

    def before(name: str) -> Iterable[str]:
        return _taken(nodes[name]) if name in nodes else ()

    used = {*reachable((*wanted, *returned), before)}

    def after(name: str) -> list[str]:
        return [node.name for node in takers.get(name, ())]

    def passed(name: str) -> list[str]:
        return [node.name for node in takers.get(name, ()) if node.op in PASSING | RESHAPING]

    found = []
    for variable in variables:
        if variable in updated or variable not in graph.trainable or variable not in nodes:
            continue
        carriers = [*reachable([variable], passed)]
        products = [
            node.name
            for name in carriers
            for node in takers.get(name, ())
            if node.op in OPERATIONS and len(node.inputs) > 1
        ]
        if not products or not used.isdisjoint(products):
            continue
        assigned = [node for node in takers.get(variable, ()) if node.op in _ASSIGNS]
        values = [node_name(node.inputs[1]) for node in assigned if len(node.inputs) > 1]
        if not _given(nodes, values):
            ends = tuple(name for name in reachable(products, after) if name not in takers)
            spreads = [each for name in values if (each := _spread(nodes, name, _MOST))]
            found.append(UnusedResult(variable, ends, spreads[0] if spreads else None))
    return found


def _given(nodes: Mapping[str, GraphNode], values: Iterable[str]) -> bool:
    """Whether a value is copied from another variable, or fed, as that of a target network."""

    def before(name: str) -> list[str]:
        return [node_name(ref) for ref in nodes[name].inputs] if name in nodes else []

    sources = {nodes[name].op for name in reachable(values, before) if name in nodes}
    return not sources.isdisjoint({*_VARIABLES, "Placeholder"})


def _spread(nodes: Mapping[str, GraphNode], name: str, most: int) -> float | None:
    """Standard deviation of what an operation draws; None if it is not a draw that was scaled."""
    node = nodes.get(name)
    if node is None or not most:
        return None
    if node.op in _DRAWS:
        return _DRAWS[node.op]
    inputs = [node_name(each) for each in node.inputs]
    if node.op in {"Add", "AddV2", *PASSING} and inputs:
        return _spread(nodes, inputs[0], most - 1)
    if node.op == "Mul" and len(inputs) > 1:
        drawn, factor = _spread(nodes, inputs[0], most - 1), _constant(nodes, inputs[1])
        return drawn * abs(factor) if drawn is not None and factor else None
    return None


def _constant(nodes: Mapping[str, GraphNode], name: str) -> float | None:
    """The number of a constant, or the difference of two, as of the limits of a uniform law."""
    node = nodes.get(name)
    if node is not None and node.op == "Sub" and len(node.inputs) > 1:
        first, second = (_number(nodes.get(node_name(each))) for each in node.inputs[:2])
        return first - second if first is not None and second is not None else None
    return _number(node)


def _number(node: GraphNode | None) -> float | None:
    """The number of a constant; None of another operation."""
    if node is None:
        return None
    tensor = node.attrs.get("value") if node.op == "Const" else None
    value = tensor.get("value") if isinstance(tensor, dict) else None
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return float(value) if isinstance(value, (int, float)) else None


def _taken(node: GraphNode) -> set[str]:
    """The operations whose results a node takes."""
    return {node_name(each) for each in node.inputs if not each.startswith("^")}
