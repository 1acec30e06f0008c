"""MA753 and MA754: graphs that exhaust the resources of the machine that runs them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelaudit.facts import Artifact, Format, Graph, GraphFunction, GraphNode, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.dataflow import CALLS, output_index, passed_input
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.graph.access import lowered
from modelaudit.rules.security.graph.constant_folding import PASSING
from modelaudit.rules.security.graph.examples import constant, graph_with, harmless
from modelaudit.rules.security.graph.extents import MOST, SMALL_INPUT
from modelaudit.rules.security.graph.input_sources import OriginTracer
from modelaudit.rules.security.graph.op_tables import SHAPED
from modelaudit.rules.security.graph.operations import GraphOperation, graph_file, operations
from modelaudit.rules.security.graph.reachability import Reach, every_node, node_name
from modelaudit.rules.security.graph.runnable import is_refused
from modelaudit.rules.security.graph.work import Excess, GraphCost
from modelaudit.rules.security.op_threats import LOOPS, WAITS
from modelaudit.structs import PerObject
from modelaudit.thresholds.security import LOOP_ROUNDS

_MOST_STEPS = 300
# Of usual models: what these make is no larger than their inputs, a weight, or their product.
_KEEP_SIZES = frozenset(
    words(
        "Const Placeholder PlaceholderWithDefault VarHandleOp ReadVariableOp AssignVariableOp NoOp "
        "VarIsInitializedOp Identity IdentityN StatefulPartitionedCall PartitionedCall MatMul "
        "Conv2D BiasAdd Relu Softmax Sigmoid Tanh MaxPool AvgPool Mean Max FusedBatchNormV3 Select "
        "SelectV2 StringJoin ShardedFilename SaveV2 RestoreV2 MergeV2Checkpoints DisableCopyOnRead "
        "StaticRegexFullMatch AddV2 Sub Mul Cast Rsqrt Squeeze Relu6 DepthwiseConv2dNative Pack"
    )
)
# Of these, what makes more of two inputs: it broadcasts or joins them.
_COMBINE = frozenset(("AddV2", "Sub", "Mul", "SelectV2", "Pack"))
_BY_INPUT = f"if an input of at most {SMALL_INPUT:,} bytes asks for it"
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
    for _ in range(_MOST_STEPS):
        name = node_name(reference)
        node = nodes.get(name)
        if node is None:
            return name if name in function.args else ""
        passed = passed_input(node, output_index(reference))
        if node.op not in PASSING or passed is None:
            return ""
        reference = passed
    return ""


def check_loops(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Endless loops and calls, and operations that end the process."""
    watched = operations(facts.artifact).watched
    for operation in watched:
        what = _stalls(operation) if operation.node.op in LOOPS else ""
        if what:
            yield _finding(rule, facts, operation, f"{operation.node.op} {what}")
    for operation, excess in _excesses(facts).always:
        if excess.kind == "rounds" and not _stalls(operation):
            what = f"makes at least {excess.measured:,} rounds"
            what = "has no end" if excess.measured >= MOST else what
            yield _finding(rule, facts, operation, f"{operation.node.op} {what}")
        elif excess.kind == "products":
            what = f"{operation.node.op} multiplies at least {excess.measured:,} numbers"
            yield _finding(rule, facts, operation, what)
    for operation, excess in _excesses(facts).by_inputs:
        if excess.kind in {"rounds", "products"} and not _stalls(operation):
            unit = "rounds" if excess.kind == "rounds" else "multiplications"
            what = f"{operation.node.op} makes {excess.measured:,} {unit} or more {_BY_INPUT}"
            title = "A small input can make the graph run for very long"
            yield _finding(rule, facts, operation, what, by_input=title)
    for operation in _waiting(facts):
        if _takes_inputs(facts, operation):
            yield _input_queue(rule, facts, operation)
            continue
        what = "waits for values that nothing in the graph provides"
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
    """Tensors that fit in no machine's memory, by the constants that make them."""
    found = _excesses(facts)
    for operation, excess in found.always:
        if excess.kind == "inflated":
            what = f"{operation.node.op} decompresses what was decompressed"
            yield _finding(rule, facts, operation, what)
        elif excess.kind == "bytes":
            yield _finding(rule, facts, operation, _created(excess), excess.measured)
    for operation, excess in found.by_inputs:
        # A Reshape has the values of its input, which is small, or it fails.
        if excess.kind == "bytes" and excess.node.op != "Reshape":
            what = f"{_created(excess)} {_BY_INPUT}"
            title = "A small input can make the graph create an oversized tensor"
            yield _finding(rule, facts, operation, what, excess.measured, by_input=title)


def _created(excess: Excess) -> str:
    shape = f"of shape {[*excess.shape]} " if excess.shape else ""
    return f"{excess.node.op} creates a tensor {shape}({excess.measured:,} bytes)"


class _Found(Struct, frozen=True):
    """What costs too much: whatever the inputs are, and for small inputs that are chosen so."""

    always: tuple[tuple[GraphOperation, Excess], ...]
    by_inputs: tuple[tuple[GraphOperation, Excess], ...]


def _none(_: Artifact) -> dict[int, _Found]:
    return {}


