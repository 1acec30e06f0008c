"""Whether operations take values of the types that they declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import GraphNode, Json
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.reachability import node_name

# Both inputs and the output have one type, or the output is a truth value.
_COMPARISONS = words("Less LessEqual Greater GreaterEqual Equal NotEqual")
_BROADCAST = _COMPARISONS | words(
    "Add AddV2 Sub Mul Div RealDiv FloorDiv FloorMod Maximum Minimum SquaredDifference"
)
# What these pass on has their type, and what others read first is a resource.
_PASSED = words("Enter Identity Switch Exit NextIteration")
_READS = words("ReadVariableOp ResourceGather AssignVariableOp AssignAddVariableOp")


def type_fault(
    node: GraphNode,
    own: Json,
    data: Sequence[str],
    nodes: Mapping[str, GraphNode],
    *,
    inside: bool,
) -> str:
    """Either "types" or "frozen" for an operation that takes another type than its own; else "".

    Args:
        own: the type that the operation declares.
        inside: the operation is in a function, whose arguments have types of their own.
    """
    if node.op in _BROADCAST and _types_differ(own, data, nodes):
        return "types"
    first = own if node.op in _PASSED else "resource" if node.op in _READS else None
    if first and not inside and _types_differ(first, data[:1], nodes):
        return "frozen" if first == "resource" else "types"
    return ""


def _types_differ(own: Json, data: Sequence[str], nodes: Mapping[str, GraphNode]) -> bool:
    """Whether an elementwise operation takes a value of another type than its own."""
    if not isinstance(own, str):
        return False
    makers = [nodes.get(node_name(each)) for each in data]
    return any(_type_of(maker) not in {own, None} for maker in makers if maker)


def _type_of(node: GraphNode) -> Json:
    """The type of an operation's only output; None where that is not known."""
    if node.op in {"Const", "Placeholder"}:
        return node.attrs.get("dtype")
    alike = node.op in _BROADCAST - _COMPARISONS or node.op in {"MatMul", "Identity", "Relu"}
    return node.attrs.get("T") if alike else None
