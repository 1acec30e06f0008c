"""Shapes and value limits of a graph's inputs that follow from the operations that read them.

Python 3.7 syntax; TensorFlow 1.15 and later.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .adapters import port

if TYPE_CHECKING:
    from .frames import Untyped

    Shape = list[int | None]

FOLLOWED = 500  # operations that are looked at for one input
_SAME_SHAPE = re.compile(
    r"^(Identity|Cast|StopGradient|Switch|RefSwitch|Merge|Enter|PreventGradient|CheckNumerics"
    r"|Add|AddV2|Sub|Mul|RealDiv|Div|Maximum|Minimum|Pow|Log|Log1p|Exp|Square|Sqrt|Abs|Neg"
    r"|ClipByValue|Relu6?|Tanh|Sigmoid|Pad|MirrorPad)$"
)
_CONVOLUTIONS = {"Conv2D": 4, "DepthwiseConv2dNative": 4, "Conv3D": 5}
_PRODUCTS = {  # with the attribute that transposes the weights
    "MatMul": "transpose_b",
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), "adj_y"),
}
_IMAGES = re.compile(r"^(MaxPool|AvgPool|LRN$|ResizeBi|ResizeNearest|FusedBatchNorm)")
_TABLES = {"GatherV2": 0, "Gather": 0, "ResourceGather": 0}
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def input_port(tf: Untyped, name: str, tensor: Untyped) -> tuple[dict[str, Any], list[str]]:
    """Description of an input with what its readers imply, and notes on that.

    `below` is the number of rows of the table that the input indexes.
    """
    described = port(name, tensor)
    notes: list[str] = []
    if not hasattr(tensor, "op"):  # a specification, whose readers are unknown
        return described, notes
    if described["shape"] is None:
        shape, reader = _implied(tf, tensor, set())
        if shape is not None:
            described["shape"] = shape
            shown = " x ".join("any" if n is None else str(n) for n in shape)
            notes.append(f"the graph gives input {name!r} no shape; {shown} follows from {reader}")
    rows = _table_rows(tensor)
    if rows is not None:
        described["below"] = rows
    return described, notes


def _implied(tf: Untyped, tensor: Untyped, seen: set[str]) -> tuple[Shape | None, str]:
    """The shape that the first reader with a demand needs, and the name of that reader."""
    if tensor.name in seen or len(seen) > FOLLOWED:
        return None, ""
    seen.add(tensor.name)
    further = []
    for op in tensor.consumers():
        place = next(i for i, taken in enumerate(op.inputs) if taken is tensor)
        shape = _needed(tf, op, place)
        if shape is not None:
            return shape, f"{op.type} {op.name!r}"
        if _SAME_SHAPE.match(op.type) or op.type == "ExpandDims":
            further.append(op)
    for op in further:
        for made in op.outputs[:2]:
            shape, reader = _implied(tf, made, seen)
            if shape is not None and op.type == "ExpandDims":
                axis = tf.get_static_value(op.inputs[1])
                if axis is None:
                    continue
                shape = [*shape]
                del shape[int(axis)]
            if shape is not None:
                return shape, reader
    return None, ""


def _needed(tf: Untyped, op: Untyped, place: int) -> Shape | None:
    """The shape of input `place` that an operation needs; None if any will do."""
    if op.type in _CONVOLUTIONS and place == 0:
        kernel, rank = op.inputs[1].shape, _CONVOLUTIONS[op.type]
        channels = kernel.as_list()[-2] if kernel.rank else None
        open_: Shape = [None] * (rank - 2)
        first = op.get_attr("data_format").startswith(b"NC")
        return [None, channels, *open_] if first else [None, *open_, channels]
    if op.type in _PRODUCTS and place == 0 and op.inputs[1].shape.rank == 2:
        rows, columns = op.inputs[1].shape.as_list()
        return [None, columns if op.get_attr(_PRODUCTS[op.type]) else rows]
    if op.type == "Reshape" and place == 0:
        wanted = tf.get_static_value(op.inputs[1])
        sizes = [] if wanted is None else [int(n) for n in wanted]
        if len(sizes) > 1 and sizes[0] == -1 and min(sizes[1:]) > 0:
            count = 1
            for size in sizes[1:]:
                count *= size
            return [None, count]
    if _IMAGES.match(op.type) and place == 0:
        return [None, None, None, None]
    if op.type in _TABLES and place == 1:
        return [None, None]
    return None


def _table_rows(tensor: Untyped) -> int | None:
    """Number of rows of the first table that the tensor indexes, behind casts and in functions."""
    seen, stack = {id(tensor)}, [tensor]
    while stack and len(seen) < FOLLOWED:
        at = stack.pop(0)
        for op in at.consumers():
            if op.type in _TABLES and op.inputs[1] is at:
                rows = _rows(op.inputs[0])
                if rows is not None:
                    return rows
            made = _given(op, at) if op.type in _CALLS else []
            if op.type in {"Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "StridedSlice"}:
                made = op.outputs[:2]
            for each in made:
                if id(each) not in seen:
                    seen.add(id(each))
                    stack.append(each)
    return None


def _given(op: Untyped, tensor: Untyped) -> list[Any]:
    """What a tensor is called inside the function that the operation calls; [] if unknown."""
    graph = getattr(op.graph._get_function(op.get_attr("f").name), "graph", None)
    inside = [] if graph is None else graph.inputs
    return [inside[i] for i, given in enumerate(op.inputs) if given is tensor and i < len(inside)]


def _rows(table: Untyped) -> int | None:
    """First axis of a tensor, or of the variable that a resource handle refers to."""
    if table.dtype.name == "resource":
        for known in getattr(getattr(table, "_handle_data", None), "shape_and_type", ()):
            return int(known.shape.dim[0].size) if known.shape.dim else None
        try:
            sizes = [axis.size for axis in table.op.get_attr("shape").dim]
        except ValueError:  # the handle is passed in
            return None
        return int(sizes[0]) if sizes and sizes[0] > 0 else None
    sizes = table.shape.as_list() if table.shape.rank else []
    return None if not sizes or sizes[0] is None else int(sizes[0])
