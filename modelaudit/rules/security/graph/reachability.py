"""Which parts of a TensorFlow graph run: when it is called, loaded or saved, or never.

The roots of a graph are the outputs of its signatures, the functions of its object graph, the
loader's initializers, and the saver. From a node of the main graph, everything that feeds it runs;
of a function that is called, all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum

from msgspec import Struct, field

from modelaudit.facts import Artifact, Format, Graph, GraphFunction, GraphNode, ObjectNode
from modelaudit.formats.graph.dataflow import CALLS
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.work_budget import spend

_NODE = 5  # parts of work that looking at a node is
_TOGETHER = 40  # nodes that count as work together

_CHECKPOINTS = frozenset(
    {
        *(Format.TF1_CHECKPOINT_V1, Format.TF1_CHECKPOINT, Format.TF2_CHECKPOINT),
        Format.SESSION_BUNDLE,
    }
)
# What a `tf.train.Saver` adds to a graph, apart from the names of files and tensors.
_RESTORING = frozenset({"RestoreV2", "Restore", "RestoreSlice"})
_SAVER_OPS = _RESTORING | {
    *("SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints", "ShardedFilename", "ShardedFilespec"),
    *("Assign", "AssignVariableOp", "Identity", "NoOp", "Pack"),
}


class Reach(Enum):
    """When an operation runs; `DEAD` if it is unreachable from every root."""

    RUN = "run"
    SAVER = "saver"
    DEAD = "dead"


ADAPT = "the `adapt` of a layer, and by no prediction"


class GraphRoot(Struct, frozen=True):
    """A root: a node of the main graph or a function, with what runs it as text for users."""

    name: str
    label: str
    is_function: bool = False


class ReachedNames(Struct):
    """Names reachable from some roots -> the root, as text for users."""

    nodes: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)


class CallGraph:
    """One graph, with the reachability of its nodes and functions.

    Args:
        artifact: provides signatures and the object graph.
    """

    def __init__(self, graph: Graph, artifact: Artifact) -> None:
        self.graph = graph
        self.main = {node.name: node for node in graph.nodes}
        self.saved = self._reached(_saver_roots(graph))
        self.run = self._reached(_roots(graph, artifact, self.main, self.saved.nodes))

    def reach(self, function: GraphFunction | None, node: str) -> tuple[Reach, str]:
        """When a node runs, and which root runs it; a function's nodes run together."""
        for reach, reached in ((Reach.RUN, self.run), (Reach.SAVER, self.saved)):
            names = reached.functions if function else reached.nodes
            name = function.name if function else node
            if name in names:
                return reach, names[name]
        return Reach.DEAD, ""

    def holder(self, route: str) -> tuple[Reach, str]:
        """When the node at the start of `route` (`function/node/…` or `node/…`) runs.

        Names contain slashes too, so several may match; of those, one that runs.
        """
        parts = route.split("/")
        starts = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        functions = [self.graph.functions[name] for name in starts if name in self.graph.functions]
        found = [self.reach(function, "") for function in functions]
        found += [self.reach(None, name) for name in starts if name in self.main]
        return next((each for each in found if each[0] is not Reach.DEAD), (Reach.DEAD, ""))

    def _reached(self, roots: Iterator[GraphRoot]) -> ReachedNames:
        """Everything reachable from the roots."""
        reached = ReachedNames()
        pending = list(roots)[::-1]
        while pending:
            root = pending.pop()
            if root.is_function:
                found, called = reached.functions, self.graph.functions.get(root.name)
                nodes = called.nodes if called else ()
            else:
                found, node = reached.nodes, self.main.get(root.name)
                nodes = (node,) if node else ()
            if not nodes or root.name in found:
                continue
            found[root.name] = root.label
            for each in nodes:
                if names := functions_of(each):
                    pending.extend(GraphRoot(name, root.label, True) for name in names)
                if not root.is_function:
                    pending.extend([GraphRoot(node_name(ref), root.label) for ref in each.inputs])
        return reached


def every_node(graph: Graph) -> Iterator[tuple[GraphFunction | None, GraphNode]]:
    """Nodes of the main graph (without a function), then of every function."""
    seen = 0
    for function in (None, *graph.functions.values()):
        for node in graph.nodes if function is None else function.nodes:
            seen += 1
            if seen % _TOGETHER == 0:
                spend(_NODE * _TOGETHER)
            yield function, node


def node_name(reference: str) -> str:
    """The node that an input, `^name` or `name:output:index`, refers to."""
    return reference.removeprefix("^").partition(":")[0]


def functions_of(node: GraphNode) -> Iterable[str]:
    """Names of functions that a node calls; in TF1 a function's name can be the operation."""
    known = known_operations().get(node.op)
    if known is not None and not known.functions:
        return ()
    spend(_NODE)
    if known is None:
        return (node.op, *_named(node, tuple(node.attrs)))
    return _named(node, known.functions)


