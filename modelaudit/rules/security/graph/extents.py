"""Least sizes of tensors and datasets, as far as constants tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from modelaudit.facts import Json

MOST = 1 << 128  # larger than any size; keeps numbers from growing with every step
Shape = tuple[int, ...]
Attributes = Mapping[str, Json]


class Extent(Struct, frozen=True):
    """What is known of a value.

    Attributes:
        shape: least length of each axis (1 if it is not known); None for an unknown rank.
        values: its elements in C order, if they are constants and few.
        text: least number of bytes of its texts together.
        items: of a dataset, least number of elements; None for a tensor.
        exact: whether the shape is known.
        inflated: whether it was decompressed.
        sample: the start of a text that was rewritten.
    """

    shape: Shape | None = None
    values: tuple[Json, ...] | None = None
    text: int = 0
    items: int | None = None
    exact: bool = False
    inflated: bool = False
    sample: str = ""

    @property
    def elements(self) -> int:
        """Least number of elements."""
        return min(math.prod(self.shape), MOST) if self.shape is not None else 1

    @property
    def numbers(self) -> list[int]:
        """Its elements as whole numbers; [] if they are not known or no numbers."""
        values = self.values or ()
        finite = [n for n in values if isinstance(n, int | float) and math.isfinite(n)]
        return [int(n) for n in finite] if len(finite) == len(values) else []

    @property
    def number(self) -> int | None:
        """Its only element."""
        return self.numbers[0] if len(self.numbers) == 1 else None


UNKNOWN = Extent()
Inputs = Sequence[Extent]


def shaped(shape: Sequence[int], exact: bool = False) -> Extent:
    """A tensor of at least this shape; unknown (negative) axes have length 1."""
    return Extent(tuple(min(max(n, 0), MOST) if n >= 0 else 1 for n in shape), exact=exact)


def constant(attributes: Attributes) -> Extent:
    """A `Const`."""
    tensor = attributes.get("value")
    if not isinstance(tensor, dict):
        return UNKNOWN
    shape, values = tensor.get("shape"), tensor.get("value")
    axes = [n for n in shape if isinstance(n, int)] if isinstance(shape, list) else []
    kept = tuple(values) if isinstance(values, list) else None
    text = sum(len(each) for each in kept or () if isinstance(each, str))
    return Extent(tuple(axes), kept, text, exact=True)
