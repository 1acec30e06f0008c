"""How many rounds a loop has, from its condition and what its body adds to a counter."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.facts import GraphFunction, GraphNode
from modelaudit.rules.security.graph.constant_folding import PASSING
from modelaudit.rules.security.graph.extents import MOST, UNKNOWN, Extent
from modelaudit.rules.security.graph.op_extents import made
from modelaudit.rules.security.graph.reachability import node_name

_COMPARED = {"Less": 1, "LessEqual": 1, "Greater": -1, "GreaterEqual": -1}
_TURNED = {
    "Less": "GreaterEqual",
    "GreaterEqual": "Less",
    "Greater": "LessEqual",
    "LessEqual": "Greater",
    "Equal": "NotEqual",
}
_MOST_STEPS = 300
_WRAPS = 1 << 31
_DEPTH = 32  # operations through which a constant is followed


class Place:
    """The operations of a function, or of the main graph, and their values."""

    def __init__(self, nodes: dict[str, GraphNode], function: GraphFunction) -> None:
        self.nodes = nodes
        self.function = function
        self.started: set[str] = set()
        self._constants: dict[str, Extent] = {}

    def value(self, reference: str) -> Extent:
        """The value at a reference, as far as constants alone make it."""
        return self.constant(reference, _DEPTH)

    def constant(self, reference: str, depth: int) -> Extent:
        """The same, through at most so many operations."""
        node = self.source(reference)
        if node is None or not depth:
            return UNKNOWN
        if node.name not in self._constants:
            self._constants[node.name] = UNKNOWN  # a circle
            data = [each for each in node.inputs if not each.startswith("^")]
            inputs = [self.constant(each, depth - 1) for each in data]
            self._constants[node.name] = made(node.op, inputs, node.attrs)
        return self._constants[node.name]

    def source(self, reference: str) -> GraphNode | None:
        """The operation that makes a value, behind those that pass it on."""
        for _ in range(_MOST_STEPS):
            node = self.nodes.get(node_name(reference))
            if node is None or node.op not in PASSING or not node.inputs:
                return node
            reference = node.inputs[0]
        return None

    def argument(self, reference: str) -> int | None:
        """The position of the argument that a value is, behind operations that pass it on."""
        for _ in range(_MOST_STEPS):
            name = node_name(reference)
            node = self.nodes.get(name)
            if node is None:
                return self.function.args.index(name) if name in self.function.args else None
            if node.op not in PASSING or not node.inputs:
                return None
            reference = node.inputs[0]
        return None


def rounds_of(place: Place, condition: str, body: Place | None) -> int:
    """At least how many rounds a loop has: `MOST` for an endless one, 0 if that is not known.

    Args:
        place: where the condition is, evaluated with the values of the first round.
        condition: the reference of the condition.
        body: the body of a loop that is made of functions; None for one of TensorFlow 1.
    """
    pending, found = [condition], list[int]()
    for _ in range(_MOST_STEPS):
        if not pending:
            break
        node = place.source(pending.pop())
        data = [each for each in node.inputs if not each.startswith("^")] if node else []
        if node is not None and node.op == "LogicalAnd":
            pending.extend(data)
        elif node is not None and node.op == "LogicalNot":
            inner = place.source(data[0]) if data else None
            inputs = [each for each in inner.inputs if not each.startswith("^")] if inner else []
            op = _TURNED.get(inner.op, "") if inner else ""
            found.append(_compared(place, op, inputs, body))
        elif node is not None and node.op in {*_COMPARED, "NotEqual"}:
            found.append(_compared(place, node.op, data, body))
        elif node is not None and node.op == "Const" and place.value(node.name).values == (True,):
            continue
        else:
            return 0
    return min(found, default=0) if not pending else 0


def _compared(place: Place, op: str, data: list[str], body: Place | None) -> int:
    """Rounds until a comparison of a counter with a bound fails; 0 for other operations."""
    if op not in {*_COMPARED, "NotEqual"} or len(data) != 2:
        return 0
    sign = _COMPARED.get(op, 0)
    for at, other in ((0, 1), (1, 0)):
        counter = _counter(place, data[at], body)
        bound = place.value(data[other]).number
        if counter is None or bound is None:
            continue
        start, step = counter
        if not sign:  # until they are equal
            reached = step and not (bound - start) % step and (bound - start) // step >= 0
            return min((bound - start) // step, MOST) if reached else MOST
        direction = sign if at == 0 else -sign
        distance = (bound - start) * direction + ("Equal" in op)
        if distance <= 0:
            return 0
        pace = step * direction
        if pace < 0:
            return _WRAPS  # away from the bound, until the number overflows
        return min(-(-distance // pace), MOST) if pace else MOST
    return 0


def _counter(place: Place, reference: str, body: Place | None) -> tuple[int, int] | None:
    """The first value of a counter and what each round adds to it."""
    if body is None:
        return _merged(place, reference)
    index = place.argument(reference)
    results = [*body.function.returns.values()]
    if index is None or index >= len(results):
        return None
    start = place.value(reference).number
    if start is None:
        return None
    if body.argument(results[index]) == index:
        return start, 0
    step = _step(body, results[index], lambda each: body.argument(each) == index)
    return None if step is None else (start, step)


def _merged(place: Place, reference: str) -> tuple[int, int] | None:
    """The same for a loop of TensorFlow 1: `Merge` of the first value and of the next one."""
    merge = place.source(reference)
    if merge is None or merge.op not in {"Merge", "RefMerge"}:
        return None
    starts = [n for each in merge.inputs if (n := place.constant(each, _DEPTH).number) is not None]
    steps = [
        step
        for each in merge.inputs
        if (step := _step(place, each, lambda back: place.source(back) is merge)) is not None
    ]
    return (starts[0], steps[0]) if len(starts) == len(steps) == 1 else None


def _step(place: Place, reference: str, is_counter: Callable[[str], bool]) -> int | None:
    """What is added to a counter; None if the value is not a counter plus a constant."""
    node = place.source(reference)
    data = [each for each in node.inputs if not each.startswith("^")] if node else []
    if node is None or node.op not in {"Add", "AddV2", "Sub"} or len(data) != 2:
        return None
    for at, other in ((0, 1), (1, 0)):
        step = place.constant(data[other], _DEPTH).number
        if is_counter(data[at]) and step is not None and (at == 0 or node.op != "Sub"):
            return -step if node.op == "Sub" else step
    return None
