"""What a graph costs at least: sizes of tensors, rounds of loops, elements of datasets.

An abstract interpretation of the graph and its functions: values are least sizes and constants
(`extents`), calls are followed with those of their arguments, and numbers saturate. What is not
known counts as one element, one round, one element of a dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from msgspec import Struct

from modelaudit.facts import Graph, GraphFunction, GraphNode, Json
from modelaudit.formats.graph.dataflow import CALLS
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.rules.security.graph.bodies import (
    BRANCHES,
    NOT_PLAIN,
    PASSES_ALL,
    SPLITS,
    WHILE,
    SortedOperations,
    body_of,
    inert_operations,
    is_dataset,
    source_of,
)
from modelaudit.rules.security.graph.dataset_items import elements
from modelaudit.rules.security.graph.extents import (
    MOST,
    UNKNOWN,
    WIDEST,
    Extent,
    size_of,
    supposed,
    width_of,
)
from modelaudit.rules.security.graph.loops import Place, rounds_of
from modelaudit.rules.security.graph.op_extents import FOLLOWING, made
from modelaudit.rules.security.graph.products import MULTIPLY, PER_ROUND, products
from modelaudit.rules.security.graph.reachability import function_at, functions_of
from modelaudit.rules.security.graph.shape_ops import either, split
from modelaudit.structs import replace
from modelaudit.work_budget import spend

_DEPTH = 64
_STEPS = 16  # through a loop's body that cost as much as one evaluation
_OUTPUTS = 64  # of an operation whose outputs are not followed one by one
_TOGETHER = 10  # operations that count as work of the audit together
_PER_NODE = 4  # evaluations; a function is evaluated once for all sizes of its arguments
_FREE = 20_000
_GROWTH = 64  # rounds of a loop in which sizes are followed


class Excess(Struct, frozen=True):
    """An operation that costs too much.

    Attributes:
        function: the function that contains it; None for the main graph.
        node: the operation.
        kind: bytes, rounds, or products (multiplications).
        measured: at least how many.
        shape: of the tensor, for bytes.
    """

    function: GraphFunction | None
    node: GraphNode
    kind: str
    measured: int
    shape: tuple[int, ...] = ()


class GraphCost:
    """Interprets one graph.

    Args:
        graph: the graph and its functions.
        most_bytes: size of a tensor from which on it is an excess.
        most_rounds: number of rounds above which they are an excess.
        before: the same graph, interpreted for any input. Then inputs are those that cost much,
            though they are small, and functions that do not depend on them are not run again.
    """

    def __init__(
        self, graph: Graph, most_bytes: int, most_rounds: int, before: GraphCost | None = None
    ) -> None:
        self.graph = graph
        self.main = GraphFunction("", (), graph.nodes)
        self.most_bytes = most_bytes
        self.most_rounds = most_rounds
        self.supposing = before is not None
        self.found: dict[tuple[str, str, str], Excess] = {}
        self.known: dict[tuple[str, tuple[Extent, ...]], tuple[tuple[Extent, ...], int]] = {}
        self.seen: set[str] = set()
        self.bodies: dict[tuple[bool, str], SortedOperations] = {}
        if before is not None:
            self.known = {key: found for key, found in before.known.items() if key[0]}
            self.seen = set(graph.functions)
            self.bodies = before.bodies
        parts = (graph.nodes, *(each.nodes for each in graph.functions.values()))
        used = {node.op for nodes in parts for node in nodes}
        self.inert = self.following = frozenset[str]()
        self.inflates = "DecodeCompressed" in used
        # What is known is the same without them, but in a ring, which TensorFlow refuses.
        if not self.inflates:  # what takes a decompressed text may pass it on
            self.inert = (inert_operations() & used).difference(graph.functions)
            self.following = FOLLOWING.difference(MULTIPLY, graph.functions)
        size = len(graph.nodes) + sum(len(each.nodes) for each in graph.functions.values())
        self.left = _FREE + _PER_NODE * size
        self.plain: dict[str, bool] = {}

    def work(self) -> tuple[Excess, ...]:
        """Every excess in the graph, also in functions that nothing calls."""
        self.run(self.main, (), 0)
        for name, function in self.graph.functions.items():
            if name not in self.seen:
                self.run(function, (UNKNOWN,) * len(function.args), 0)
        return tuple(self.found.values())

    def run(
        self, function: GraphFunction, arguments: tuple[Extent, ...], depth: int
    ) -> tuple[tuple[Extent, ...], int]:
        """What a function returns, and the rounds of its loops."""
        key = (function.name, arguments)
        if key not in self.known:
            self.known[key] = (tuple(UNKNOWN for _ in function.returns), 0)  # a recursion
            self.seen.add(function.name)
            if depth < _DEPTH:
                body = FunctionCost(self, function, arguments, depth)
                self.known[key] = body.whole()
        return self.known[key]

    def body(self, function: GraphFunction) -> SortedOperations:
        """The operations of a function, sorted once for all evaluations."""
        key = (function is self.main, function.name)
        if key not in self.bodies:
            self.bodies[key] = body_of(function.nodes, self.inert, self.following)
        return self.bodies[key]

    def is_plain(self, op: str) -> bool:
        """Whether an operation of this kind runs no function and has nothing that is special."""
        if op not in self.plain:
            known = known_operations().get(op)
            runs = op in self.graph.functions or known is None or bool(known.functions)
            self.plain[op] = not (runs or op in NOT_PLAIN or is_dataset(op))
        return self.plain[op]

    def note(
        self, place: FunctionCost, node: GraphNode, kind: str, measured: int, shape: Json
    ) -> None:
        """Remember an excess; the first of an operation."""
        function = None if place.function is self.main else place.function
        key = (place.function.name, node.name, kind)
        axes = tuple(n for n in shape if isinstance(n, int)) if isinstance(shape, list) else ()
        self.found.setdefault(key, Excess(function, node, kind, measured, axes))


class FunctionCost(Place):
    """One evaluation of a function, or of the main graph."""

    def __init__(
        self, costs: GraphCost, function: GraphFunction, arguments: Sequence[Extent], depth: int
    ) -> None:
        self.body = costs.body(function)
        super().__init__(self.body.nodes, function)
        self.costs = costs
        self.depth = depth
        self.rounds = 0
        self.outputs: dict[str, tuple[Extent, ...]] = {
            name: (value,) for name, value in zip(function.args, arguments, strict=False)
        }

    def whole(self) -> tuple[tuple[Extent, ...], int]:
        """Evaluate every operation; the values that are returned, and the rounds."""
        costs = self.costs
        steps = self.body.steps(self.function.args, costs.most_bytes)
        costs.left -= len(self.body.inert) + len(self.body.fixed)
        self.outputs.update(self.body.fixed)
        for count, (node, taken) in enumerate(steps, 1):
            if costs.left <= 0:
                break
            costs.left -= 1
            if count % _TOGETHER == 0:
                spend()
            self.evaluate(node, taken)
        returned = tuple(self.value(each) for each in self.function.returns.values())
        return returned, min(self.rounds, MOST)

    def value(self, reference: str) -> Extent:
        """The value at a reference whose operation was evaluated, unknown for others."""
        name, index = source_of(reference)
        outputs = self.outputs.get(name, ())
        return outputs[index] if index < len(outputs) else UNKNOWN

    def evaluate(self, node: GraphNode, taken: Sequence[tuple[str, int]]) -> None:
        """Evaluate an operation behind those that it depends on."""
        known = self.outputs
        inputs = [
            given[index] if index < len(given := known.get(name, ())) else UNKNOWN
            for name, index in taken
        ]
        plain = self.costs.is_plain(node.op)
        outputs = (self.created(node, inputs),) if plain else self.result(node, inputs)
        if self.costs.inflates and node.op not in CALLS and any(each.inflated for each in inputs):
            # Whatever is made of a decompressed text may be one that inflates again.
            outputs = tuple(
                replace(each, inflated=True) for each in outputs or (UNKNOWN,) * _OUTPUTS
            )
        self.outputs[node.name] = outputs

    def result(self, node: GraphNode, inputs: Sequence[Extent]) -> tuple[Extent, ...]:
        """The outputs of an operation that is not plain; an excess is noted."""
        op = node.op
        if op in CALLS or op in self.costs.graph.functions:
            return self.called(node, inputs)
        if op == "Placeholder" and self.costs.supposing:
            return (replace(supposed(node.attrs), width=width_of(op, node.attrs)),)
        if op in WHILE:
            return self.looped(node, inputs)
        if op == "For":
            start, limit, delta = (each.number for each in (*inputs, *[UNKNOWN] * 3)[:3])
            trips = made("Range", inputs[:3], {}).elements if start is not None else 0
            inside = max((self.inner(name, ())[1] for name in functions_of(node)), default=0)
            self.spend(node, trips * (1 + inside) if limit is not None and delta else 0)
            return ()
        if op in BRANCHES:
            return self.branched(node, inputs)
        if is_dataset(op):
            return (self.dataset(node, inputs),)
        if op in PASSES_ALL:
            return tuple(inputs) if op == "IdentityN" else (UNKNOWN,)
        if op in SPLITS:
            return split(op, inputs, node.attrs)
        if op == "LoopCond":
            self.spend(node, rounds_of(self, node.inputs[0] if node.inputs else "", None))
        if op == "DecodeCompressed":
            if inputs and inputs[0].inflated:
                self.costs.note(self, node, "inflated", 0, None)
            return (Extent(inflated=True),)
        for name in functions_of(node) if self.costs.graph.functions else ():
            self.inner(name, ())
        return (self.created(node, inputs),)

    def created(self, node: GraphNode, inputs: Sequence[Extent]) -> Extent:
        """The first output of an operation that runs no function; an excess is noted."""
        value = self.measured(node, made(node.op, inputs, node.attrs), inputs)
        if node.op in MULTIPLY:
            self.multiply(node, value, inputs)
        return value

    def measured(self, node: GraphNode, value: Extent, inputs: Sequence[Extent]) -> Extent:
        """A value with its width, which only large ones need; noted if it is too large.

        It is not noted if an input is as large.
        """
        most = self.costs.most_bytes
        if (value.elements if value.shape else 1) * WIDEST + value.text < most:
            return value
        value = replace(value, width=width_of(node.op, node.attrs))
        if value.bytes >= most and not any(each.bytes >= most for each in inputs):
            self.costs.note(self, node, "bytes", value.bytes, list(value.shape or ()))
        return value

    def spend(self, node: GraphNode, rounds: int) -> None:
        """Count rounds, and note them if they are too many."""
        self.rounds = min(self.rounds + rounds, MOST)
        if rounds > self.costs.most_rounds:
            self.costs.note(self, node, "rounds", rounds, None)

    def multiply(self, node: GraphNode, value: Extent, inputs: Sequence[Extent]) -> None:
        """Count multiplications as rounds, and note them if they take as long as too many.

        An operation whose result does not fit ends before it has multiplied.
        """
        count = products(node.op, inputs, node.attrs, value)
        if not count or value.bytes >= self.costs.most_bytes:
            return
        rounds = count // PER_ROUND
        self.rounds = min(self.rounds + rounds, MOST)
        if rounds > self.costs.most_rounds:
            self.costs.note(self, node, "products", count, None)

    def inner(self, name: str, inputs: Sequence[Extent]) -> tuple[tuple[Extent, ...], int]:
        """Run another function; unknown values for arguments that are not given."""
        function = self.costs.graph.functions.get(name)
        if function is None:
            return (), 0
        given = (*inputs, *[UNKNOWN] * len(function.args))[: len(function.args)]
        return self.costs.run(function, given, self.depth + 1)

    def called(self, node: GraphNode, inputs: Sequence[Extent]) -> tuple[Extent, ...]:
        """The outputs of a function that is called once."""
        results = [self.inner(name, inputs) for name in functions_of(node)]
        self.rounds = min(self.rounds + sum(rounds for _, rounds in results), MOST)
        return results[0][0] if results else ()

    def branched(self, node: GraphNode, inputs: Sequence[Extent]) -> tuple[Extent, ...]:
        """What the outputs of all branches have in common, or those of the one that is taken."""
        chosen = inputs[0].number if inputs else None
        names = [*functions_of(node)]
        if chosen is not None and "If" in node.op:
            names = [function_at(node, "then_branch" if chosen else "else_branch")]
        results = [self.inner(name, inputs[1:]) for name in names]
        self.rounds = min(self.rounds + min((r for _, r in results), default=0), MOST)
        outputs = [values for values, _ in results]
        return tuple(reduce(either, each) for each in zip(*outputs, strict=False))

    def looped(self, node: GraphNode, inputs: Sequence[Extent]) -> tuple[Extent, ...]:
        """The outputs of a loop, whose rounds are counted if its condition is understood."""
        functions = self.costs.graph.functions
        condition, body = (functions.get(function_at(node, key)) for key in ("cond", "body"))
        if condition is None or body is None or self.depth >= _DEPTH:
            return ()
        unknown = tuple(size_of(each) for each in inputs)
        rounds = self.trips(condition, body, tuple(inputs))
        values, inside = self.inner(body.name, unknown)
        grown = values
        for _ in range(min(rounds, _GROWTH) - 1):
            again, inside = self.inner(body.name, tuple(map(size_of, grown)))
            if again == grown:
                break
            grown = again
        self.spend(node, min(rounds * (1 + inside), MOST))
        return tuple(map(size_of, grown)) if rounds else ()

    def trips(
        self, condition: GraphFunction, body: GraphFunction, inputs: tuple[Extent, ...]
    ) -> int:
        """At least how many rounds a loop has."""
        if self.costs.left <= 0:
            return 0
        place = Place({node.name: node for node in body.nodes}, body, inputs)
        tested = FunctionCost(self.costs, condition, place.steady().given, self.depth + 1)
        tested.whole()
        rounds = rounds_of(tested, next(iter(condition.returns.values()), ""), place)
        self.costs.left -= (place.steps + len(body.nodes)) // _STEPS
        return rounds

    def dataset(self, node: GraphNode, inputs: Sequence[Extent]) -> Extent:
        """How many elements a dataset has at least; what it costs to read it is noted."""
        functions = [self.inner(name, ())[0] for name in functions_of(node)]
        made = elements(node.op, inputs, [each[0] for each in functions if each])
        self.spend(node, made.rounds)
        if made.batch:
            self.measured(node, Extent(made.batch), ())
        return Extent(items=made.items)
