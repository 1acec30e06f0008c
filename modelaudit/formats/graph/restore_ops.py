"""The checkpoint key from which a graph restores each variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from modelaudit.facts import Graph, Json
from modelaudit.formats.graph.dataflow import CALLS, Frame, GraphWalker, NodeOutput

_ASSIGN = frozenset({"Assign", "AssignVariableOp"})
STATISTICS = ("moving_mean", "moving_variance")
_DIGITS = 19  # of an int64
VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
# Frame and name of a constant -> that frame, which keeps its number, and the texts.
_Lists: TypeAlias = dict[tuple[int, str], tuple[Frame, list[str]]]


def restored_variables(graph: Graph) -> dict[str, str]:
    """The keys alone of `restored_slices`."""
    return {name: key for name, (key, _) in restored_slices(graph).items()}


def restored_slices(graph: Graph) -> dict[str, tuple[str, str]]:
    """Variable node of the main graph -> checkpoint key and slice, according to its own saver.

    The slice is "" for a whole variable. One part of a partitioned variable has the shape of all
    parts together, and what it takes of each axis: "4 8 0,2:-" is half of the rows.

    Traces all assignments of RestoreV2 outputs: in the main graph (TF1) and in the function that
    `saver_def` names (TF2).

    Raises:
        LimitExceeded: the graph needs more work than a real one.
    """
    walker = GraphWalker(graph, {})
    restore = walker.main.nodes.get(str(graph.saver.get("restore_op_name", "")))
    calls = [(walker.main, restore)] if restore is not None and restore.op in CALLS else []
    keys: dict[str, tuple[str, str]] = {}
    known: _Lists = {}
    for frame in (walker.main, *walker.frames(calls)):
        for node in frame.nodes.values():
            if node.op not in _ASSIGN or len(node.inputs) < 2:
                continue
            target = walker.value(frame, node.inputs[0])
            source = walker.value(frame, node.inputs[1])
            if target is None or target.node.op not in VARIABLES or source is None:
                continue
            key = _restored_key(walker, source, known)
            if key is not None:
                keys[target.node.name] = key
    return keys


def unrestored(graph: Graph, assigned: Mapping[str, str]) -> list[str]:
    """Variable nodes that functions use but the graph's saver does not restore.

    They are uninitialised in a session (TensorFlow Serving); `tf.saved_model.load` restores from
    the object graph and is not affected. Empty if the graph has no saver.
    """
    if not assigned:
        return []
    read = {
        reference.partition(":")[0]
        for node in graph.nodes
        if node.op in CALLS
        for reference in node.inputs
    }
    return [
        node.name
        for node in graph.nodes
        if node.op in VARIABLES and node.name in read and node.name not in assigned
    ]


def left_out(graph: Graph, assigned: Mapping[str, str]) -> list[str]:
    """Global variables of a TensorFlow 1 graph that its saver leaves out, but for statistics.

    A session that restores the checkpoint has no value for them, whether an operation reads them or
    the program fetches them, as the state of a recurrent network. Empty if the graph has no saver.
    """
    names = [name for name in graph.variables if name.rpartition("/")[2] not in STATISTICS]
    return [name for name in names if name not in assigned] if assigned else []


def lost_statistics(graph: Graph, assigned: Mapping[str, str]) -> list[str]:
    """Moving statistics that inference reads, of normalizations that the saver restores else.

    A saver of the trained variables leaves them out. A normalization that always uses the
    statistics of its batch only updates them, in the scope `AssignMovingAvg`.
    """
    if not assigned:
        return []
    lost = []
    for node in graph.nodes:
        scope, _, variable = node.name.rpartition("/")
        trained = {f"{scope}/gamma", f"{scope}/beta"} & assigned.keys()
        unsaved = node.op in VARIABLES and node.name not in assigned
        if unsaved and variable in STATISTICS and trained:
            lost.append(node.name)
    held: dict[str, str] = {}  # reader -> variable
    read = set()
    for node in graph.nodes if lost else ():
        for source in (reference.partition(":")[0] for reference in node.inputs):
            if source in lost and node.op in ("Identity", "ReadVariableOp"):
                held[node.name] = source
    for node in graph.nodes if held else ():
        updates = "AssignMovingAvg" in node.name or node.op in ("SaveV2", "Identity")
        for source in (reference.partition(":")[0] for reference in node.inputs):
            if source in held and not updates:
                read.add(held[source])
    return [name for name in lost if name in read]


def _restored_key(walker: GraphWalker, source: NodeOutput, known: _Lists) -> tuple[str, str] | None:
    node, frame = source.node, source.frame
    if node.op == "Reshape" and node.inputs:  # TF1 saver with reshape=True
        behind = walker.value(frame, node.inputs[0])
        if behind is None:
            return None
        node, frame, source = behind.node, behind.frame, behind
    if node.op != "RestoreV2" or len(node.inputs) < 2:
        return None
    names = _strings(walker.value(frame, node.inputs[1]), known)
    parts = _strings(walker.value(frame, node.inputs[2]), known) if len(node.inputs) > 2 else []
    if source.output >= len(names):
        return None
    return names[source.output], parts[source.output] if source.output < len(parts) else ""


def whole_shape(part: str) -> list[Json] | None:
    """The shape of a partitioned variable by the slice of one part; None if there is none."""
    sizes = part.split(" ")[:-1]
    numbers = [int(size) for size in sizes if size.isdecimal() and len(size) < _DIGITS]
    return [*numbers] if sizes and len(numbers) == len(sizes) else None


def _strings(place: NodeOutput | None, known: _Lists) -> list[str]:
    """The values of a constant of strings, which all variables of a saver share."""
    if place is None or place.node.op != "Const":
        return []
    key = id(place.frame), place.node.name
    if key not in known:
        value = place.node.attrs.get("value")
        strings = value.get("value") if isinstance(value, dict) else None
        listed = strings if isinstance(strings, list) else []
        known[key] = place.frame, [each for each in listed if isinstance(each, str)]
    return known[key][1]
