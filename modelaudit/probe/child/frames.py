"""The wire format between the supervisor and the child that runs a model.

A frame is the length of a JSON header (4 bytes, little-endian), the header, then the bytes of
the arrays that the header announces, C order and little-endian. Nothing is ever unpickled, and
every size is bounded before memory is taken for it.

This module is also loaded by foreign interpreters: Python 3.7 syntax, standard library and numpy.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Untyped = Any  # TensorFlow's and Keras's objects, which carry no types
    Arrays = Mapping[str, NDArray[Any]]
    Header = Mapping[str, Any]

HEADER_BYTES = 64 << 20
PAYLOAD_BYTES = 1 << 30
ARRAYS = 10_000
RANK = 32

# What may travel. Narrow floats that numpy lacks (bfloat16, float8) are widened by the sender.
DTYPES = {
    "bool": "|b1",
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "|u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
}


class FrameError(ValueError):
    """The peer sent something that is not a frame, or the frame would be over a bound."""


def encode(header: Header, arrays: Arrays) -> Iterator[bytes | memoryview]:
    """Yield the pieces of one frame.

    Raises:
        FrameError: a dtype cannot travel, or the frame is over a bound.
    """
    if len(arrays) > ARRAYS or sum(array.nbytes for array in arrays.values()) > PAYLOAD_BYTES:
        raise FrameError(f"more than {ARRAYS:,} arrays or {PAYLOAD_BYTES:,} bytes in one frame")
    described = []
    buffers = []
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise FrameError(f"an array of {array.dtype.name} cannot be sent")
        flat = np.ascontiguousarray(array, dtype=DTYPES[array.dtype.name])
        described.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape)})
        buffers.append(flat)
    text = json.dumps(dict(header, arrays=described)).encode()
    if len(text) > HEADER_BYTES:
        raise FrameError(f"more than {HEADER_BYTES:,} bytes of description in one frame")
    yield struct.pack("<I", len(text)) + text
    for buffer in buffers:
        if buffer.nbytes:
            yield memoryview(buffer.reshape(-1).view(np.uint8).data)


def decode(read: Callable[[int], bytearray]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The next frame, taken from `read`, which returns exactly as many bytes as it is asked for.

    Raises:
        FrameError: not a frame, or over a bound.
    """
    (length,) = struct.unpack("<I", read(4))
    if length > HEADER_BYTES:
        raise FrameError(f"a header of {length:,} bytes")
    try:
        header = json.loads(read(length).decode())
    except (ValueError, RecursionError) as error:
        raise FrameError("a header that is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("a header that is not an object")
    described = header.pop("arrays", None)
    if not isinstance(described, list) or len(described) > ARRAYS:
        raise FrameError("no list of arrays, or too long a one")
    specs = [_spec(entry) for entry in described]
    if sum(nbytes for _, _, _, nbytes in specs) > PAYLOAD_BYTES:
        raise FrameError(f"arrays of more than {PAYLOAD_BYTES:,} bytes")
    arrays = {}
    for name, dtype, shape, nbytes in specs:
        if name in arrays:
            raise FrameError(f"two arrays called {name!r}")
        arrays[name] = np.frombuffer(read(nbytes), dtype=dtype).reshape(shape)
    return header, arrays


def _spec(entry: object) -> tuple[str, np.dtype[Any], tuple[int, ...], int]:
    """Name, dtype, shape and byte count of an announced array, each checked."""
    if not isinstance(entry, dict):
        raise FrameError("an array description that is not an object")
    name, dtype, shape = entry.get("name"), entry.get("dtype"), entry.get("shape")
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in DTYPES:
        raise FrameError(f"an array of unknown dtype {str(dtype)[:40]!r}")
    if not isinstance(shape, list) or len(shape) > RANK:
        raise FrameError("an array without a sensible shape")
    nbytes = np.dtype(DTYPES[dtype]).itemsize
    for size in shape:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= PAYLOAD_BYTES:
            raise FrameError("an array with an impossible axis")
        nbytes *= size
    return name, np.dtype(DTYPES[dtype]), tuple(shape), nbytes
