"""Checkpoints of models in another precision: up to 3.9, Keras 3 counts the casts between layers.

A Functional model lists its operations, and a checkpoint has their numbers. `Layer.__call__` up to
Keras 3.9 records the casts of its symbolic inputs as operations; later ones do not, so that a layer
behind a cast has another number. A cast has nothing to save: its number is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.graphs import ObjectNode, reachable
from modelaudit.runtimes.checks.stored.object_names import OPERATIONS
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.version_bounds import CASTS_LEFT_OUT

_LAYERS, _OPTIMIZER = "_layers", "optimizer"
_DOUBLE = "float64"  # behind an input of float32, if an operation follows it
_SCALE = "dynamic_scale"  # of the optimizer of a model in half precision

Nodes = Mapping[int, ObjectNode]


def moved_by_casts(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers that another version numbers otherwise, as it counts no casts before them, or does."""
    nodes = {node.index: node for node in artifact.object_graph}
    without = CASTS_LEFT_OUT.holds(context.profile)
    scaled = any(_SCALE in node.children for node in nodes.values())
    doubled = any(tensor.dtype == _DOUBLE for tensor in weights(artifact))
    if not (scaled or (doubled and without)):
        return
    here = {
        node.children[OPERATIONS]: _renumbered(nodes[node.children[OPERATIONS]], without)
        for node in nodes.values()
        if node.children.get(OPERATIONS) in nodes
    }
    wrong, lost = misplaced(artifact, context, here)
    if not wrong and not lost:
        return
    yield Reason(
        "casts-counted",
        LoadOutcome.FAILS if wrong else LoadOutcome.DIFFERS,
        f"the model computes in {'half precision' if scaled else _DOUBLE}, and Keras up to 3.9 "
        "counts the casts between its layers as operations, later ones do not: the numbers of "
        "layers, as of "
        f"{min(wrong or lost)}, are others in {context.profile.name}",
        "ValueError: Received incompatible tensor with shape … when attempting to restore variable "
        "with shape …"
        if wrong
        else "no error",
        "Save the weights as .weights.h5.",
    )


def misplaced(
    artifact: Artifact, context: CheckContext, here: Mapping[int, Mapping[str, int]]
) -> tuple[list[str], list[str]]:
    """Keys that are read into a variable of another shape, and keys of weights that are not read.

    `here` has the lists of operations whose numbers are others in the runtime.
    """
    nodes = {node.index: node for node in artifact.object_graph}
    unused = set() if _LAYERS in context.behaviour("checkpoint_names", ()) else {_LAYERS}
    if not context.request.trained:
        unused.add(_OPTIMIZER)
    taken = _taken(nodes, here, unused)
    held = {index: key for index in nodes if (key := _key(index, nodes))}
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    others = [(held[one], held[two]) for one, two in taken.items() if one in held and two in held]
    wrong = [two for one, two in others if shapes.get(one) != shapes.get(two)]
    below = reachable([0], lambda each: _below(each, nodes))
    lost = [held[each] for each in below if each in held and taken.get(each) != each]
    return wrong, lost


def _renumbered(operations: ObjectNode, without: bool) -> dict[str, int]:
    """The operations by their numbers in the runtime.

    A file without gaps for a runtime that counts casts: the first is that of the input.
    """
    numbers = {int(name): x for name, x in operations.children.items() if name.isdecimal()}
    gaps = [each for each in range(max(numbers, default=0)) if each not in numbers]
    if without:
        return {str(each - sum(gap < each for gap in gaps)): x for each, x in numbers.items()}
    return {str(each + (not gaps and each > 0)): x for each, x in numbers.items()}


def _taken(nodes: Nodes, here: Mapping[int, Mapping[str, int]], unused: set[str]) -> dict[int, int]:
    """Stored object -> the object that TensorFlow takes for it: the first of its name, by levels.

    Objects of the runtime are named as those of the file that they are.
    """
    taken = {0: 0}
    pending = deque(taken.items())
    while pending:
        stored, own = pending.popleft()
        if stored not in nodes or own not in nodes:
            continue
        parts = here.get(own, nodes[own].children)
        for name, child in nodes[stored].children.items():
            if name not in unused and name in parts and child not in taken:
                taken[child] = parts[name]
                pending.append((child, parts[name]))
    return taken


def _key(index: int, nodes: Nodes) -> str:
    attributes = nodes[index].attributes.values()
    return next((x.get("key", "").partition("/.ATTRIBUTES")[0] for x in attributes), "")


def _below(index: int, nodes: Nodes) -> list[int]:
    """The parts of an object without its optimizer."""
    parts = nodes[index].children.items() if index in nodes else ()
    return [child for name, child in parts if name != _OPTIMIZER]
