"""Attribute values and constants of graph nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import Json, ProblemKind, Shape
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.tf_dtypes import dtype_name
from modelaudit.formats.graph.wire import WireError, varint
from modelaudit.formats.io.dtypes import decode, stored_dtype
from modelaudit.formats.io.tensor_stats import PIECE_BYTES, StoredArray

MAX_VALUES = 64  # numeric constants with more elements are not converted to JSON
MAX_INDICES = 1 << 20  # of more indices in a row, the largest is not looked for
MAX_TEXT = 4096  # maximum number of bytes of a displayed string

# Fields of a TensorProto for values that are not in `tensor_content`.
_VALUE_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "float16": "half_val",
    "bfloat16": "half_val",
}
# Of these, elements are the numbers that JSON has; `int_val` may be cut to fewer bits.
_PLAIN = {name: field for name, field in _VALUE_FIELDS.items() if field != "half_val"} | {
    "int32": "int_val"
}
_INDICES = {"int32": "<i4", "int64": "<i8"}
_ZERO: Mapping[str, Json] = {
    "float_val": 0.0,
    "double_val": 0.0,
    "bool_val": False,
} | dict.fromkeys(("int64_val", "uint32_val", "uint64_val", "int_val"), 0)


def text(value: bytes) -> str:
    """Bytes as displayable text of at most `MAX_TEXT` bytes."""
    return value[:MAX_TEXT].decode("utf-8", "backslashreplace")


def dims(shape: pb.TensorShapeProto) -> Shape | None:
    """A shape with None for undefined axes; None if the rank is unknown."""
    if shape.unknown_rank:
        return None
    if not (axes := shape.dim):  # as of most constants
        return ()
    sizes = [axis.size for axis in axes]
    return tuple(sizes) if min(sizes) >= 0 else tuple(n if n >= 0 else None for n in sizes)


def serialized_shape(data: bytes) -> tuple[int, ...] | None:
    """The shape that a serialized TensorProto declares, -1 for open axes; None if it is none."""
    try:
        tensor = pb.TensorProto.FromString(data)
    except DecodeError:
        return None
    return tuple(dim.size for dim in tensor.tensor_shape.dim)


def _shape_json(shape: pb.TensorShapeProto) -> Json:
    known = dims(shape)
    return None if known is None else list(known)


def attr_json(value: pb.AttrValue) -> Json:
    """An attribute value as JSON, in the form described in `facts.GraphNode`."""
    kind = value.WhichOneof("value")
    match kind:
        case "s":
            return text(value.s)
        case "type":
            return dtype_name(value.type)
        case "shape":
            return _shape_json(value.shape)
        case "tensor":
            return tensor_json(value.tensor)
        case "func":
            return _function_json(value.func)
        case "list":
            return _list_json(value.list)
        case "i":
            return value.i
        case "f":
            return value.f
        case "b":
            return value.b
        case _:
            return value.placeholder or None


def _function_json(function: pb.NameAttrList) -> Json:
    named: dict[str, Json] = {"function": function.name}
    if not function.attr:  # as of nearly all
        return named
    given = [attr.func.name for _, attr in sorted(function.attr.items()) if attr.HasField("func")]
    return {**named, "functions": [*given]} if given else named


def strings(tensor: pb.TensorProto) -> Sequence[bytes]:
    """Elements of a string tensor, which may be packed in `tensor_content`.

    Packed strings are their sizes as varints, followed by their bytes (`port::DecodeStringList`).
    """
    if tensor.dtype != pb.DT_STRING or not (packed := tensor.tensor_content):
        return tensor.string_val
    count = _count(dims(tensor.tensor_shape))
    if count > len(packed):
        return tensor.string_val
    sizes: list[int] = []
    position = 0
    try:
        for _ in range(count):
            size, position = varint(packed, position)
            sizes.append(size)
    except WireError:
        return tensor.string_val
    if position + sum(sizes) != len(packed):
        return tensor.string_val
    ends = list(accumulate(sizes, initial=position))
    return [packed[start:end] for start, end in pairwise(ends)]


def _list_json(values: pb.AttrValue.ListValue) -> list[Json]:
    """Elements of a list attribute, which are all of the same kind."""
    return [
        *(text(value) for value in values.s),
        *values.i,
        *values.f,
        *values.b,
        *(dtype_name(value) for value in values.type),
        *(_shape_json(value) for value in values.shape),
        *(tensor_json(value) for value in values.tensor),
        *(_function_json(value) for value in values.func),
    ]


def tensor_json(tensor: pb.TensorProto) -> Json:
    """`{"dtype", "shape", "value"?, "largest"?}`; the value is a flat list in C order.

    Of more integers in a row than are listed, such as the indices of words, it has the largest.
    """
    dtype = dtype_name(tensor.dtype)
    shape = dims(tensor.tensor_shape)
    result: dict[str, Json] = {"dtype": dtype, "shape": None if shape is None else list(shape)}
    if dtype == "string":
        result["value"] = [text(value) for value in strings(tensor)]
    elif shape is not None and (count := _count(shape)) <= MAX_VALUES:
        if (plain := _PLAIN.get(dtype)) and not tensor.tensor_content:
            given = [*getattr(tensor, plain)[:count]]
            result["value"] = given + (given[-1:] or [_ZERO[plain]]) * (count - len(given))
            return result
        content, stored = tensor.tensor_content, stored_dtype(dtype)
        whole = stored is not None and content and len(content) == count * stored.itemsize
        try:
            array = decode(content, dtype) if whole else ConstArray(tensor, "").array()
        except ReadError:
            return result
        if array.dtype.kind != "c":
            result["value"] = array.reshape(-1).tolist()
    elif shape is not None and len(shape) == 1 and (kind := _INDICES.get(dtype)):
        content = tensor.tensor_content
        if count <= MAX_INDICES and len(content) == count * np.dtype(kind).itemsize:
            result["largest"] = int(np.frombuffer(content, kind).max())
    return result


def _count(shape: Shape | None) -> int:
    """Number of elements according to a shape; 0 if an axis is undefined, 1 if all are."""
    return math.prod([axis or 0 for axis in shape]) if shape else 1


class ConstArray(StoredArray):
    """A numeric constant in a message.

    A TensorProto may hold fewer values than its shape has elements; the last value is then
    repeated. A few bytes can thus declare any number of elements, so they are generated in pieces.

    Raises:
        ReadError: `unsupported` for non-numeric types.
    """

    def __init__(self, tensor: pb.TensorProto, file: str) -> None:
        dtype = dtype_name(tensor.dtype)
        stored = stored_dtype(dtype)
        if stored is None:
            raise ReadError(ProblemKind.UNSUPPORTED, file, f"a constant of type {dtype}")
        super().__init__(tuple(max(dim.size, 0) for dim in tensor.tensor_shape.dim), dtype, file)
        self._tensor = tensor
        self._stored = stored

    def _values(self) -> bytes:
        """The stored values as little-endian bytes."""
        if content := self._tensor.tensor_content:
            if len(content) != math.prod(self.shape) * self._stored.itemsize:
                reason = "its bytes do not fill its shape"
                raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
            return content
        field = _VALUE_FIELDS.get(self.dtype, "int_val")
        values: NDArray[np.generic] = np.array(getattr(self._tensor, field))
        if field == "half_val":  # the bits of a float16 or bfloat16 as an integer
            return values.astype("<u2").tobytes()
        return values.astype(self._stored).tobytes()

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`."""
        width = self._stored.itemsize
        total = math.prod(self.shape) * width
        values = memoryview(self._values())[:total]
        if len(values) % width:
            raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, "ends inside an element")
        whole = max(max_bytes // width, 1) * width
        for start in range(0, len(values), whole):
            yield values[start : start + whole]
        rest = total - len(values)
        last = bytes(values[-width:]) or bytes(width)
        while rest > 0:
            piece = min(rest, whole)
            yield last * (piece // width)
            rest -= piece