_done = PerObject(_none)  # by the budget


def _may_grow(graph: Graph) -> bool:
    """Whether an operation makes more than its inputs, other than by a constant shape."""
    given = [node for node in graph.nodes if node.op == "Placeholder"]
    arrays = [node for node in given if node.attrs.get("shape") != []]
    keep = _KEEP_SIZES - _COMBINE if len(arrays) > 1 else _KEEP_SIZES
    for nodes in (graph.nodes, *(each.nodes for each in graph.functions.values())):
        fixed = {node.name for node in nodes if node.op == "Const"}
        for node in nodes:
            shape = node.inputs[SHAPED[node.op] :][:1] if node.op in SHAPED else ()
            if node.op not in keep and not (shape and node_name(shape[0]) in fixed):
                return True
    return False


def _excesses(facts: Facts) -> _Found:
    """What costs too much in any of the graphs, as one sample is given to the model."""
    budget = facts.settings.limits.result_bytes
    done = _done(facts.artifact)
    if budget not in done:
        always, by_inputs = [], []
        for followed in operations(facts.artifact).graphs:
            graph = followed.calls.graph
            cost = GraphCost(graph, budget, LOOP_ROUNDS.value)
            found = cost.work()
            always += [(followed.operation(each.function, each.node), each) for each in found]
            if any(node.op == "Placeholder" for node in graph.nodes) and _may_grow(graph):
                known = {id(each.node) for each in found}
                given = GraphCost(graph, budget, LOOP_ROUNDS.value, before=cost).work()
                by_inputs += [
                    (followed.operation(each.function, each.node), each)
                    for each in given
                    if id(each.node) not in known
                ]
        done[budget] = _Found((*always,), (*by_inputs,))
    return done[budget]


def _waiting(facts: Facts) -> Iterator[GraphOperation]:
    """Operations that run and wait for others of which none does."""
    found = operations(facts.artifact)
    for followed in found.graphs:
        known = {node.op for _, node in every_node(followed.calls.graph)}
        for operation in found.watched:
            ends = WAITS.get(operation.node.op)
            runs = operation.sources is followed.sources and operation.reach is Reach.RUN
            if runs and ends is not None and known.isdisjoint(ends):
                yield operation


def _takes_inputs(facts: Facts, operation: GraphOperation) -> bool:
    """Whether it takes a model's inputs from a queue of training, as freezing an Estimator left it.

    Such a graph has no other input, and a program can give the values in place of the operation.
    """
    graph = facts.artifact.graphs[0]
    return (
        facts.artifact.format is Format.FROZEN_GRAPH
        and operation.function is None
        and operation.node.op.startswith("QueueDequeue")
        and not any(node.op == "Placeholder" for _, node in every_node(graph))
    )


def _input_queue(rule: Rule, facts: Facts, operation: GraphOperation) -> Finding:
    name, op = operation.node.name, operation.node.op
    again = "reeze the model again from a graph whose inputs are placeholders."
    fed = f'Give the inputs as the outputs of the queue: feed_dict={{"{name}:0": ...}}. Or f{again}'
    given = f"the outputs of {name}"
    refused = is_refused(facts.artifact.graphs[0], facts.artifact)  # MA760 tells why
    return rule.finding(
        f"The graph takes its inputs from a queue ({op}) that nothing in it fills, and has no other "
        f"input{'.' if refused else f': a program that does not give {given} itself waits for ever.'}",
        file=graph_file(facts.artifact),
        route=operation.route,
        evidence={"op": op, "reached": operation.via or None},
        key=op,
        title="The graph takes its inputs from a queue of the training program",
        fix=f"F{again}" if refused else fed,
        severity=Severity.MEDIUM,
    )


def _finding(
    rule: Rule,
    facts: Facts,
    operation: GraphOperation,
    what: str,
    measured: int | None = None,
    by_input: str = "",
) -> Finding:
    """A finding; of a cost that an input decides, at low and with the title `by_input`."""
    severity = Severity.LOW if by_input else rule.severity
    when = f"run by {operation.via}" if operation.via else "not run by anything in the file"
    evidence = {"op": operation.node.op, "reached": operation.via or None}
    budget = facts.settings.limits.result_bytes
    sizes: dict[str, Json] = {"measured": measured, "unit": "bytes", "threshold": budget}
    if operation.reach is Reach.DEAD:
        severity = lowered(severity, 2)
    return rule.finding(
        f"{what}; {when}.",
        file=graph_file(facts.artifact),
        route=operation.route,
        evidence={**evidence, **(sizes if measured is not None else {})},
        key=operation.node.op,
        title=by_input,
        fix="Limit the sizes in requests before they reach the model." if by_input else "",
        severity=severity,
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
        why="One call of the model ends the serving process or keeps a core busy forever. At low, "
        "only an input that is chosen for it does so.",
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
        "takes the machine down. At low, only an input that is chosen for it does so.",
        fix="Do not serve it. If the model is legitimate and this large, raise `result_bytes` in "
        "the settings.",
        check=check_sizes,
        bad=lambda: graph_with("Fill", (constant("dims", 10**6, 10**6, dtype="int32"),)),
        good=harmless,
    ),
)