def _named(node: GraphNode, attributes: Iterable[str]) -> Iterator[str]:
    """Names of functions in attributes."""
    for key in attributes:
        value = node.attrs.get(key)
        for item in value if isinstance(value, list) else (value,):
            if not isinstance(item, dict):
                continue
            given = item.get("functions")
            for called in (item.get("function"), *(given if isinstance(given, list) else ())):
                if isinstance(called, str):
                    yield called


def function_at(node: GraphNode, key: str) -> str:
    """The name of the function in an attribute; "" if it has none."""
    named = node.attrs.get(key)
    name = named.get("function") if isinstance(named, Mapping) else None
    return name if isinstance(name, str) else ""


def recursive_functions(graph: Graph) -> frozenset[str]:
    """Functions that call themselves unconditionally."""
    calls = {
        name: {each for node in function.nodes if node.op in CALLS for each in functions_of(node)}
        for name, function in graph.functions.items()
    }
    left = _endless(calls)  # nodes that lead into a cycle; among them, those that a cycle leads to
    return frozenset(_endless(_turned(left)))


def _endless(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The part of a directed graph from which paths of any length start."""
    left = {name: targets & edges.keys() for name, targets in edges.items()}
    sources = _turned(left)
    ended = [name for name, targets in left.items() if not targets]
    for name in ended:
        del left[name]
        for source in sources[name]:
            left[source].discard(name)
            if not left[source]:
                ended.append(source)
    return left


def _turned(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same graph with every edge reversed."""
    turned: dict[str, set[str]] = {name: set() for name in edges}
    for name, targets in edges.items():
        for target in targets:
            turned[target].add(name)
    return turned


def _roots(
    graph: Graph, artifact: Artifact, main: Mapping[str, GraphNode], saved: Iterable[str]
) -> Iterator[GraphRoot]:
    def anyone() -> Iterator[GraphRoot]:
        """Everything that some program may run; no prediction runs a saver."""
        savers = _savers(main).union(saved)
        for name in main:
            if name not in savers:
                yield GraphRoot(name, "any program that asks for this part of the graph")

    if graph.held_by or artifact.format is Format.FROZEN_GRAPH:
        yield from anyone()
        return
    found = False
    for signature in artifact.signatures:
        if signature.tags == graph.tags:
            found = True
            label = f"signature {signature.name}"
            yield from (GraphRoot(node_name(output.tensor), label) for output in signature.outputs)
    # A checkpoint's `.meta` is the training graph, including paths of vocabularies: restoring runs
    # none of it.
    for name in graph.init_ops if artifact.format not in _CHECKPOINTS else ():
        yield GraphRoot(node_name(name), "loading the model")
        yield GraphRoot(name, "loading the model", True)
    adapt = _of_adapt(artifact.object_graph)
    for item in sorted(artifact.object_graph, key=lambda each: each.index in adapt):
        for name in _concrete(item.detail.get("concrete_functions")):
            found = True
            label = ADAPT if item.index in adapt else "a function of the loaded model"
            yield GraphRoot(name, label, True)
    if not found and artifact.format not in _CHECKPOINTS:
        yield from anyone()  # nothing says what is run


def _of_adapt(nodes: Sequence[ObjectNode]) -> set[int]:
    """The functions with which preprocessing layers of Keras 2 look at data before training.

    What has another name as well may be called by it.
    """
    edges = [(name == "_adapt_function", end) for x in nodes for name, end in x.children.items()]
    held = {end for adapts, end in edges if adapts} - {end for adapts, end in edges if not adapts}
    parts = {end for x in nodes if x.index in held for end in x.children.values()}
    return {x.index for x in nodes if x.index in held | parts and "function" in x.kind}


def _savers(main: Mapping[str, GraphNode]) -> frozenset[str]:
    """Nodes on which only saving to and restoring from checkpoints depends.

    A TF1 graph has a saver for each `tf.train.Saver` that the program created.
    """
    consumers: dict[str, list[str]] = {}
    for node in main.values():
        for reference in node.inputs:
            consumers.setdefault(node_name(reference), []).append(node.name)

    def is_part(node: GraphNode) -> bool:
        source = main.get(node_name(node.inputs[0])) if node.inputs else None
        is_result = node.name not in consumers and source is not None
        if node.op == "Identity" and is_result and source is not None:
            return source.op not in _RESTORING
        return node.op in _SAVER_OPS and (node.op not in _RESTORING or node.name in consumers)

    others = [node.name for node in main.values() if not is_part(node)]
    left = main.keys() - others
    while others:
        for reference in main[others.pop()].inputs:
            if (source := node_name(reference)) in left:
                left.discard(source)
                others.append(source)
    return frozenset(left)


def _saver_roots(graph: Graph) -> Iterator[GraphRoot]:
    for key, label in (("restore_op_name", "restoring"), ("save_tensor_name", "saving")):
        name = graph.saver.get(key)
        if isinstance(name, str) and name:
            yield GraphRoot(node_name(name), label)


def _concrete(names: object) -> Iterator[str]:
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str):
            yield name
