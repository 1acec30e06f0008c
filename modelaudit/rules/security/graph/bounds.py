"""Between which numbers all elements of a tensor are, and how many of them are true."""

from __future__ import annotations

from itertools import product

from modelaudit.facts import Json
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.constant_folding import fold
from modelaudit.rules.security.graph.extents import (
    MOST,
    Attributes,
    Bounds,
    Extent,
    Inputs,
    nth,
    shaped,
)

MANY = 1 << 16  # elements of tensors whose bounds are followed: lists of fewer places are small
_PASSES = words(
    """Identity Snapshot StopGradient EnsureShape Reshape BroadcastTo Tile ExpandDims Squeeze
    Transpose ReverseV2 Enter Exit"""
)
# Each input makes the result larger, or smaller: what its ends give bounds it.
_MONOTONE = words(
    """Add AddV2 Sub Mul Maximum Minimum Neg Less LessEqual Greater GreaterEqual LogicalNot LogicalAnd
    LogicalOr"""
)
_FIXED = {"OnesLike": (1, 1), "ZerosLike": (0, 0), "RandomUniform": (0, 1)}


def bounds_of(op: str, inputs: Inputs, attributes: Attributes) -> Bounds | None:
    """The least and the largest element of what an operation makes; None if not known."""
    if op in _FIXED:
        return _FIXED[op]
    if op == "Fill":
        return _of(nth(inputs, 1))
    if op == "Cast":  # to integers it cuts off fractions, to other types nothing
        own = _of(nth(inputs, 0))
        ends = [end for each in own or () for end in (each, _cut(each))]
        return (min(ends), max(ends)) if ends else None
    if op in _PASSES:
        return _of(nth(inputs, 0))
    if op == "Range" and len(inputs) == 3:
        limits = sorted(each.number or 0 for each in inputs[:2])
        known = all(each.number is not None for each in inputs)
        return (limits[0], limits[1]) if known else None
    # They take one or two; a graph can list any number, each of which doubles the ends to try.
    given = [_of(each) for each in inputs] if op in _MONOTONE and len(inputs) <= 2 else []
    known_all = [each for each in given if each is not None]
    if not given or len(known_all) < len(given):
        return None
    made = [fold(op, [[end] for end in ends], attributes) for ends in product(*known_all)]
    numbers = [n for each in made for n in each or () if isinstance(n, int | float)]
    return (min(numbers), max(numbers)) if len(numbers) == len(made) else None


def _cut(number: int | float) -> int | float:
    return int(number) if abs(number) < MOST else number


def _of(value: Extent) -> Bounds | None:
    """The bounds of a value, or those of its elements if they are known."""
    if value.bounds is not None:
        return value.bounds
    numbers = _numbers(value)
    return (min(numbers), max(numbers)) if numbers else None


def _numbers(value: Extent) -> list[int | float]:
    """All elements as numbers; [] if they are not known."""
    values: tuple[Json, ...] = value.values or ()
    numbers = [n for n in values if isinstance(n, int | float)]
    return numbers if len(numbers) == len(values) else []


def listed(inputs: Inputs) -> Extent:
    """`Where`: the places of all elements that are not zero, as far as they are known to be none."""
    own = nth(inputs, 0)
    ends = own.bounds
    count = sum(map(bool, _numbers(own)))
    if ends is not None and (ends[0] > 0 or ends[1] < 0):
        count = own.elements
    return shaped([max(count, 1), len(own.shape or (0,))])
