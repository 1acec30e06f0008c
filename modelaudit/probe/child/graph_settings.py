"""Settings among the sources of a graph, such as a keep probability, and their value at inference.

Decided by how the graph uses the tensor: a keep probability is compared with random numbers, a
training flag chooses a branch, sequence lengths are compared with a step number. Python 3.7 syntax;
TensorFlow 1.15 and later.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import dtype_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .frames import Untyped

FOLLOWED = 2000  # uses of one source that are looked at
NEAR = 6  # operations between random numbers and what they are compared with
_RANDOM = re.compile(r"Random(Uniform|StandardNormal|Normal)|TruncatedNormal")
_COPIES = re.compile(r"^(Identity|Cast|StopGradient|Enter|ExpandDims|Squeeze|StridedSlice|Merge)$")
_ARITHMETIC = re.compile(r"^(Add|AddV2|Sub|Mul|RealDiv|Div|Maximum|Minimum|FloorDiv)$")
_LOOKUPS = ("GatherV2", "Gather", "ResourceGather", "OneHot")
_COMPARISONS = ("Less", "LessEqual", "Greater", "GreaterEqual", "Max", "Min", "ReverseSequence")
_SIZES = ("Pack", "Fill", "ConcatV2", "Tile", "BroadcastTo", "Range", "Reshape")
_CHOICES = {"Switch": 1, "RefSwitch": 1, "If": 0, "StatelessIf": 0, "Select": 0, "SelectV2": 0}
_OF_TRAINING = re.compile(r"^(SquaredDifference|Assign\w*)$")
_NAMED_INFERENCE = re.compile(r"infer|test|eval|predict|serv", re.IGNORECASE)


class Setting:
    """A source at inference: a number, `samples` (their number) or `steps` (all of each sample).

    `plain` numbers are only known by their shape.
    """

    def __init__(
        self, name: str, tensor: Untyped, value: Untyped, why: str, plain: bool = False
    ) -> None:
        self.tensor, self.value, self.plain = tensor, value, plain
        words = {"samples": "the number of samples", "steps": "the number of steps"}
        shown = words[value] if isinstance(value, str) else value
        self.note = f"input {name!r} was set to {shown}: {why}"

    def of(self, batch: list[NDArray[Any]]) -> NDArray[Any]:
        """The array to feed with a batch of the data inputs."""
        dtype = self.tensor.dtype.as_numpy_dtype
        n = len(batch[0]) if batch else 1
        if self.value == "samples":
            return np.asarray(n, dtype)
        if self.value == "steps":
            steps = next((data.shape[1] for data in batch if data.ndim > 1), 1)
            return np.full(n, steps, dtype)
        return np.asarray(self.value, dtype)


def split_sources(
    sources: list[tuple[str, Any]],
) -> tuple[list[tuple[str, Any]], dict[str, Setting]]:
    """Names and tensors of the data inputs, and the settings by name.

    A placeholder whose default is a constant is left at it, unless there is no other data input.
    """
    data, optional, settings = [], [], {}
    for name, tensor in sources:
        found = _setting(name, tensor) if hasattr(tensor, "op") else None
        if found is not None:
            settings[name] = found
        elif not hasattr(tensor, "op"):  # a specification, whose readers are unknown
            data.append((name, tensor))
        elif tensor.op.type == "PlaceholderWithDefault" and tensor.op.inputs[0].op.type == "Const":
            optional.append((name, tensor))
        else:
            data.append((name, tensor))
    if not data and not optional:  # the only input is the data, even if it is one number
        named = dict(sources)
        numbers = [name for name, each in settings.items() if each.plain]
        data = [(name, named[name]) for name in numbers]
        settings = {name: each for name, each in settings.items() if name not in numbers}
    return data or optional, settings


def _setting(name: str, tensor: Untyped) -> Setting | None:
    dtype, rank = dtype_name(tensor.dtype), tensor.shape.rank
    if dtype == "bool" and rank in {0, None}:
        value = _flag_at_inference(tensor)
        if value is not None:
            return Setting(name, tensor, value, "the branch taken at inference")
    elif dtype.startswith("float") and rank in {0, None}:
        strength = _strength_at_inference(tensor)
        if strength is not None:
            return Setting(name, tensor, strength, "dropout or noise then has no effect")
        if rank == 0:
            return Setting(name, tensor, 1.0, "it is one number for all samples", plain=True)
        uses = [(op.type, index) for op, index in _uses(tensor)]
        if rank is None and uses and uses[0] in {("RealDiv", 1), ("Div", 1)}:  # a temperature
            return Setting(name, tensor, 1.0, "it is what other values are divided by", plain=True)
    elif dtype in {"int32", "int64"} and rank in {0, 1, None}:
        types = {op.type for op, _ in _uses(tensor)}
        compared = rank != 0 and bool(types & set(_COMPARISONS))
        # The last step of each sample is looked up by its length.
        if types & set(_LOOKUPS) and not (rank == 1 and compared):
            return None
        if compared:
            return Setting(name, tensor, "steps", "it is compared with step numbers")
        if rank != 1 and types & set(_SIZES):
            return Setting(name, tensor, "samples", "it sets the size of other tensors")
    return None


def _uses(tensor: Untyped) -> Iterator[tuple[Any, int]]:
    """Operations that read the tensor, with the index of the input, also behind arithmetic."""
    seen, queue = {tensor.name}, deque([tensor])
    left = FOLLOWED
    while queue and left > 0:
        at = queue.popleft()
        for op in at.consumers():
            left -= 1
            for i, taken in enumerate(op.inputs):
                if taken is at:
                    yield op, i
            if _COPIES.match(op.type) or _ARITHMETIC.match(op.type):
                made = op.outputs[0]
                if made.name not in seen:
                    seen.add(made.name)
                    queue.append(made)


def _is_random(tensor: Untyped) -> bool:
    """Whether the tensor is random numbers, possibly scaled, shifted or copied."""
    near = [tensor.op]
    for _ in range(NEAR):
        if any(_RANDOM.search(op.type) for op in near):
            return True
        near = [
            taken.op
            for op in near
            if _ARITHMETIC.match(op.type) or _COPIES.match(op.type)
            for taken in op.inputs
        ]
    return False


def _strength_at_inference(tensor: Untyped) -> float | None:
    """The value at which random numbers have no effect; None if it is not combined with any."""
    seen, queue = {tensor.name}, deque([(tensor, False)])  # and whether it is 1 - the tensor
    while queue and len(seen) < FOLLOWED:
        at, complement = queue.popleft()
        for op in at.consumers():
            for i, taken in enumerate(op.inputs):
                if taken is not at:
                    continue
                if len(op.inputs) == 2 and _is_random(op.inputs[1 - i]):
                    value = _harmless(op.type, i)
                    if value is not None:
                        return 1.0 - value if complement else value
                if not (_COPIES.match(op.type) or op.type == "Sub"):
                    continue
                made = op.outputs[0]
                if made.name not in seen:
                    seen.add(made.name)
                    queue.append((made, complement ^ (op.type == "Sub" and i == 1)))
    return None


def _harmless(op_type: str, place: int) -> float | None:
    """The operand at `place` for which random numbers in [0, 1) as the other one change nothing.

    Units are kept where `random < keep`, `random >= rate`, or by `floor(keep + random)`; noise
    is `deviation * random`.
    """
    if op_type in {"Add", "AddV2"}:
        return 1.0
    if op_type == "Mul":
        return 0.0
    if op_type in {"Less", "LessEqual"}:
        return float(place == 1)
    if op_type in {"Greater", "GreaterEqual"}:
        return float(place == 0)
    return None


def _flag_at_inference(tensor: Untyped) -> bool | None:
    """The value that chooses the branch without training; None if the flag chooses no branch.

    If the branches do not differ in that, False, unless the name says that the flag is for
    inference.
    """
    chooses = False
    seen, queue = {tensor.name}, deque([(tensor, False)])  # and whether it is negated
    while queue and len(seen) < FOLLOWED:
        at, negated = queue.popleft()
        for op in at.consumers():
            places = [i for i, taken in enumerate(op.inputs) if taken is at]
            if _CHOICES.get(op.type) in places:
                chooses = True
                on_false, on_true = _branches(op)
                if on_false != on_true:
                    return on_false != negated
            elif op.type in {"Identity", "LogicalNot", "Enter"}:
                made = op.outputs[0]
                if made.name not in seen:
                    seen.add(made.name)
                    queue.append((made, negated ^ (op.type == "LogicalNot")))
    if not chooses:
        return None
    return bool(_NAMED_INFERENCE.search(tensor.op.name)) and "train" not in tensor.op.name.lower()


def _branches(choice: Untyped) -> tuple[bool, bool]:
    """Whether the false and the true branch of a choice draw random numbers or train."""
    if choice.type in {"If", "StatelessIf"}:
        library = {each.signature.name: each for each in _definition(choice.graph).library.function}
        names = (choice.get_attr("else_branch").name, choice.get_attr("then_branch").name)
        first, second = (_function_trains(library, name, set()) for name in names)
        return first, second
    if choice.type in {"Select", "SelectV2"}:
        return _trains([choice.inputs[2]])[0], _trains([choice.inputs[1]])[0]
    trains = [False, False]
    for merge in _merges(choice):
        (first, side), (second, other) = (_trains([taken]) for taken in merge.inputs)
        if side is None:  # a branch that takes nothing from outside
            side = 1 - (other or 0)
        trains[side] |= first
        trains[1 - side] |= second
    return trains[0], trains[1]


def _merges(switch: Untyped) -> list[Any]:
    """The operations that join the branches of a switch."""
    found: list[Any] = []
    seen: set[str] = set()
    stack = [reader for made in switch.outputs for reader in made.consumers()]
    while stack and len(seen) < FOLLOWED:
        op = stack.pop()
        if op.name in seen:
            continue
        seen.add(op.name)
        if op.type in {"Merge", "RefMerge"}:
            if len(op.inputs) == 2:
                found.append(op)
            continue
        stack += [reader for made in op.outputs for reader in made.consumers()]
    return found


def _trains(ends: list[Any]) -> tuple[bool, int | None]:
    """Whether the operations between switches and `ends` train, and which side they are on."""
    trains, side = False, None
    seen: set[str] = set()
    stack = list(ends)
    while stack and len(seen) < FOLLOWED:
        at = stack.pop()
        op = at.op
        if op.type in {"Switch", "RefSwitch"}:
            side = at.value_index
            continue
        if op.name in seen:
            continue
        seen.add(op.name)
        trains |= _of_training(op.type, lambda op=op: op.get_attr("is_training"))
        stack += [*op.inputs, *(made for c in op.control_inputs for made in c.outputs[:1])]
        trains |= any(_OF_TRAINING.match(c.type) for c in op.control_inputs)
    return trains, side


def _of_training(op_type: str, is_training: Untyped) -> bool:
    if op_type.startswith("FusedBatchNorm") and "Grad" not in op_type:
        return bool(is_training())
    return bool(_RANDOM.search(op_type) or _OF_TRAINING.match(op_type))


def _definition(graph: Untyped) -> Untyped:
    return graph.as_graph_def()


def _function_trains(library: dict[str, Any], name: str, seen: set[str]) -> bool:
    """Whether a function of the graph's library, or one that it calls, trains."""
    if name in seen or name not in library:
        return False
    seen.add(name)
    for node in library[name].node_def:
        if _of_training(node.op, lambda node=node: node.attr["is_training"].b):
            return True
        called = [value.func.name for value in node.attr.values() if value.HasField("func")]
        if any(_function_trains(library, each, seen) for each in called):
            return True
    return False
