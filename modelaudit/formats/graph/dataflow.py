"""Tracing values backwards through a graph and the functions that it calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Graph, GraphFunction, GraphNode, Shape
from modelaudit.work_budget import spend

# Operations that only call a function, once.
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})

# Operations whose output is treated as equal to their first input.
PASSING = frozenset(
    {
        *("Identity", "IdentityN", "StopGradient", "PreventGradient", "Snapshot"),
        *("ReadVariableOp", "Cast", "Enter", "RefEnter", "Switch", "RefSwitch", "CheckNumerics"),
        *("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"),
    }
)
# Further operations that can occur between a stored weight and the operation that applies it.
RESHAPING = frozenset({"Reshape", "Squeeze", "ExpandDims"})

_CARRYING = PASSING | RESHAPING
_SHAPED = frozenset({"Placeholder", "EnsureShape"})  # attribute `shape` is the output shape

_MOST_DIGITS = 6  # of the number of an output
_MAX_DEPTH = 64  # nested calls
_MAX_STEPS = 1000  # operations per trace
_MAX_FRAMES = 20_000  # functions that call each other twice double the number with each level
_MAX_WORK = 1_000_000  # operations of all traces
_TOGETHER = 200  # operations that count as work of the audit together


def node_name(reference: str) -> str:
    """The node of an input, such as `split:output:1` or `^split`."""
    return reference.lstrip("^").partition(":")[0]


def output_index(reference: str) -> int:
    """Which output of its operation `name`, `name:2` or `name:output:2` refers to."""
    _, colon, last = reference.rpartition(":")
    if not colon or last == "0":  # as nearly all
        return 0
    return int(last[:_MOST_DIGITS]) if last.isascii() and last.isdecimal() else 0


def passed_input(node: GraphNode, output: int) -> str | None:
    """The input that an operation that passes values on returns as this output."""
    at = output if node.op == "IdentityN" else 0
    for each in node.inputs:
        if each[:1] != "^":
            if not at:
                return each
            at -= 1
    return None


class Frame(Struct, eq=False):
    """The main graph or one call of a function, with its nodes by name.

    `arguments` maps argument names to their values in the caller, as (frame, reference).
    """

    nodes: Mapping[str, GraphNode]
    function: GraphFunction | None = None
    arguments: Mapping[str, tuple[Frame, str]] = field(default_factory=dict)
    bound: Mapping[str, str] = field(default_factory=dict)  # argument -> name of a stored tensor
    depth: int = 0
    children: dict[str, Frame] = field(default_factory=dict)


class NodeOutput(Struct, frozen=True):
    """A node in a frame, and the index of one of its outputs."""

    frame: Frame
    node: GraphNode
    output: int = 0


class GraphWalker:
    """Traces values in one graph. Each trace and the total work are bounded (`LimitExceeded`).

    Args:
        graph: the graph with its function library.
        tensors: node name in the main graph -> name of the stored tensor that the node holds.
    """

    def __init__(self, graph: Graph, tensors: Mapping[str, str]) -> None:
        self.graph = graph
        self.tensors = tensors
        self.main = Frame({node.name: node for node in graph.nodes})
        self._indexed: dict[str, dict[str, GraphNode]] = {}
        self._frames = 0
        self._work = 0
        self._counted = 0  # of the work, in that of the audit

    def frame_of(self, name: str, bound: Mapping[str, str]) -> Frame | None:
        """Frame of a function that is called from outside; `bound`: argument -> stored tensor."""
        function = self.graph.functions.get(name)
        if function is None:
            return None
        return Frame(self._nodes(function), function, bound=bound, depth=1)

    def _nodes(self, function: GraphFunction) -> dict[str, GraphNode]:
        if function.name not in self._indexed:
            self._indexed[function.name] = {node.name: node for node in function.nodes}
        return self._indexed[function.name]

    def call(self, frame: Frame, node: GraphNode) -> Frame | None:
        """Frame of a function call; None for other nodes, unknown functions and deep recursion."""
        if node.op not in CALLS or frame.depth >= _MAX_DEPTH:
            return None
        if node.name not in frame.children:
            target = node.attrs.get("f")
            name = target.get("function") if isinstance(target, dict) else None
            function = self.graph.functions.get(name) if isinstance(name, str) else None
            if function is None:
                return None
            self._frames += 1
            if self._frames > _MAX_FRAMES:
                raise LimitExceeded("", "function calls followed", self._frames, _MAX_FRAMES)
            inputs = [ref for ref in node.inputs if not ref.startswith("^")]
            arguments = {
                argument: (frame, ref) for argument, ref in zip(function.args, inputs, strict=False)
            }
            frame.children[node.name] = Frame(
                self._nodes(function), function, arguments, depth=frame.depth + 1
            )
        return frame.children[node.name]

    def _spend(self, operations: int) -> None:
        self._work += operations
        if self._work > _MAX_WORK:
            raise LimitExceeded("", "graph operations followed", self._work, _MAX_WORK)
        if self._work - self._counted >= _TOGETHER:
            spend(self._work - self._counted)
            self._counted = self._work

    def origin(self, frame: Frame, reference: str) -> NodeOutput | str | None:
        """The node that produces `reference`, traced through calls and arguments.

        Returns a place, the name of a stored tensor that is bound to an argument, or None for
        inputs of the graph.
        """
        for _ in range(_MAX_STEPS):
            self._spend(1)
            name = reference.partition(":")[0]
            node = frame.nodes.get(name)
            if node is None:
                if name in frame.bound:
                    return frame.bound[name]
                if name not in frame.arguments:
                    return None
                frame, reference = frame.arguments[name]
                continue
            index = output_index(reference)
            inner = self.call(frame, node) if node.op in CALLS else None
            if inner is None:
                return NodeOutput(frame, node, index)
            returns = list(inner.function.returns.values()) if inner.function else []
            if index >= len(returns):
                return NodeOutput(frame, node, index)
            frame, reference = inner, returns[index]
        return None

    def weight(self, frame: Frame, reference: str) -> str | None:
        """Name of the stored tensor that `reference` carries, possibly reshaped; else None."""
        for _ in range(_MAX_STEPS):
            place = self.origin(frame, reference)
            if not isinstance(place, NodeOutput):
                return place
            node = place.node
            if place.frame is self.main and node.name in self.tensors:
                return self.tensors[node.name]
            passed = passed_input(node, place.output)
            if node.op not in _CARRYING or passed is None:
                return None
            frame, reference = place.frame, passed
        return None

    def value(self, frame: Frame, reference: str) -> NodeOutput | None:
        """The node that produces `reference`, traced through operations that pass it on."""
        for _ in range(_MAX_STEPS):
            place = self.origin(frame, reference)
            if not isinstance(place, NodeOutput):
                return None
            passed = passed_input(place.node, place.output)
            if place.node.op not in PASSING or passed is None:
                return place
            frame, reference = place.frame, passed
        return None

    def shape(self, place: NodeOutput) -> Shape | None:
        """Shape of an output according to the graph; None if it does not record it."""
        shapes = place.node.attrs.get("_output_shapes")
        if isinstance(shapes, list) and place.output < len(shapes):
            shape = shapes[place.output]
        else:
            shape = place.node.attrs.get("shape") if place.node.op in _SHAPED else None
        if not isinstance(shape, list):
            return None
        return tuple(size if isinstance(size, int) else None for size in shape)

    def frames(self, roots: list[tuple[Frame, GraphNode]]) -> Iterator[Frame]:
        """Frames of the calls `roots` and of all calls inside them."""
        pending = [inner for frame, node in roots if (inner := self.call(frame, node))]
        while pending:
            frame = pending.pop()
            self._spend(2 * len(frame.nodes))  # looks at the attributes of each
            yield frame
            for node in frame.nodes.values():
                inner = self.call(frame, node) if node.op in CALLS else None
                if inner is not None:
                    pending.append(inner)
