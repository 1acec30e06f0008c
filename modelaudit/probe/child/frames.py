"""The wire format between the supervisor and the child that runs a model.

A frame is the length of a JSON header (4 bytes, little-endian), the header, and the bytes of the
arrays that the header describes, in C order and little-endian. Nothing is unpickled, and every
size is checked before memory is allocated.

Other interpreters load this module too: Python 3.7 syntax, standard library and numpy.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Untyped = Any  # objects of TensorFlow and Keras, which are not typed
    Arrays = Mapping[str, NDArray[Any]]
    Header = Mapping[str, Any]

HEADER_BYTES = 64 << 20
PAYLOAD_BYTES = 1 << 30
ARRAYS = 10_000
RANK = 32

# Supported dtypes. The sender converts floats that numpy does not have (bfloat16, float8).
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
    """The data are not a frame, or the frame exceeds a limit."""


def encode(header: Header, arrays: Arrays) -> Iterator[bytes | memoryview]:
    """Yield the pieces of one frame.

    Raises:
        FrameError: unsupported dtype, or the frame exceeds a limit.
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
        raise FrameError(f"more than {HEADER_BYTES:,} bytes of headers in one frame")
    yield struct.pack("<I", len(text)) + text
    for buffer in buffers:
        if buffer.nbytes:
            yield memoryview(buffer.reshape(-1).view(np.uint8).data)


def decode(read: Callable[[int], bytearray]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the next frame. `read(n)` must return exactly n bytes.

    Raises:
        FrameError: the data are not a frame, or the frame exceeds a limit.
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
        raise FrameError("no list of arrays, or it is too long")
    specs = [_spec(entry) for entry in described]
    if sum(nbytes for _, _, _, nbytes in specs) > PAYLOAD_BYTES:
        raise FrameError(f"arrays of more than {PAYLOAD_BYTES:,} bytes")
    arrays = {}
    for name, dtype, shape, nbytes in specs:
        if name in arrays:
            raise FrameError(f"two arrays named {name!r}")
        arrays[name] = np.frombuffer(read(nbytes), dtype=dtype).reshape(shape)
    return header, arrays


def _spec(entry: object) -> tuple[str, np.dtype[Any], tuple[int, ...], int]:
    """Validated name, dtype, shape and size in bytes of a described array."""
    if not isinstance(entry, dict):
        raise FrameError("an array description that is not an object")
    name, dtype, shape = entry.get("name"), entry.get("dtype"), entry.get("shape")
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in DTYPES:
        raise FrameError(f"an array of unknown dtype {str(dtype)[:40]!r}")
    if not isinstance(shape, list) or len(shape) > RANK:
        raise FrameError("an array without a valid shape")
    nbytes = np.dtype(DTYPES[dtype]).itemsize
    for size in shape:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= PAYLOAD_BYTES:
            raise FrameError("an array with an invalid axis")
        nbytes *= size
    return name, np.dtype(DTYPES[dtype]), tuple(shape), nbytes
