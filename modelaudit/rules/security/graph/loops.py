"""How many rounds a loop has, from its condition and what its body adds to a counter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from modelaudit.facts import GraphFunction, GraphNode
from modelaudit.formats.graph.dataflow import output_index, passed_input
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
    "NotEqual": "Equal",
}
_MOST_STEPS = 300
_WRAPS = 1 << 31
_PASSES = 4
_MOST_VARIABLES = 64  # of a loop; counters come first
_DEPTH = 32  # operations through which a constant is followed


class Place:
    """The operations of a function, or of the main graph, and their values."""

    def __init__(
        self,
        nodes: dict[str, GraphNode],
        function: GraphFunction,
        given: Sequence[Extent] = (),
    ) -> None:
        self.nodes = nodes
        self.function = function
        self.given = given
        self._constants: dict[str, Extent] = {}
        self.unchanged: frozenset[int] = frozenset()
        self.steps = 0  # operations that were looked at
        self._steady: Place | None = None

    def value(self, reference: str) -> Extent:
        """The value at a reference, as far as constants alone make it."""
        return self.constant(reference, _DEPTH)

    def steady(self) -> Place:
        """A loop's body, given only what it returns as it was; `unchanged` are the positions."""
        if self._steady is None:
            self._steady = self._without_changes()
        return self._steady

    def _without_changes(self) -> Place:
        results = [*self.function.returns.values()]
        known = [at for at, each in enumerate(self.given[: len(results)]) if each.values]
        tried = frozenset(known[:_MOST_VARIABLES])
        for _ in range(_PASSES):  # what depends on others that change, changes
            kept = [each if at in tried else UNKNOWN for at, each in enumerate(self.given)]
            place = Place(self.nodes, self.function, kept)
            place.unchanged = tried
            tried = frozenset(
                at
                for at in tried
                if place.argument(results[at]) == at
                or place.constant(results[at], _DEPTH).values == kept[at].values
            )
            self.steps += place.steps + len(kept)
            if tried == place.unchanged:
                return place
        return Place(self.nodes, self.function, [UNKNOWN] * len(self.given))

    def constant(self, reference: str, depth: int) -> Extent:
        """The same, through at most so many operations."""
        at = self.argument(reference) if self.given else None
        if at is not None:
            return self.given[at] if at < len(self.given) else UNKNOWN
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
            self.steps += 1
            passed = passed_input(node, output_index(reference)) if node else None
            if node is None or node.op not in PASSING or passed is None:
                return node
            reference = passed
        return None

    def argument(self, reference: str) -> int | None:
        """The position of the argument that a value is, behind operations that pass it on."""
        for _ in range(_MOST_STEPS):
            name = node_name(reference)
            node = self.nodes.get(name)
            self.steps += 1
            if node is None:
                return self.function.args.index(name) if name in self.function.args else None
            passed = passed_input(node, output_index(reference))
            if node.op not in PASSING or passed is None:
                return None
            reference = passed
        return None


def rounds_of(place: Place, condition: str, body: Place | None) -> int:
    """At least how many rounds a loop has: `MOST` for an endless one, 0 if that is not known.

    Args:
        place: where the condition is, with those values that no round changes.
        body: the body of a loop that is made of functions, with the values of the first round;
            None for one of TensorFlow 1.
    """
    return _Rounds(place, body).until(condition, True)


class _Rounds:
    """Counts the rounds until conditions have a value."""

    def __init__(self, place: Place, body: Place | None) -> None:
        self._place = place
        self._body = body
        self._left = _MOST_STEPS

    def until(self, reference: str, holds: bool, depth: int = _DEPTH) -> int:
        """At least how many rounds a condition holds, or (with False) does not."""
        node = self._place.source(reference)
        self._left -= 1
        if node is None or not depth or self._left <= 0:
            return 0
        data = [each for each in node.inputs if not each.startswith("^")]
        if node.op == "LogicalNot" and data:
            return self.until(data[0], not holds, depth - 1)
        if node.op in {"All", "Any"} and data:
            return self.until(data[0], holds, depth - 1)
        if node.op in {"LogicalAnd", "LogicalOr"} and len(data) == 2:
            one, other = (self.until(each, holds, depth - 1) for each in data)
            return min(one, other) if (node.op == "LogicalAnd") is holds else max(one, other)
        if node.op in {*_COMPARED, "NotEqual", "Equal"}:
            op = node.op if holds else _TURNED[node.op]
            return _compared(self._place, op, data, self._body)
        always = node.op == "Const" and self._place.value(node.name).values == (holds,)
        return MOST if always else 0


