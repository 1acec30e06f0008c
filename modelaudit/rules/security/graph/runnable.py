"""MA760: graphs that TensorFlow refuses to import or to run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from modelaudit.facts import Artifact, Format, Graph, GraphNode, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.op_registry import RegisteredOperation, known_operations
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.declared_types import type_fault
from modelaudit.rules.security.graph.examples import graph_with, harmless
from modelaudit.rules.security.graph.operations import graph_file
from modelaudit.rules.security.graph.reachability import functions_of, node_name
from modelaudit.structs import replace
from modelaudit.work_budget import spend

_JOB = re.compile(r"/job:(?!localhost(?:/|$))[^/]+|/replica:0*[1-9]|/task:0*[1-9]")
_SHOWN = 8
_TOGETHER = 10  # nodes whose look is a unit of work that is counted
_PASSES = 8  # functions list their operations in nearly the order in which they run
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")  # that TensorFlow takes
_UNKNOWN_TYPE = re.compile(r"type_(?:\d{3,}|[7-9]\d)(?:_ref)?")  # far beyond those of any version
# Words and names in turn: words are at even places. Names come from the file.
_Said = tuple[str, ...]
_Reasons = Iterator[tuple[str, str, list[_Said]]]


def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """One finding for each reason of each graph."""
    for graph in facts.artifact.graphs:
        for key, what, names in _reasons(graph, facts.artifact):
            listed = ", ".join(map(_quoted, names[:_SHOWN]))
            where = f"nested/{graph.held_by}/" if graph.held_by else ""
            yield rule.finding(
                f"{what}: {listed}{' …' if len(names) > _SHOWN else ''}.",
                file=graph_file(facts.artifact),
                route=f"{where}{key}",
                evidence={
                    "names": ["".join(said) for said in names[:64]],
                    "measured": len(names),
                    "unit": "names",
                },
                key=key,
                title=_TITLES.get(key, ""),
                fix=_FIXES.get(key, rule.fix),
            )


def _quoted(said: _Said) -> str:
    """What is told, with the names in quotes."""
    return "".join(_name(part) if place % 2 else part for place, part in enumerate(said))


def _name(name: str) -> str:
    plain = name[:100].replace("`", "'")
    return f"`{plain}`"


def _names(found: Iterable[str]) -> list[_Said]:
    return [("", name) for name in found]


def is_refused(graph: Graph, artifact: Artifact) -> bool:
    """Whether TensorFlow refuses to import or to run it."""
    return any(True for _ in _reasons(graph, artifact))


def _reasons(graph: Graph, artifact: Artifact) -> _Reasons:
    parts: list[tuple[str, Sequence[GraphNode], Sequence[str]]] = [("", graph.nodes, ())]
    parts += [(f"{each.name}/", each.nodes, each.args) for each in graph.functions.values()]
    twice: list[str] = []
    lost: list[_Said] = []
    circular: list[str] = []
    for prefix, nodes, args in parts:
        known = {node.name for node in nodes}
        if len(known) < len(nodes):
            counts = Counter(node.name for node in nodes)
            twice += [prefix + name for name, count in counts.items() if count > 1]
        if in_order(nodes, args):
            continue
        known.update(args)
        lost += [
            ("", f"{prefix}{node.name}", " takes ", reference)
            for node in nodes
            for reference in node.inputs
            if node_name(reference) not in known
        ]
        circular += [prefix + name for name in in_circles(nodes)]
    for function in graph.functions.values():
        known = {*function.args, *(node.name for node in function.nodes)}
        returned = function.returns.items()
        gone = [name for name, source in returned if node_name(source) not in known]
        lost += [
            ("", f"{function.name}/{name}", " returns ", function.returns[name]) for name in gone
        ]
    if twice:
        yield "twice", "Several operations of the graph have the same name", _names(twice)
    if graph.repeated:
        yield "library", "Several functions of the graph have the same name", _names(graph.repeated)
    if lost:
        yield "inputs", "Operations of the graph take values of others that are missing", lost
    if circular:
        yield "circles", "Operations of the graph wait for each other", _names(circular)
    plain = artifact.format is Format.FROZEN_GRAPH and not graph.functions
    if plain and graph.nodes and all(node.op in {"Const", "NoOp"} for node in graph.nodes):
        what = "The graph has nothing but constants, so that it computes nothing from any input"
        yield "constants", what, _names(node.name for node in graph.nodes)
    yield from _unfit(graph, parts, artifact)
    present = {node.name: node for node in graph.nodes}
    absent: list[_Said] = [
        ("", signature.name, " names ", end.tensor)
        for signature in artifact.signatures
        if signature.tags == graph.tags and not graph.held_by
        for end in (*signature.inputs, *signature.outputs)
        if end.tensor
        and (node_name(end.tensor) not in present or not _has_output(present, end.tensor))
    ]
    absent += [
        ("loading runs ", name)
        for name in graph.init_ops
        if node_name(name) not in present and name not in graph.functions
    ]
    if absent:
        yield "signatures", "Signatures name values that the graph does not have", absent
    saver = [str(name) for key, name in graph.saver.items() if key.endswith("_name")]
    if gone := [name for name in saver if name and node_name(name) not in present]:
        yield "saver", "The saver names operations that the graph does not have", _names(gone)
    elsewhere = {node.device for _, nodes, _ in parts for node in nodes if _JOB.search(node.device)}
    if elsewhere:
        yield "devices", "Operations must run on another machine", _names(sorted(elsewhere))


_Part = tuple[str, Sequence[GraphNode], Sequence[str]]


def _unfit(graph: Graph, parts: Sequence[_Part], artifact: Artifact) -> _Reasons:
    """Operations whose inputs, types or functions are not those that they have by definition."""
    lite, js = artifact.lite is not None, artifact.format is Format.TFJS_GRAPH
    found: dict[str, list[_Said]] = {}
    known = known_operations()
    for prefix, nodes, _ in parts:
        by_name = {node.name: node for node in nodes}
        for count, node in enumerate(nodes):
            if count % _TOGETHER == 0:
                spend()
            # Converters write what their own runtime reads: TensorFlow Lite reads no names, and
            # TensorFlow.js not the types of what is fused.
            if not (lite or js or (node.op and (prefix or _NAME.fullmatch(node.name)))):
                found.setdefault("names", []).append(("", f"{prefix}{node.name}"))
            if (operation := known.get(node.op)) is None:
                continue
            attributes, inputs, needed = node.attrs, node.inputs, operation.needed
            data = [each for each in inputs if each[:1] != "^"]
            fits = len(inputs) == len(data) == operation.inputs
            reasons = [] if fits else _misfits(operation, inputs, data)
            if not prefix and any(not _has_output(by_name, each) for each in data):
                reasons.append("output")
            # Only attributes that the operation must have are read: reading takes most of the time.
            own = attributes.get("T") if "T" in needed else None
            if fault := type_fault(node, own, data, by_name, inside=bool(prefix)):
                reasons.append(fault)
            other = attributes.get("dtype") if "dtype" in needed else None
            if (own and _unknown_type(own)) or (other and _unknown_type(other)):
                reasons.append("dtypes")
            unread = lite or (js and node.op.startswith("_Fused"))
            if needed and not unread and not all(map(attributes.__contains__, needed)):
                reasons.append("attributes")
            if operation.functions and any(
                name not in graph.functions and name not in known for name in functions_of(node)
            ):
                reasons.append("functions")
            changed = [] if prefix or lite or js else operation.references
            if changed and any(_is_value(by_name, data[at]) for at in changed if at < len(data)):
                reasons.append("references")
            for reason in reasons:
                found.setdefault(reason, []).append(("", f"{prefix}{node.name}", f" ({node.op})"))
    yield from ((key, _UNFIT[key], names) for key, names in found.items())


def _misfits(
    operation: RegisteredOperation, inputs: Sequence[str], data: Sequence[str]
) -> list[str]:
    reasons = []
    if operation.inputs is not None and len(data) != operation.inputs:
        reasons.append("arity")
    if len(data) < len(inputs) and [*inputs[: len(data)]] != data:
        reasons.append("order")
    return reasons


_STRIP = (
    "The graph was frozen together with operations that train it. Keep only what leads to the "
    "outputs: `tf.compat.v1.graph_util.extract_sub_graph(graph_def, names_of_the_outputs)`."
)
_FREEZE = (
    "Freeze the model again from its checkpoint, with `convert_variables_to_constants` of TensorFlow 1.15 "
    "or newer: it also replaces what reads the variables in a loop."
)
_NAME_OUTPUTS = (
    "Freeze the model again with the names of the operations that give its outputs: freezing keeps only "
    "what leads to the names that it is given."
)
_FIXES = {"references": _STRIP, "frozen": _FREEZE, "constants": _NAME_OUTPUTS}
_TITLES = {"constants": "The graph computes nothing"}
_UNFIT = {
    "frozen": "Variables were replaced by constants, but operations read them as variables, so that "
    "no program can import the graph",
    "names": "Operations have no kind, or names that TensorFlow does not take",
    "dtypes": "Operations have types that no version of TensorFlow has",
    "arity": "Operations have more or fewer inputs than they take",
    "order": "Operations list control inputs before others, which TensorFlow does not take",
    "output": "Operations take outputs that others do not have",
    "attributes": "Operations lack attributes that they must have",
    "types": "Operations take values of other types than they declare",
    "references": "Operations change variables that the graph has as constants or other values",
    "functions": "Operations call functions that the graph does not have",
}


def _has_output(nodes: Mapping[str, GraphNode], reference: str) -> bool:
    """Whether the operation has an output of this number; True where it is not known."""
    name, _, last = reference.partition(":")
    node = nodes.get(name)
    operation = known_operations().get(node.op) if node else None
    last = last or "0"
    if node is None or operation is None or not last.isdecimal():
        return True
    count = operation.outputs
    if count is None and isinstance(types := node.attrs.get("Tout"), list):  # of a call
        count = len(types)
    return count is None or int(last[:6]) < count


def _is_value(nodes: Mapping[str, GraphNode], reference: str) -> bool:
    """Whether what an operation takes is known to be a value, and no reference to a variable."""
    name, _, last = reference.partition(":")
    node = nodes.get(name)
    operation = known_operations().get(node.op) if node else None
    if node is None or operation is None or operation.gives is None:
        return False
    types = (node.attrs.get(key) for key in ("T", "dtype"))
    if any(isinstance(each, str) and each.endswith("_ref") for each in types):
        return False
    last = last or "0"
    return last.isdecimal() and int(last[:6]) not in operation.gives


def _unknown_type(value: Json) -> bool:
    unnamed = isinstance(value, str) and value.startswith("type_")
    return unnamed and _UNKNOWN_TYPE.fullmatch(str(value)) is not None


def in_order(nodes: Sequence[GraphNode], args: Sequence[str] = ()) -> bool:
    """Whether operations are seen to take only what is there before them, in a few passes.

    Then nothing is missing, and none waits for itself. False says nothing.
    """
    there, left = {*args}, nodes
    for _ in range(_PASSES):
        waiting = []
        for node in left:
            for reference in node.inputs:
                plain = reference[:1] != "^" and ":" not in reference
                if (reference if plain else node_name(reference)) not in there:
                    waiting.append(node)
                    break
            else:
                there.add(node.name)
        if not waiting:
            return True
        left = waiting
    return False


def in_circles(nodes: Sequence[GraphNode]) -> list[str]:
    """Operations that depend on themselves, other than through the next round of a loop."""
    users: dict[str, list[str]] = {node.name: [] for node in nodes}
    open_inputs: dict[str, int] = {}
    for node in nodes:
        needed = {node_name(each) for each in node.inputs} & users.keys()
        open_inputs[node.name] = (
            0 if node.op in {"NextIteration", "RefNextIteration"} else len(needed)
        )
        if open_inputs[node.name]:
            for name in needed:
                users[name].append(node.name)
    ready = [name for name, count in open_inputs.items() if not count]
    for name in ready:
        for user in users[name]:
            open_inputs[user] -= 1
            if not open_inputs[user]:
                ready.append(user)
    done = {*ready}
    left = [node for node in nodes if node.name not in done]
    # What only depends on a circle is in none.
    used = {node_name(each) for node in left for each in node.inputs}
    return [node.name for node in left if node.name in used]


def _lost() -> Facts:
    (graph,) = (facts := graph_with("Identity")).artifact.graphs
    node = GraphNode("lost", "Identity", ("nowhere",))
    return facts_with(facts, Graph(graph.tags, (*graph.nodes, node), graph.functions))


def facts_with(facts: Facts, graph: Graph) -> Facts:
    """The facts with another graph."""
    return replace(facts, artifact=replace(facts.artifact, graphs=(graph,)))


RULES = (
    Rule(
        code="MA760",
        name="graph-cannot-run",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.GRAPH,),
        summary="TensorFlow cannot run the graph",
        pass_title="The graph is complete, and nothing in it depends on itself",
        why="TensorFlow refuses such a graph when it imports or first runs it. The file was damaged, "
        "frozen together with operations that train it, or changed so that tools that do not run it "
        "see something else.",
        fix="Export the model again. If its operations name another machine, clear their devices "
        "(`clear_devices=True` in TensorFlow 1).",
        check=check,
        bad=_lost,
        good=harmless,
    ),
)
