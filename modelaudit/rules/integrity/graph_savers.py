"""Graphs of TensorFlow 1: variables that the saver of a checkpoint need not restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Graph, GraphNode
from modelaudit.formats.graph.dataflow import PASSING, node_name
from modelaudit.formats.graph.op_registry import known_operations

_STATISTICS = ("/moving_mean", "/moving_variance")
_OPTIMIZES = ("Apply", "ResourceApply")
_CHANGES = ("Assign", "AssignAdd", "AssignSub")
_CHANGING = frozenset((*_CHANGES, *(f"{name}VariableOp" for name in _CHANGES)))
_NESTED = 64  # conditions and loops around a change


def of_other_savers(graph: Graph) -> set[str]:
    """Keys that the graph's saver does not read, but other savers of the graph, from other files."""
    nodes = {node.name: node for node in graph.nodes}
    waiting = [str(graph.saver.get("restore_op_name", ""))]
    used: set[str] = set()
    while waiting:
        name = node_name(waiting.pop())
        if name in nodes and name not in used:
            used.add(name)
            waiting += nodes[name].inputs
    own: set[str] = set()
    other: set[str] = set()
    for node in nodes.values():
        if node.op == "RestoreV2" and len(node.inputs) > 1:
            constant = nodes.get(node.inputs[1].partition(":")[0])
            value = constant.attrs.get("value") if constant else None
            keys = value.get("value") if isinstance(value, dict) else None
            names = (
                {key for key in keys if isinstance(key, str)} if isinstance(keys, list) else set()
            )
            (own if node.name in used else other).update(names)
    return other - own if own else set()


def left_initial_statistics(graph: Graph) -> set[str]:
    """Moving statistics of a graph that trains which nothing in it changes: they stay at 0 and 1.

    So it is where a normalization is trained as it is used, without updates of its statistics.
    """
    if not any(node.op.startswith(_OPTIMIZES) for node in graph.nodes):
        return set()  # the graph of the training may have changed them
    nodes = {node.name: node for node in graph.nodes}
    names = {name for name in nodes if name.endswith(_STATISTICS)}
    if not names:
        return set()
    return names - {name for node in graph.nodes for name in _changed(node, nodes, graph)}


def _changed(node: GraphNode, nodes: Mapping[str, GraphNode], graph: Graph) -> Iterator[str]:
    """Variables that a node may change, but for that to which it gives the initial value."""
    known = known_operations().get(node.op)
    calls = node.op in graph.functions or (
        (known is None or bool(known.functions))  # reading attributes takes most of the time
        and any(isinstance(value, dict) and "function" in value for value in node.attrs.values())
    )
    if calls or node.op in _CHANGING:
        for reference in node.inputs if calls else node.inputs[:1]:
            name = _variable(reference, nodes)
            if node.name != f"{name}/Assign":
                yield name


def _variable(reference: str, nodes: Mapping[str, GraphNode]) -> str:
    """Where a value comes from that conditions and loops pass on."""
    for _ in range(_NESTED):
        node = nodes.get(node_name(reference))
        if node is None or node.op not in PASSING or not node.inputs:
            break
        reference = node.inputs[0]
    return node_name(reference)
