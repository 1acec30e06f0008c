"""MA753 and MA754: graphs that exhaust the resources of the machine that runs them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeGuard

from modelaudit.facts import GraphFunction, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.dataflow import CALLS
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.graph.access import lowered
from modelaudit.rules.security.graph.endless_loops import is_endless
from modelaudit.rules.security.graph.examples import constant, graph_with, harmless
from modelaudit.rules.security.graph.operations import GraphOperation, graph_file, operations
from modelaudit.rules.security.graph.reachability import Reach
from modelaudit.rules.security.op_threats import LOOPS, PADS, SIZED

_ITEM_BYTES = 4


def check_loops(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Endless loops and calls, and operations that end the process."""
    watched = operations(facts.artifact).watched
    for operation in watched:
        what = _stalls(operation) if operation.node.op in LOOPS else ""
        if what:
            yield _finding(rule, facts, operation, f"{operation.node.op} {what}")
    circle = [operation for operation in watched if operation.node.op in CALLS]
    live = [operation for operation in circle if operation.reach is not Reach.DEAD]
    for operation in (live or circle)[:1]:
        what = f"is part of an unconditional recursion ({len(circle)} such calls)"
        yield _finding(rule, facts, operation, f"{operation.node.op} {what}")


def _stalls(operation: GraphOperation) -> str:
    if operation.node.op == "Abort":
        return "ends the process that runs it"
    endless = is_endless(operation.sources, operation.function, operation.node)
    return "loops forever: nothing changes its condition" if endless else ""


def check_sizes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Tensors of a constant shape that fit in no machine's memory."""
    for operation in operations(facts.artifact).watched:
        if operation.node.op == "Const":
            tensor = operation.node.attrs.get("value")
            declared = tensor.get("shape") if isinstance(tensor, dict) else None
            yield from _oversized(rule, facts, operation, declared)
            continue
        position = PADS.get(operation.node.op, SIZED.get(operation.node.op))
        if position is None or position >= len(operation.node.inputs):
            continue
        reference = operation.node.inputs[position]
        shape = operation.sources.constants(operation.function, reference)
        if operation.node.op in PADS and shape:
            shape = [max(n for n in shape if _is_size(n))] if any(map(_is_size, shape)) else None
        yield from _oversized(rule, facts, operation, shape)


def _oversized(
    rule: Rule, facts: Facts, operation: GraphOperation, shape: Json
) -> Iterator[Finding]:
    budget = facts.settings.limits.tensor_bytes
    axes = [int(n) for n in shape if _is_size(n)] if isinstance(shape, list) else []
    needed = math.prod(axes) * _ITEM_BYTES if axes else 0
    if needed > budget:
        what = f"{operation.node.op} creates a tensor of shape {axes} ({needed:,} bytes)"
        yield _finding(rule, facts, operation, what, needed, budget)


def _is_size(value: Json) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and math.isfinite(value) and value >= 0


def _finding(
    rule: Rule,
    facts: Facts,
    operation: GraphOperation,
    what: str,
    measured: int | None = None,
    threshold: int | None = None,
) -> Finding:
    when = f"run by {operation.via}" if operation.via else "not run by anything in the file"
    evidence = {"op": operation.node.op, "reached": operation.via or None}
    sizes: dict[str, Json] = {"measured": measured, "unit": "bytes", "threshold": threshold}
    return rule.finding(
        f"{what}; {when}.",
        file=graph_file(facts.artifact),
        route=operation.route,
        evidence={**evidence, **(sizes if measured is not None else {})},
        key=operation.node.op,
        severity=lowered(rule.severity, 2) if operation.reach is Reach.DEAD else None,
    )


def _endless() -> Facts:
    forever = GraphFunction("forever", ("x",), (constant("yes", True, dtype="bool"),), {"c": "yes"})
    attributes: dict[str, Json] = {"cond": {"function": "forever"}, "body": {"function": "forever"}}
    return graph_with("While", (), attributes, {"forever": forever})


RULES = (
    Rule(
        code="MA753",
        name="graph-never-ends",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.GRAPH,),
        summary="The graph loops forever or ends the process that runs it",
        pass_title="No loop in the graph is endless by its own condition",
        why="One call of the model ends the serving process or keeps a core busy forever.",
        fix="Do not serve it. If you must run it, set a time limit.",
        check=check_loops,
        bad=_endless,
        good=harmless,
    ),
    Rule(
        code="MA754",
        name="oversized-tensor",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.GRAPH,),
        summary="The graph creates a tensor that fits in no machine's memory",
        pass_title="No tensor with a constant shape is oversized",
        why="One call of the model requests more memory than is available and ends the process, or "
        "takes the machine down.",
        fix="Do not serve it. If the model is legitimate and this large, raise `tensor_bytes` in "
        "the settings.",
        check=check_sizes,
        bad=lambda: graph_with("Fill", (constant("dims", 10**6, 10**6, dtype="int32"),)),
        good=harmless,
    ),
)
