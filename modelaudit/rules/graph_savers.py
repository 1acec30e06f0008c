"""Graphs of TensorFlow 1: variables that the saver of a checkpoint need not restore."""

from __future__ import annotations

from modelaudit.facts import Graph

_STATISTICS = ("/moving_mean", "/moving_variance")
_OPTIMIZES = ("Apply", "ResourceApply")
_CHANGES = ("Assign", "AssignAdd", "AssignSub")
_CHANGING = frozenset((*_CHANGES, *(f"{name}VariableOp" for name in _CHANGES)))


def of_other_savers(graph: Graph) -> set[str]:
    """Keys that the graph's saver does not read, but other savers of the graph, from other files."""
    nodes = {node.name: node for node in graph.nodes}
    waiting = [str(graph.saver.get("restore_op_name", ""))]
    used: set[str] = set()
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
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
    changed = {
        node.inputs[0].partition(":")[0]
        for node in graph.nodes
        if node.op in _CHANGING and node.inputs and not node.name.endswith("/Assign")
    }
    names = {node.name for node in graph.nodes if node.name.endswith(_STATISTICS)}
    return names - changed
