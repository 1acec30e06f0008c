"""The operations of a function, sorted once by whether anything is known of what they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from msgspec import Struct

from modelaudit.facts import GraphNode
from modelaudit.formats.graph.dataflow import CALLS, output_index
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.extents import WIDEST, Extent
from modelaudit.rules.security.graph.op_extents import MAKING, made
from modelaudit.rules.security.graph.products import MULTIPLY
from modelaudit.work_budget import spend

WHILE = words("While StatelessWhile")
BRANCHES = words("If StatelessIf Case StatelessCase")
PASSES_ALL = words("IdentityN Merge RefMerge")
SPLITS = words("Split SplitV Unpack Unstage")
_SORTED = 200  # operations that are sorted in the time of one part of work
_OTHERS = words("Placeholder For LoopCond DecodeCompressed")
NOT_PLAIN = CALLS | WHILE | BRANCHES | PASSES_ALL | SPLITS | _OTHERS


def is_dataset(op: str) -> bool:
    """Whether an operation makes a dataset."""
    return op.endswith("Dataset") or "DatasetV" in op


@cache
def inert_operations() -> frozenset[str]:
    """Operations that cost nothing here, and of whose outputs nothing is known."""
    followed = MAKING | MULTIPLY | NOT_PLAIN
    return frozenset(
        name
        for name, known in known_operations().items()
        if name not in followed and not known.functions and not is_dataset(name)
    )


def source_of(reference: str) -> tuple[str, int]:
    """The operation that a reference names, and which of its outputs."""
    name, colon, output = reference.partition(":")
    return name, 0 if not colon or output.endswith(":0") else output_index(reference)


# An operation, and what it takes: each as the name of another and the number of its output.
Step = tuple[GraphNode, tuple[tuple[str, int], ...]]


class SortedOperations(Struct, frozen=True):
    """A function, or the main graph, as every evaluation needs it.

    Attributes:
        nodes: its operations by name.
        followed: names of those that are evaluated.
        inert: names of the others.
        fixed: of those that are evaluated, the constants that are small, which need no inputs.
    """

    nodes: dict[str, GraphNode]
    followed: tuple[str, ...]
    inert: frozenset[str]
    fixed: dict[str, tuple[Extent]] = {}
    _steps: list[Step] = []

    def steps(self, args: Iterable[str], most: int) -> list[Step]:
        """The operations that are evaluated, each behind those that it depends on.

        In a circle, one comes before what it depends on.

        Args:
            args: those of the function.
            most: bytes from which on a constant is no small one.
        """
        if not self._steps and not self.fixed:
            self._steps.extend(self._sorted({*args}, most))
        return self._steps

    def _sorted(self, done: set[str], most: int) -> Iterator[Step]:
        others: list[str] = []
        for name in self.followed:
            node = self.nodes[name]
            if node.op == "Const" and not node.inputs and name not in done:
                value = made("Const", (), node.attrs)
                if value.elements * WIDEST + value.text < most:
                    self.fixed[name] = (value,)
                    continue
            others.append(name)
        started = {*self.inert, *self.fixed}
        done |= self.fixed.keys()
        for count, name in enumerate(others):
            if count % _SORTED == 0:
                spend()
            pending = [name]
            while pending:
                current = pending[-1]
                if current in done:
                    pending.pop()
                    continue
                node = self.nodes[current]
                taken = tuple([source_of(each) for each in node.inputs if each[:1] != "^"])
                if current not in started:
                    started.add(current)
                    waiting = [
                        each for each, _ in taken if each not in started and each in self.nodes
                    ]
                    if waiting:
                        pending.extend(waiting)
                        continue
                pending.pop()
                done.add(current)
                yield node, taken


def body_of(
    nodes: Iterable[GraphNode], inert: frozenset[str], following: frozenset[str]
) -> SortedOperations:
    """The operations of a function, of which these kinds are inert.

    Those of the kinds in `following` are so behind inert ones alone.
    """
    by_name = {node.name: node for node in nodes}
    idle: set[str] = set()
    for name, node in by_name.items():
        if node.op in inert or (
            node.op in following
            and all(each[:1] == "^" or each.partition(":")[0] in idle for each in node.inputs)
        ):
            idle.add(name)
    followed = tuple(name for name in by_name if name not in idle)
    return SortedOperations(by_name, followed, frozenset(idle))
