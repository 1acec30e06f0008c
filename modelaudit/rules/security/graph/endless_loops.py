"""Whether a loop's condition can ever change."""

from __future__ import annotations

from modelaudit.facts import GraphFunction, GraphNode, Json
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.rules.security.graph.constant_folding import PASSING
from modelaudit.rules.security.graph.input_sources import OriginTracer
from modelaudit.rules.security.graph.reachability import node_name

_MOST_STEPS = 300
# Operations whose output depends only on their inputs, as used in loop conditions.
_PURE = PASSING | {
    *("Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "Const", "AddN"),
    *("LogicalAnd", "LogicalOr", "LogicalNot", "Add", "AddV2", "Sub", "Mul", "All", "Any", "Abs"),
    *("Sum", "Prod", "Max", "Min", "Pack", "Shape", "Size", "Rank", "FloorMod", "StridedSlice"),
}


def is_endless(sources: OriginTracer, function: GraphFunction | None, node: GraphNode) -> bool:
    """Whether a loop's condition is always true, or depends only on what the loop never changes."""
    if node.op == "LoopCond":
        return [sources.constants(function, each) for each in node.inputs[:1]] == [[True]]
    condition, body = (_function(sources, node, key) for key in ("cond", "body"))
    returned = [*condition.returns.values()][:1] if condition else []
    if condition is None or not returned:
        return False
    always = sources.constants(condition, returned[0])
    if always is not None:
        return always == [True]
    used = _arguments(condition, returned[0])
    if not used or body is None:
        return False
    results = [*body.returns.values()]
    return all(
        index < min(len(results), len(body.args))
        and _passed_on(body, results[index]) == body.args[index]
        for index in used
    )


def _function(sources: OriginTracer, node: GraphNode, key: str) -> GraphFunction | None:
    named = node.attrs.get(key)
    name: Json = named.get("function") if isinstance(named, dict) else None
    return sources.graph.functions.get(name) if isinstance(name, str) else None


def _arguments(function: GraphFunction, reference: str) -> set[int] | None:
    """Positions of the arguments that a value depends on; None if it depends on anything else."""
    nodes = {node.name: node for node in function.nodes}
    known = known_operations()
    pending, seen, found = [node_name(reference)], set[str](), set[int]()
    for _ in range(_MOST_STEPS):
        if not pending:
            return found
        name = pending.pop()
        node = nodes.get(name)
        if node is None:
            if name not in function.args:
                return None
            found.add(function.args.index(name))
        elif node.op not in _PURE or node.op not in known:
            return None
        elif name not in seen:
            seen.add(name)
            pending.extend(node_name(each) for each in node.inputs if not each.startswith("^"))
    return None


def _passed_on(function: GraphFunction, reference: str) -> str:
    """The argument that a function returns unchanged; empty for anything else."""
    nodes = {node.name: node for node in function.nodes}
    name = node_name(reference)
    for _ in range(_MOST_STEPS):
        node = nodes.get(name)
        if node is None:
            return name if name in function.args else ""
        if node.op not in PASSING or not node.inputs:
            return ""
        name = node_name(node.inputs[0])
    return ""
