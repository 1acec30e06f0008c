"""Least sizes of what operations make that move a window over maps, or choose boxes in them."""

from __future__ import annotations

import math

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
