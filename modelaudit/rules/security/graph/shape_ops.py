"""Shapes of what operations make that slice, insert, drop or exchange axes, or move a window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from modelaudit.facts import Json
from modelaudit.rules.security.graph.extents import (
    MOST,
    UNKNOWN,
    Attributes,
    Extent,
    Inputs,
    lengths,
    nth,
    shaped,
)

_MOST_AXES = 64
_MOST_PARTS = 64
_MOST_VALUES = 1024
_MOST_PRODUCTS = 1 << 17


def expanded(inputs: Inputs) -> Extent:
    """`ExpandDims`: one more axis, of length 1."""
    own, axis = inputs[0], inputs[1].number if len(inputs) > 1 else None
    if own.shape is None or axis is None or not -len(own.shape) - 1 <= axis <= len(own.shape):
        return UNKNOWN
    at = axis if axis >= 0 else len(own.shape) + 1 + axis
    return Extent((*own.shape[:at], 1, *own.shape[at:]), text=own.text, exact=own.exact)


def squeezed(inputs: Inputs, attributes: Attributes) -> Extent:
    """`Squeeze`: without the listed axes, or without all of length 1."""
    own, listed = inputs[0], attributes.get("squeeze_dims")
    if own.shape is None or not (own.exact or listed):
        return Extent(None, text=own.text)
    rank = len(own.shape)
    given = listed if isinstance(listed, list) and rank else []
    axes = {n % rank for n in given if isinstance(n, int)}
    left = [n for at, n in enumerate(own.shape) if n != 1 or (axes and at not in axes)]
    return Extent(tuple(left), text=own.text, exact=own.exact)


def transposed(inputs: Inputs) -> Extent:
    """`Transpose`: the axes in the order of the second input."""
    own, order = inputs[0], inputs[1].numbers if len(inputs) > 1 else []
    if own.shape is None or sorted(order) != [*range(len(own.shape))]:
        return Extent((own.elements,), text=own.text)
    return Extent(tuple(own.shape[at] for at in order), text=own.text, exact=own.exact)


def cut(inputs: Inputs) -> Extent:
    """`Slice`: from the second input on, as many as the third one says."""
    own, begin, size = (*inputs, UNKNOWN, UNKNOWN, UNKNOWN)[:3]
    if own.values is None or len(own.shape or ()) != 1 or begin.number is None:
        return shaped(size.numbers)
    end = None if size.number is None or size.number < 0 else begin.number + size.number
    values = own.values[begin.number : end]
    return Extent((len(values),), values, exact=own.exact and size.number is not None)


def split(op: str, inputs: Inputs, attributes: Attributes) -> tuple[Extent, ...]:
    """The parts that `Split`, `SplitV` and `Unpack` make; () if their sizes are not known."""
    at = {"Split": 1, "SplitV": 0, "Unpack": 0}.get(op, len(inputs))
    own = inputs[at] if at < len(inputs) else UNKNOWN
    axis: Json = attributes.get("axis", 0)
    if op != "Unpack":
        axis = (
            inputs[0 if op == "Split" else 2].number if len(inputs) > 1 + (op != "Split") else None
        )
    if not own.shape or not isinstance(axis, int) or not -len(own.shape) <= axis < len(own.shape):
        return ()
    axis %= len(own.shape)
    length = own.shape[axis]
    count: Json = attributes.get("num_split", length)
    sizes = inputs[1].numbers if op == "SplitV" else []
    if op != "SplitV" and isinstance(count, int) and 0 < count <= min(length, _MOST_PARTS):
        sizes = [length // count] * count
    sizes = [n if n >= 0 else max(length - sum(m for m in sizes if m >= 0), 0) for n in sizes]
    found: list[Extent] = []
    start = 0
    for size in sizes[:_MOST_PARTS]:
        here = slice(start, start + size)
        values = own.values[here] if own.exact and own.values and len(own.shape) == 1 else None
        middle = () if op == "Unpack" else (size,)
        shape = (*own.shape[:axis], *middle, *own.shape[axis + 1 :])
        found.append(Extent(shape, values, exact=own.exact))
        start += size
    return tuple(found)


def either(one: Extent, other: Extent) -> Extent:
    """What is known of a value that is one of two."""
    if one == other:
        return one
    shape = None
    if one.shape is not None and other.shape is not None and len(one.shape) == len(other.shape):
        shape = tuple(map(min, one.shape, other.shape))
    return Extent(shape, text=min(one.text, other.text), inflated=one.inflated or other.inflated)


def first_ones(inputs: Inputs) -> Extent:
    """`TopKV2`: the largest values along the last axis."""
    own, count = inputs[0], inputs[1].number if len(inputs) > 1 else None
    return shaped([*(own.shape or (1,))[:-1], count or 1])


def sliced(inputs: Inputs, attributes: Attributes) -> Extent:
    """`StridedSlice`: the shape, and the elements of a list."""
    own = inputs[0]
    if own.shape is None or len(inputs) < 4:
        return UNKNOWN
    specs = [*_specs(inputs, attributes)]
    taken = sum(kind in {"slice", "shrink"} for kind, _ in specs)
    if taken > len(own.shape) or len(specs) > _MOST_AXES:
        return UNKNOWN
    axes: list[int] = []
    at, exact = 0, own.exact
    for kind, cut in specs:
        if kind == "new":
            axes.append(1)
        elif kind == "rest":
            rest = own.shape[at : at + len(own.shape) - taken]
            axes += rest
            at += len(rest)
        else:
            if kind == "slice":
                exact = exact and cut is not None
                length = len(range(own.shape[at])[cut]) if cut is not None else 1
                axes.append(length if own.exact else max(length, 1))
            at += 1
    axes += own.shape[at:]
    values = own.values
    if values is None or not exact or len(own.shape) != 1 or len(specs) != 1:
        return Extent(tuple(axes), exact=exact)
    cut = specs[0][1]
    return Extent(tuple(axes), values[cut] if cut is not None else None, exact=exact)


def _specs(inputs: Inputs, attributes: Attributes) -> Iterator[tuple[str, slice | None]]:
    """What each part of a slice does with the next axis, and its limits where they are known."""
    begin, end, step = (each.numbers for each in inputs[1:4])
    lengths = [(each.shape or (0,))[0] for each in inputs[1:4]]
    count = min(max(map(len, (begin, end, step)), default=0) or max(lengths), _MOST_AXES + 1)
    for at, first, last, by in zip_longest(range(count), begin, end, step):
        if at is None:
            return
        if _bit(attributes, "ellipsis_mask", at):
            yield "rest", None
        elif _bit(attributes, "new_axis_mask", at):
            yield "new", None
        elif _bit(attributes, "shrink_axis_mask", at):
            yield "shrink", None if first is None else slice(first, first + 1 or None)
        else:
            open_first = _bit(attributes, "begin_mask", at)
            open_last = _bit(attributes, "end_mask", at)
            known = (first is not None or open_first) and (last is not None or open_last) and by
            limits = slice(None if open_first else first, None if open_last else last, by)
            yield "slice", limits if known else None


def _bit(attributes: Attributes, name: str, at: int) -> bool:
    mask: Json = attributes.get(name)
    return isinstance(mask, int) and bool(mask >> at & 1)


def accumulated(op: str, values: Sequence[Json], attributes: Attributes) -> list[Json] | None:
    """`Cumsum` and `Cumprod` of a list."""
    if attributes.get("exclusive") or attributes.get("reverse"):
        return None
    found: list[Json] = []
    total: float = op == "Cumprod"
    for value in values:
        if not isinstance(value, int | float):
            return None
        total = total * value if op == "Cumprod" else total + value
        total = max(-MOST, min(total, MOST))
        found.append(total)
    return found


def turned(attributes: Attributes) -> tuple[bool, bool]:
    """Whether a matrix product transposes its first, and its second factor."""
    keys = ("transpose_a", "adj_x"), ("transpose_b", "adj_y")
    first, second = (any(attributes.get(key) is True for key in each) for each in keys)
    return first, second


def multiplied(inputs: Inputs, attributes: Attributes) -> list[Json] | None:
    """The product of two small matrices of numbers; None of larger ones."""
    given = [_rows(each, turn) for each, turn in zip(inputs, turned(attributes), strict=False)]
    if len(given) != 2 or not all(given) or len(given[0][0]) != len(given[1]):
        return None
    columns = [*zip(*given[1], strict=True)]
    size = len(given[0]) * len(columns)
    if size > _MOST_VALUES or size * len(given[1]) > _MOST_PRODUCTS:
        return None
    sums = [sum(a * b for a, b in zip(row, x, strict=True)) for row in given[0] for x in columns]
    return [max(-MOST, min(each, MOST)) for each in sums]


def _rows(matrix: Extent, turn: bool) -> list[tuple[float, ...]]:
    """The rows of a matrix, or its columns; [] if its numbers are not known."""
    values = [n for n in matrix.values or () if isinstance(n, int | float) and math.isfinite(n)]
    if matrix.shape is None or len(matrix.shape) != 2 or len(values) != matrix.elements:
        return []
    width = max(matrix.shape[1], 1)
    rows = [tuple(values[at : at + width]) for at in range(0, len(values), width)]
    return [*zip(*rows, strict=True)] if turn else rows


def convolved(inputs: Inputs, attributes: Attributes) -> Extent:
    """Maps with the channels of the filter; padded, so only strides make them smaller."""
    maps, filters = nth(inputs, 0).shape, nth(inputs, 1).shape
    if not maps or not filters or len(maps) != len(filters) or len(maps) < 3:
        return UNKNOWN
    first = str(attributes.get("data_format", "")).startswith("NC")
    places = slice(2, None) if first else slice(1, -1)
    steps = lengths([attributes.get("strides")])[places]
    if attributes.get("padding") != "SAME" or len(steps) != len(maps[places]):
        return UNKNOWN
    sizes = [-(-size // max(step, 1)) for size, step in zip(maps[places], steps, strict=True)]
    return shaped([maps[0], *([filters[-1], *sizes] if first else [*sizes, filters[-1]])])


def patches(inputs: Inputs, attributes: Attributes) -> Extent:
    """`ExtractImagePatches`: all values of a window, at each of its places."""
    maps = nth(inputs, 0).shape
    steps = lengths([attributes.get("strides")])
    depth = min(math.prod(lengths([attributes.get("ksizes")])), MOST)
    if not maps or len(maps) != 4 or len(steps) != 4 or attributes.get("padding") != "SAME":
        return shaped([depth])
    rows, columns = (-(-maps[at] // max(steps[at], 1)) for at in (1, 2))
    return shaped([maps[0], rows, columns, min(depth * maps[3], MOST)])


def listed_boxes(inputs: Inputs, attributes: Attributes) -> Extent:
    """`NonMaxSuppression`: as many boxes as are wanted, where it fills up their list."""
    return shaped(nth(inputs, 2).numbers[: attributes.get("pad_to_max_output_size") is True])
