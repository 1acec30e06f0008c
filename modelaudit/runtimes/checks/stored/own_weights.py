"""Weights of the model itself in HDF5 of Keras 2, which Keras 3 compares with each other.

Keras 3 asks whether each is `in` the list of all weights, so that Python compares it with those
before it, element by element: arrays are neither true nor false. By name it does not ask. And it
counts no `tf.Variable` among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, zip_longest
from math import prod

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Shape
from modelaudit.formats.source_code.classes import SourceCode
from modelaudit.runtimes.checks.own_classes.kept_variables import own_variables
from modelaudit.runtimes.model import CheckContext, Reason

NAMELESS = "Variable"  # the name that TensorFlow gives to one without
_MODEL = "Model"
_GROUP = "top_level_model_weights/"
_OF_MODEL = "model_weights/"  # the group of all weights in a file of the whole model


def own_weights(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Several of them, of which one has more than one element; or one that is a `tf.Variable`."""
    shapes = {
        name.removeprefix(_GROUP): tensor.shape
        for tensor in artifact.tensors
        if (name := tensor.name.removeprefix(_OF_MODEL)).startswith(_GROUP)
    }
    pairs = [pair for pair in combinations(shapes.values(), 2) if any(map(_long, pair))]
    if context.request.by_name:
        return
    if not pairs:
        yield from _not_counted(shapes, context.code)
        return
    alike = all(_comparable(*pair) for pair in pairs)
    yield Reason(
        "own-weights-compared",
        LoadOutcome.FAILS,
        f"the model itself has {len(shapes)} weights beside those of its layers, which "
        f"{context.profile.name} compares with each other as if they were single numbers",
        "ValueError: The truth value of an array with more than one element is ambiguous."
        if alike
        else "",
        "Build the model from code, and assign each of these weights from the file.",
    )


def _not_counted(names: Iterable[str], code: SourceCode) -> Iterator[Reason]:
    """A variable that has the name of TensorFlow, or that the code of the model's class makes."""
    models = [
        each
        for listed in code.classes.values()
        for each in listed
        if code.base(each).rpartition(".")[2] == _MODEL
    ]
    for name in names:
        own = name.partition(":")[0]
        if any(own in each.weights for each in models):
            continue
        kept = next((each for each in models if own_variables(each, code)), None)
        if own == NAMELESS or kept is not None:
            yield Reason(
                "variable-not-counted",
                LoadOutcome.FAILS,
                f"the model itself has the weight `{own}`, which is a `tf.Variable`"
                + (f" of {kept.name} ({kept.where})" if kept else "")
                + ": Keras 3 does not count these",
                "ValueError: Weight count mismatch for top-level weights when loading weights from "
                "file.",
                "Build the model from code, and assign each of these weights from the file.",
                unless="" if kept else "the model makes it by `add_weight`",
            )
            return


def _long(shape: Shape) -> bool:
    return prod(length or 0 for length in shape) != 1


def _comparable(one: Shape, other: Shape) -> bool:
    """Whether arrays of these shapes can be compared: else the comparison is what fails."""
    sides = zip_longest(reversed(one), reversed(other), fillvalue=1)
    return all(a == b or 1 in (a, b) for a, b in sides)
