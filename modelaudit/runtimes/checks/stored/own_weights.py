"""Weights of the model itself in HDF5 of Keras 2, which Keras 3 compares with each other.

Keras 3 asks whether each is `in` the list of all weights, so that Python compares it with those
before it, element by element: arrays are neither true nor false. By name it does not ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, zip_longest
from math import prod

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Shape
from modelaudit.runtimes.model import CheckContext, Reason

_GROUP = "top_level_model_weights/"
_OF_MODEL = "model_weights/"  # the group of all weights in a file of the whole model


def own_weights(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Several weights of the model itself, of which one has more than one element."""
    shapes = [
        tensor.shape
        for tensor in artifact.tensors
        if tensor.name.removeprefix(_OF_MODEL).startswith(_GROUP)
    ]
    pairs = [pair for pair in combinations(shapes, 2) if any(map(_long, pair))]
    if context.request.by_name or not pairs:
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


def _long(shape: Shape) -> bool:
    return prod(length or 0 for length in shape) != 1


def _comparable(one: Shape, other: Shape) -> bool:
    """Whether arrays of these shapes can be compared: else the comparison is what fails."""
    sides = zip_longest(reversed(one), reversed(other), fillvalue=1)
    return all(a == b or 1 in (a, b) for a, b in sides)
