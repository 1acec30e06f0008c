"""Least sizes of tensors and datasets, as far as constants tell them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from modelaudit.facts import Json
from modelaudit.structs import replace

MOST = 1 << 128  # larger than any size; keeps numbers from growing with every step
SAMPLE = 256  # characters of a text by which its growth is told
Shape = tuple[int, ...]
Bounds = tuple[float, float]
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
        width: bytes of an element, without those of texts.
        bounds: the numbers that all elements are between, where `values` does not list them.
    """

    shape: Shape | None = None
    values: tuple[Json, ...] | None = None
    text: int = 0
    items: int | None = None
    exact: bool = False
    inflated: bool = False
    sample: str = ""
    width: int = 4
    bounds: Bounds | None = None

    @property
    def bytes(self) -> int:
        """Least size in memory; 0 for a dataset."""
        return self.elements * self.width + self.text if self.items is None else 0

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
    def real(self) -> float | None:
        """Its only element, also with a fraction."""
        first = (self.values or (None,))[0] if len(self.values or ()) == 1 else None
        return first if isinstance(first, int | float) and math.isfinite(first) else None

    @property
    def number(self) -> int | None:
        """Its only element."""
        return self.numbers[0] if len(self.numbers) == 1 else None


_WIDTHS: Mapping[str, int] = {
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("bool", "int8", "uint8", "qint8", "quint8"), 1),
    "complex128": 16,
    "string": 24,
}
WIDEST = max(_WIDTHS.values())
_TYPES = ("DstT", "dtype", "out_type", "Tout", "T", "Tidx")
_TRUTHS = frozenset(
    [
        *("Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "LogicalNot"),
        *("LogicalAnd", "LogicalOr", "IsNan", "IsInf", "IsFinite"),
    ]
)


def width_of(op: str, attributes: Attributes) -> int:
    """Bytes of an element of an operation's first output; 4 if the type is not known."""
    if op in _TRUTHS:
        return 1
    if op == "Where":  # its type is that of its input
        return 8
    types = (attributes.get(key) for key in _TYPES)
    return next((_WIDTHS.get(each, 4) for each in types if isinstance(each, str)), 4)


def size_of(value: Extent) -> Extent:
    """The value without its elements, which a loop changes."""
    sample = value.sample or next(
        (each for each in value.values or () if isinstance(each, str)), ""
    )
    return replace(value, values=None, bounds=None, sample=sample[:SAMPLE])


UNKNOWN = Extent()
Inputs = Sequence[Extent]


def nth(inputs: Inputs, position: int) -> Extent:
    """An input, unknown where there is none."""
    return inputs[position] if position < len(inputs) else UNKNOWN


def lengths(values: Iterable[Json]) -> list[int]:
    """The numbers in attributes that are numbers, or lists of them."""
    listed = (each if isinstance(each, list) else [each] for each in values)
    return [n for some in listed for n in some if isinstance(n, int)]


def shaped(shape: Sequence[int], exact: bool = False) -> Extent:
    """A tensor of at least this shape; unknown (negative) axes have length 1."""
    return Extent(tuple(min(max(n, 0), MOST) if n >= 0 else 1 for n in shape), exact=exact)


_INTEGERS = frozenset(("int32", "int64", "uint32", "uint64"))
_FRACTIONS = frozenset(("float16", "bfloat16", "float32", "float64"))  # may be cast to sizes
_FEW = 16  # numbers that can be sizes
_LENGTH, _NUMBER = 1 << 10, 1 << 30
SMALL_INPUT = 1 << 20  # bytes


def supposed(attributes: Attributes) -> Extent:
    """A `Placeholder`, for one sample whose sizes or numbers are chosen to cost much.

    A few numbers are 2^30 each. Of other inputs, each axis of unknown length is 1,024 long, or
    less if the input would take more than `SMALL_INPUT`; the first of several is the batch.
    """
    shape = attributes.get("shape")
    axes = [n if isinstance(n, int) else -1 for n in shape] if isinstance(shape, list) else [-1]
    dtype = attributes.get("dtype")  # in a damaged graph, a list
    listed = len(axes) == 1 and axes[0] < 0  # of fractions, so many as one likes
    kinds = _INTEGERS if listed else _INTEGERS | _FRACTIONS
    numbers = isinstance(dtype, str) and dtype in kinds and all(n >= 0 for n in axes[1:])
    if len(axes) > 1 or numbers:
        axes[:1] = [abs(n) for n in axes[:1]]
    known = min(math.prod(n for n in axes if n >= 0), MOST)
    if numbers and known <= _FEW:
        return Extent(tuple(axes), (_NUMBER,) * known, exact=True)
    unknown = sum(n < 0 for n in axes)
    room = max(SMALL_INPUT // max(known * width_of("Placeholder", attributes), 1), 1)
    length = min(_LENGTH, int(room ** (1 / max(unknown, 1))))
    return shaped([length if n < 0 else n for n in axes], exact=True)


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
