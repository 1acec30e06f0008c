"""The operations of a function, sorted once by whether anything is known of what they make."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from modelaudit.facts import GraphNode
from modelaudit.formats.graph.dataflow import CALLS, output_index
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.op_extents import MAKING
from modelaudit.rules.security.graph.products import MULTIPLY
from modelaudit.work_budget import spend

WHILE = words("While StatelessWhile")
BRANCHES = words("If StatelessIf Case StatelessCase")
PASSES_ALL = words("IdentityN Merge RefMerge")
SPLITS = words("Split SplitV Unpack Unstage")
_FOLLOWED = 20  # parts of work that following an operation is
_OTHERS = words("Placeholder For LoopCond DecodeCompressed")


def is_dataset(op: str) -> bool:
    """Whether an operation makes a dataset."""
    return op.endswith("Dataset") or "DatasetV" in op


@cache
def inert_operations() -> frozenset[str]:
    """Operations that cost nothing here, and of whose outputs nothing is known."""
    followed = MAKING | MULTIPLY | CALLS | WHILE | BRANCHES | PASSES_ALL | SPLITS | _OTHERS
    return frozenset(
        name
        for name, known in known_operations().items()
        if name not in followed and not known.functions and not is_dataset(name)
    )


def source_of(reference: str) -> tuple[str, int]:
    """The operation that a reference names, and which of its outputs."""
    if ":" not in reference:
        return reference, 0
    return reference.partition(":")[0], output_index(reference)


class SortedOperations(Struct, frozen=True):
    """A function, or the main graph, as every evaluation needs it.

    Attributes:
        nodes: its operations by name.
        followed: names of those that are evaluated.
        inert: names of the others.
    """

    nodes: dict[str, GraphNode]
    followed: tuple[str, ...]
    inert: frozenset[str]
    _taken: dict[str, tuple[tuple[str, int], ...]] = {}

    def taken(self, name: str) -> tuple[tuple[str, int], ...]:
        """What an operation takes, each as the name of another and the number of its output."""
        spend(_FOLLOWED)
        if name not in self._taken:
            inputs = self.nodes[name].inputs
            self._taken[name] = tuple(source_of(each) for each in inputs if each[:1] != "^")
        return self._taken[name]


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
            and all(each[:1] == "^" or source_of(each)[0] in idle for each in node.inputs)
        ):
            idle.add(name)
    followed = tuple(name for name in by_name if name not in idle)
    return SortedOperations(by_name, followed, frozenset(idle))
