"""Least sizes of what an operation makes, from those of its inputs and its constants."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from modelaudit.facts import Json
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.bounds import MANY, bounds_of, listed
from modelaudit.rules.security.graph.constant_folding import fold
from modelaudit.rules.security.graph.extents import (
    MOST,
    UNKNOWN,
    Attributes,
    Extent,
    Inputs,
    constant,
    lengths,
    nth,
    shaped,
)
from modelaudit.rules.security.graph.op_tables import (
    ATTRIBUTES,
    BROADCAST,
    COUNTED,
    FOLDED,
    MATRIX,
    RESIZES,
    ROWS,
    SAME,
    SEGMENTS,
    SHAPED,
)
from modelaudit.rules.security.graph.shape_ops import (
    accumulated,
    convolved,
    cut,
    expanded,
    first_ones,
    listed_boxes,
    multiplied,
    patches,
    sliced,
    squeezed,
    transposed,
    turned,
)
from modelaudit.rules.security.graph.text_growth import formatted, regex_replaced
from modelaudit.structs import replace

_CUMULATIVE = words("Cumsum Cumprod")
_JOINS = words("Pack Concat ConcatV2")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def _broadcast(inputs: Inputs) -> Extent:
    shapes = [each.shape for each in inputs]
    if None in shapes or not shapes:
        return max(inputs, key=lambda each: each.elements, default=UNKNOWN)
    turned = [reversed(shape) for shape in shapes if shape is not None]
    axes = [max(lengths) for lengths in zip_longest(*turned, fillvalue=1)]
    return shaped(axes[::-1], all(each.exact for each in inputs))


def _joined(inputs: Inputs, axis: int | None) -> Extent:
    """Tensors one after the other; the axis is the first where it is not known."""
    known = [each for each in inputs if each.shape]
    text = min(sum(each.text for each in inputs), MOST)
    if len(known) < len(inputs) or not known:
        total = min(sum(each.elements for each in inputs), MOST)
        return Extent((total,), text=text)
    shapes = [each.shape or () for each in known]
    axes = list(shapes[0])
    at = axis if axis is not None and -len(axes) <= axis < len(axes) else 0
    axes[at] = sum(shape[at] if len(shape) == len(axes) else 1 for shape in shapes)
    return Extent(shaped(axes).shape, text=text)


def _range(inputs: Inputs) -> Extent:
    start, stop, step = (each.number for each in inputs[:3]) if len(inputs) > 2 else (None,) * 3
    if start is None or stop is None or not step:
        return UNKNOWN
    return shaped([max(0, -(-(stop - start) // step))], exact=True)


def _matrix(inputs: Inputs, attributes: Attributes) -> Extent:
    a, b = (nth(inputs, at).shape for at in (0, 1))
    if not a or not b or len(a) < 2 or len(b) < 2:
        return UNKNOWN
    first, second = turned(attributes)
    batch = _broadcast([Extent(a[:-2]), Extent(b[:-2])]).shape or ()
    axes = (*batch, a[-1 if first else -2], b[-2 if second else -1])
    return shaped(axes, all(each.exact for each in inputs))


def _parsed(inputs: Inputs) -> Extent:
    """The tensor that `ParseTensor` makes of a serialized message: few bytes declare any shape."""
    # Imports protobuf, which a scan of models without graphs does not need.
    from modelaudit.formats.graph.attr_values import serialized_shape

    (value, *_) = inputs[0].values or ("",)
    text = value if isinstance(value, str) else ""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    try:
        shape = serialized_shape(plain.encode("latin-1"))
    except UnicodeEncodeError:
        return UNKNOWN
    return UNKNOWN if shape is None else shaped(shape)


def _sparse_matrix(inputs: Inputs) -> Extent:
    """As many rows as the sparse matrix, and columns as the dense one."""
    return shaped([*nth(inputs, 2).numbers[:1], *(nth(inputs, 3).shape or ())[1:]])


def _cropped(inputs: Inputs) -> Extent:
    boxes, size = (nth(inputs, 1).shape or (1,))[0], nth(inputs, 3).numbers
    return shaped([boxes, *size, (nth(inputs, 0).shape or (1,))[-1]])


def _resized(inputs: Inputs) -> Extent:
    images = nth(inputs, 0).shape or (1, 1, 1, 1)
    return shaped([images[0], *nth(inputs, 1).numbers, images[-1]])


def _stitched(inputs: Inputs) -> Extent:
    largest = max((n for each in inputs for n in each.numbers[:64]), default=0)
    return shaped([largest + 1])


def _tiled(inputs: Inputs) -> Extent:
    times = nth(inputs, 1).numbers
    own = nth(inputs, 0)
    count = min(own.elements * math.prod(max(n, 0) for n in times), MOST)
    text = min(own.text * max(count // max(own.elements, 1), 1), MOST)
    same = own.shape is not None and len(own.shape) == len(times)
    axes = [a * b for a, b in zip(own.shape or (), times, strict=True)] if same else [count]
    return Extent(shaped(axes).shape, text=text)


def _padded(inputs: Inputs, position: int = 1) -> Extent:
    amounts = nth(inputs, position).numbers
    pairs = [a + b for a, b in zip(amounts[::2], amounts[1::2], strict=False)]
    own = nth(inputs, 0).shape
    axes = own if own is not None and len(own) == len(pairs) else (1,) * len(pairs)
    return shaped([a + b for a, b in zip(axes, pairs, strict=True)])


def _diagonal(inputs: Inputs) -> Extent:
    own = nth(inputs, 0).shape or (1,)
    sizes = [each.number or 0 for each in inputs[2:4]]
    beside = max((abs(n) for n in nth(inputs, 1).numbers), default=0)
    rows, columns = (max(n, own[-1] + beside) for n in (*sizes, 0, 0)[:2])
    return shaped([*own[:-1], rows, columns])


def _gathered(inputs: Inputs) -> Extent:
    rows = nth(inputs, 0).shape or (1,)
    return shaped([*(nth(inputs, 1).shape or (1,)), *rows[1:]])


def _one_hot(inputs: Inputs) -> Extent:
    return shaped([*(nth(inputs, 0).shape or (1,)), *nth(inputs, 1).numbers])


def _ragged(inputs: Inputs) -> Extent:
    """As many values as there are between all starts and limits, of which one may serve for all."""
    given = [nth(inputs, at).numbers or [0] for at in range(3)]
    rows = max(map(len, given))
    starts, ends, steps = (each * rows if len(each) == 1 else each for each in given)
    return shaped(
        [sum(max(0, (b - a) // (c or 1)) for a, b, c in zip(starts, ends, steps, strict=False))]
    )


def _reduced(_: Inputs) -> Extent:
    return Extent(())


_MADE: Mapping[str, Callable[[Inputs], Extent]] = {
    "Range": _range,
    "ExpandDims": expanded,
    "Transpose": transposed,
    "TopKV2": first_ones,
    "ParseTensor": _parsed,
    "CropAndResize": _cropped,
    "DynamicStitch": _stitched,
    "ParallelDynamicStitch": _stitched,
    "Tile": _tiled,
    "OneHot": _one_hot,
    "Multinomial": _one_hot,
    "StatelessMultinomial": _one_hot,
    "RaggedRange": _ragged,
    "Slice": cut,
    "Where": listed,
    "SobolSample": lambda inputs: shaped([*nth(inputs, 1).numbers, *nth(inputs, 0).numbers]),
    "CombinedNonMaxSuppression": lambda inputs: shaped([*nth(inputs, 3).numbers, 4]),
    "SparseTensorDenseMatMul": _sparse_matrix,
    **dict.fromkeys(
        ("SpaceToBatchND", "SpaceToBatch"), lambda inputs: _padded(inputs, len(inputs) - 1)
    ),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _padded),
    **dict.fromkeys(("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3", "Diag"), _diagonal),
    **dict.fromkeys(("Gather", "GatherV2", "ResourceGather"), _gathered),
    **dict.fromkeys(RESIZES, _resized),
    **dict.fromkeys(("Prod", "Sum", "Max", "Min", "Mean", "All", "Any"), _reduced),
    **dict.fromkeys(SEGMENTS, lambda inputs: shaped([max(nth(inputs, 1).numbers, default=0) + 1])),
    "LinSpace": lambda inputs: shaped(nth(inputs, 2).numbers[:1]),
    "DenseBincount": lambda inputs: shaped(nth(inputs, 1).numbers[:1]),
}


def _einsum(inputs: Inputs, attributes: Attributes) -> Extent:
    """The axes that an equation such as `ij,jk->ik` leaves."""
    equation = attributes.get("equation")
    taken, _, left = equation.partition("->") if isinstance(equation, str) else ("", "", "")
    lengths: dict[str, int] = {}
    for labels, each in zip(taken.split(","), inputs, strict=False):
        lengths |= dict(zip(labels.strip(), each.shape or (), strict=False))
    return shaped([lengths.get(label, 1) for label in left.strip() if label.isalpha()])


_WITH_ATTRIBUTES: Mapping[str, Callable[[Inputs, Attributes], Extent]] = {
    "Einsum": _einsum,
    **dict.fromkeys(MATRIX, _matrix),
    "StridedSlice": sliced,
    "Squeeze": squeezed,
    "ExtractImagePatches": patches,
    **dict.fromkeys(("Conv2D", "Conv3D", "Conv"), convolved),
    **dict.fromkeys(("NonMaxSuppressionV4", "NonMaxSuppressionV5"), listed_boxes),
    "StaticRegexReplace": regex_replaced,
    "StringFormat": formatted,
}


def _of_shape(op: str, inputs: Inputs) -> Extent:
    """A tensor whose shape is the value of an input."""
    sizes = nth(inputs, SHAPED[op])
    if op == "Reshape" and sizes.values is None:
        return Extent(None, text=inputs[0].text)
    text = nth(inputs, 1).text if op == "Fill" else 0
    wanted = [n if n >= 0 else 1 for n in sizes.numbers]
    count = math.prod(wanted)
    if op == "Reshape" and count < inputs[0].elements:
        wanted = [inputs[0].elements]  # an axis of -1
    return Extent(shaped(wanted).shape, text=min(text * count, MOST), exact=op == "Reshape")


def _concatenated(op: str, inputs: Inputs) -> Extent:
    axis: int | None = 0
    parts = [Extent((1, *(e.shape or ())), e.values, e.text, exact=e.exact) for e in inputs]
    if op != "Pack":
        axis = nth(inputs, len(inputs) - 1 if op == "ConcatV2" else 0).number
        parts = list(inputs[:-1] if op == "ConcatV2" else inputs[1:])
    whole = _joined(parts, axis)
    return Extent(whole.shape, text=whole.text, exact=all(each.exact for each in parts))


def made(op: str, inputs: Inputs, attributes: Attributes) -> Extent:
    """The first output of an operation; unknown for one that is not among those above."""
    if op in FOLLOWING and all(each is UNKNOWN for each in inputs):
        return UNKNOWN
    found = _made(op, inputs, attributes)
    if found.shape and found.elements >= MANY:
        found = replace(found, bounds=bounds_of(op, inputs, attributes))
    if not inputs or op not in FOLDED or not all(each.exact for each in inputs):
        return found
    if op in _CUMULATIVE:
        lists = len(inputs[0].shape or ()) == 1 and inputs[0].values is not None
        values = accumulated(op, inputs[0].values or (), attributes) if lists else None
    elif op in MATRIX:
        values = multiplied(inputs, attributes)
    else:
        known = [None if e.values is None else list(e.values) for e in inputs]
        values = fold(op, known, attributes)
    if values is None:
        return found
    return Extent(
        found.shape, tuple(values), max(found.text, _texts(values)), exact=found.shape is not None
    )


def _texts(values: Sequence[Json]) -> int:
    return sum(len(each) for each in values if isinstance(each, str))


def _same(op: str, inputs: Inputs, attributes: Attributes) -> Extent:
    own = inputs[0]
    width = attributes.get("width") if op == "AsString" else 0
    text = max(own.text, own.elements * (width if isinstance(width, int) else 0))
    text = min(text, MOST)
    return Extent(own.shape, None, text, own.items, exact=own.exact, sample=own.sample)


def _rows(op: str, inputs: Inputs, _: Attributes) -> Extent:
    return shaped([*nth(inputs, ROWS[op]).numbers, *(inputs[0].shape or ())[1:]])


def _lengths(_: str, inputs: Inputs, __: Attributes) -> Extent:
    """The lengths of the axes, as `Shape` returns them."""
    own = inputs[0]
    if not own.exact or own.shape is None:
        return UNKNOWN
    return Extent((len(own.shape),), own.shape, exact=True)


def _counted(_: str, inputs: Inputs, __: Attributes) -> Extent:
    return Extent(inputs[0].shape, exact=inputs[0].exact)


def _joined_text(_: str, inputs: Inputs, __: Attributes) -> Extent:
    return Extent(_broadcast(inputs).shape, text=min(sum(e.text for e in inputs), MOST))


def _of_inputs(make: Callable[[Inputs], Extent]) -> _Maker:
    return lambda _, inputs, __: make(inputs)


def _of_attributes(make: Callable[[Inputs, Attributes], Extent]) -> _Maker:
    return lambda _, inputs, attributes: make(inputs, attributes)


_Maker = Callable[[str, Inputs, Attributes], Extent]
_MAKERS: Mapping[str, _Maker] = {
    **dict.fromkeys(SAME, _same),
    **dict.fromkeys(BROADCAST, _of_inputs(_broadcast)),
    "StringJoin": _joined_text,
    **dict.fromkeys(_JOINS, lambda op, inputs, _: _concatenated(op, inputs)),
    "Shape": _lengths,
    **dict.fromkeys(ROWS, _rows),
    **dict.fromkeys(COUNTED, _counted),
    **{op: _of_attributes(make) for op, make in _WITH_ATTRIBUTES.items()},
    **{op: _of_inputs(make) for op, make in _MADE.items()},
    **dict.fromkeys(SHAPED, lambda op, inputs, _: _of_shape(op, inputs)),
}
# Operations about whose first output something is known.
MAKING = frozenset(_MAKERS) | ATTRIBUTES.keys() | FOLDED | {"Const"}
# They know nothing where nothing is known of their inputs.
FOLLOWING = (SAME - {"AsString"}) | BROADCAST | COUNTED


def _made(op: str, inputs: Inputs, attributes: Attributes) -> Extent:
    if op == "Const" or op in ATTRIBUTES:
        sizes = lengths(attributes.get(name) for name in ATTRIBUTES.get(op, ()))
        return shaped(sizes) if sizes else constant(attributes)
    make = _MAKERS.get(op) if inputs else None
    return make(op, inputs, attributes) if make else UNKNOWN
