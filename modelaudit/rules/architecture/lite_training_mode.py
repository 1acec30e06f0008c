"""What of training is left in the main graph of a TensorFlow Lite model."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from modelaudit.graphs import LiteModel, LiteOperator, LiteSubgraph
from modelaudit.work_budget import spend

# Operations of TensorFlow that draw numbers from an interval, as dropout and augmentation do.
RANDOM = frozenset(
    ("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "StatefulUniform")
)
_COMPARES = frozenset(("GREATER_EQUAL", "GREATER", "LESS", "LESS_EQUAL"))
_SELECTS = frozenset(("SELECT", "SELECT_V2", "FlexSelect", "FlexSelectV2"))
_PASSING = frozenset(("CAST", "QUANTIZE", "DEQUANTIZE", "RESHAPE"))
_SCALES = frozenset(("ADD", "SUB", "MUL", "DIV"))
_MOVES = frozenset(("ImageProjectiveTransformV2", "ImageProjectiveTransformV3"))
_STATISTICS = ("moving_mean", "moving_variance")
_DEEPEST = 8  # operators on random numbers before they are compared
_NEAR = 500  # operators between a random number and how an image is moved


class LiteTrainingMode(Struct, frozen=True):
    """Names of what the outputs depend on: dropouts, random changes; statistics that are updated."""

    dropouts: list[str]
    changes: list[str]
    updated: list[str]


class _OperatorTrace:
    def __init__(self, graph: LiteSubgraph) -> None:
        self.graph = graph
        self.makers = {index: op for op in graph.operators for index in op.outputs}

    def above(self, *starts: int, most: int | None = None) -> Iterator[LiteOperator]:
        """The operators that tensors depend on, each once."""
        pending, seen = [*starts], set[int]()
        while pending and (most is None or len(seen) < most):
            maker = self.makers.get(pending.pop())
            if maker is None or id(maker) in seen:
                continue
            seen.add(id(maker))
            spend(1 + len(maker.inputs))
            yield maker
            pending += maker.inputs

    def maker(self, index: int) -> LiteOperator | None:
        """What computes a tensor, before operators that change its type or shape."""
        for _ in range(_DEEPEST):
            found = self.makers.get(index)
            if found is None or found.name not in _PASSING or not found.inputs:
                return found
            index = found.inputs[0]
        return None

    def constant(self, index: int) -> bool:
        """Whether a tensor is stored, or made of such only."""
        tensor = self.graph.tensor(index)
        if tensor is not None and tensor.constant:
            return True
        made = self.makers.get(index)
        return made is not None and made.name == "FILL"

    def uniform(self, index: int, deeper: int = _DEEPEST) -> bool:
        """Whether a tensor has random numbers, perhaps scaled by constants."""
        found = self.maker(index)
        if found is None:
            return False
        if draws(found):
            return True
        if found.name not in _SCALES or not deeper or len(found.inputs) != 2:
            return False
        (one, other) = found.inputs
        for drawn, given in ((one, other), (other, one)):
            if self.constant(given):
                return self.uniform(drawn, deeper - 1)
        return False

    def mask(self, index: int) -> bool:
        """Whether a tensor tells where random numbers are beyond a constant."""
        found = self.maker(index)
        if found is None or found.name not in _COMPARES or len(found.inputs) != 2:
            return False
        (one, other) = found.inputs
        return any(
            self.constant(given) and self.uniform(drawn)
            for drawn, given in ((one, other), (other, one))
        )

    def dropout(self, operator: LiteOperator) -> bool:
        """Whether it multiplies values by random zeros and ones."""
        given = operator.inputs
        if operator.name == "MUL" and len(given) == 2:
            pairs = (given, given[::-1])
            return any(self.mask(mask) and not self.constant(data) for mask, data in pairs)
        if operator.name in _SELECTS and len(given) == 3:
            return self.mask(given[0]) and self.constant(given[2]) and not self.constant(given[1])
        return False

    def change(self, operator: LiteOperator) -> bool:
        """Whether chance decides how an image is moved or mirrored."""
        given = operator.inputs
        if operator.flex in _MOVES and len(given) > 1:
            return any(map(draws, self.above(given[1], most=_NEAR)))
        if operator.name not in _SELECTS or len(given) != 3:
            return False
        both = [made for each in given[1:] if (made := self.maker(each)) is not None]
        flips = any(made.name == "REVERSE_V2" for made in both)
        return flips and any(map(draws, self.above(given[0], most=_NEAR)))

    def named(
        self, operators: list[LiteOperator], holds: Callable[[LiteOperator], bool]
    ) -> list[str]:
        """The names of the results of operators for which something holds."""
        found = [op for op in operators if op.outputs and holds(op)]
        tensors = [self.graph.tensor(op.outputs[0]) for op in found]
        return list(dict.fromkeys(tensor.name for tensor in tensors if tensor is not None))


def draws(operator: LiteOperator) -> bool:
    """Whether an operator draws uniform random numbers."""
    return operator.name == "RANDOM_UNIFORM" or operator.flex in RANDOM


def lite_training_mode(lite: LiteModel) -> LiteTrainingMode:
    """What of training the main graph computes."""
    if not lite.subgraphs:
        return LiteTrainingMode([], [], [])
    graph = lite.subgraphs[0]
    trace = _OperatorTrace(graph)
    dropouts: list[str] = []
    changes: list[str] = []
    if any(map(draws, graph.operators)):
        before = [*trace.above(*graph.outputs)][::-1]
        dropouts, changes = trace.named(before, trace.dropout), trace.named(before, trace.change)
    handles = {
        op.outputs[0]: str(op.options.get("shared_name", ""))
        for op in graph.operators
        if op.name == "VAR_HANDLE" and op.outputs
    }
    assigned = [
        handles.get(op.inputs[0], "")
        for op in graph.operators
        if op.name == "ASSIGN_VARIABLE" and op.inputs
    ]
    layers = (name.rpartition("/")[0] for name in assigned if any(x in name for x in _STATISTICS))
    return LiteTrainingMode(dropouts, changes, list(dict.fromkeys(layers)))