def _compared(place: Place, op: str, data: list[str], body: Place | None) -> int:
    """Rounds until a comparison of a counter with a bound fails; 0 for other operations."""
    if op == "Equal" or len(data) != 2:
        return 0
    sign = _COMPARED.get(op, 0)
    for at, other in ((0, 1), (1, 0)):
        counter = _counter(place, data[at], body)
        bound = place.value(data[other]).real
        if counter is None or bound is None:
            continue
        start, step = counter.start, counter.step
        if not sign:
            return _until_equal(bound - start, step) if counter.factor == 1 else 0
        direction = sign if at == 0 else -sign
        distance, pace = (bound - start) * direction, step * direction
        if distance < 0 or (distance == 0 and "Equal" not in op):
            return 0
        if counter.factor != 1:
            return _multiplications(start, bound, counter.factor)
        if pace <= 0:  # away from the bound: until a whole number overflows
            return _WRAPS if pace and isinstance(pace, int) else MOST
        if isinstance(distance, int) and isinstance(pace, int):
            rounds = distance // pace + 1 if "Equal" in op else -(-distance // pace)
        else:
            ratio = min(distance / pace, float(MOST))
            rounds = math.floor(ratio) + 1 if "Equal" in op else math.ceil(ratio)
        return min(rounds, MOST)
    return 0


def _multiplications(start: float, bound: float, factor: float) -> int:
    """Rounds until a number that is multiplied in each passes a bound of the same sign."""
    if not start or factor <= 0 or (bound > 0) != (start > 0) or not bound:
        return 0 if start else MOST  # nothing changes a zero
    grows = abs(bound) > abs(start)
    if grows != (factor > 1):
        return 0  # away from the bound: until it overflows or vanishes
    distance = math.log(abs(bound)) - math.log(abs(start))  # their ratio may be no float
    return math.ceil(min(distance / math.log(factor), float(MOST)))


def _until_equal(distance: float, step: float) -> int:
    """Rounds until a counter has a value; 0 for fractions, whose sums are not exact."""
    if not isinstance(distance, int) or not isinstance(step, int):
        return 0
    reached = step and not distance % step and distance // step >= 0
    return min(distance // step, MOST) if reached else (0 if not distance else MOST)


class _Counter(Struct, frozen=True):
    """The first value of a counter, what each round adds to it, and by what it multiplies it."""

    start: float
    step: float
    factor: float = 1


def _counter(place: Place, reference: str, body: Place | None) -> _Counter | None:
    """The counter that a value is; None for other values."""
    if body is None:
        return _merged(place, reference)
    index = place.argument(reference)
    results = [*body.function.returns.values()]
    if index is None or index >= len(results):
        return None
    start = body.given[index].real if index < len(body.given) else None
    steady = body.steady()
    if start is None or index in steady.unchanged:
        return None if start is None else _Counter(start, 0)
    step = _step(steady, results[index], lambda each: steady.argument(each) == index)
    return None if step is None else _Counter(start, *step)


def _merged(place: Place, reference: str) -> _Counter | None:
    """The same for a loop of TensorFlow 1: `Merge` of the first value and of the next one."""
    merge = place.source(reference)
    if merge is None or merge.op not in {"Merge", "RefMerge"}:
        return None
    back = [each for each in merge.inputs if place.source(each) is merge]
    starts = [n for each in merge.inputs if (n := place.constant(each, _DEPTH).real) is not None]
    steps = [
        step
        for each in merge.inputs
        if (step := _step(place, each, lambda back: place.source(back) is merge)) is not None
    ]
    steps += [(0, 1)] * len(back)
    return _Counter(starts[0], *steps[0]) if len(starts) == len(steps) == 1 else None


_STEPS = frozenset(("Add", "AddV2", "Sub", "Mul", "RealDiv"))


def _step(
    place: Place, reference: str, is_counter: Callable[[str], bool]
) -> tuple[float, float] | None:
    """What is added to a counter, and its factor; None if a value is no counter and constant."""
    node = place.source(reference)
    data = [each for each in node.inputs if not each.startswith("^")] if node else []
    if node is None or node.op not in _STEPS or len(data) != 2:
        return None
    for at, other in ((0, 1), (1, 0)):
        number = place.constant(data[other], _DEPTH).real
        if number is None or not is_counter(data[at]) or (at and node.op in {"Sub", "RealDiv"}):
            continue
        if node.op == "Mul":
            return 0, number
        if node.op == "RealDiv":
            return (0, 1 / number) if number else None
        return -number if node.op == "Sub" else number, 1
    return None
