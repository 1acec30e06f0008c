"""Element types in saved models, and decoding of stored bytes to numpy arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind

NUMPY_NAMES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)

# Types without a numpy equivalent -> dtype of the stored bits, one element per item: TensorFlow
# and Keras store a 4-bit integer in a whole byte.
_STORED_AS = {
    "bfloat16": "uint16",
    "float8_e5m2": "uint8",
    "float8_e4m3fn": "uint8",
    "int4": "uint8",
    "uint4": "uint8",
    "int2": "uint8",
    "qint8": "int8",
    "quint8": "uint8",
    "qint16": "int16",
    "quint16": "uint16",
    "qint32": "int32",
}

_STORED: dict[str, np.dtype[np.generic]] = {
    name: np.dtype(_STORED_AS.get(name, name)).newbyteorder("<")
    for name in (*NUMPY_NAMES, *_STORED_AS)
}


def stored_dtype(dtype: str) -> np.dtype[np.generic] | None:
    """Little-endian numpy dtype of stored elements; None for strings and unknown types."""
    return _STORED.get(dtype)


def decode(data: bytes | memoryview, dtype: str) -> NDArray[np.generic]:
    """Decode little-endian bytes to a 1-D array of numbers.

    bfloat16 and 8-bit floats become float32, 4-bit integers int8 or uint8, quantised integers
    plain integers. All other types keep their numpy dtype.

    Raises:
        ReadError: `unsupported` for strings and other non-numeric types.
    """
    stored = _STORED.get(dtype)
    if stored is None:
        raise ReadError(ProblemKind.UNSUPPORTED, "", f"{dtype} tensors have no numeric values")
    values: NDArray[np.generic] = np.frombuffer(data, dtype=stored)
    return _DECODERS[dtype](values) if dtype in _DECODERS else values


def _bfloat16(bits: NDArray[np.generic]) -> NDArray[np.generic]:
    # bfloat16 is the upper half of a float32.
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _float8_e5m2(bits: NDArray[np.generic]) -> NDArray[np.generic]:
    # float8_e5m2 is the upper half of a float16.
    return (bits.astype(np.uint16) << 8).view(np.float16).astype(np.float32)


@cache
def _e4m3fn_table() -> NDArray[np.float32]:
    # Micikevicius et al. (2022): 4 exponent bits with bias 7, 3 mantissa bits, no infinities;
    # NaN if all seven lower bits are set.
    code = np.arange(256)
    exponent, mantissa = (code >> 3) & 15, code & 7
    magnitude = np.where(
        exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0)
    )
    magnitude[(code & 127) == 127] = np.nan
    return np.where(code >> 7, -magnitude, magnitude).astype(np.float32)


def _float8_e4m3fn(bits: NDArray[np.generic]) -> NDArray[np.generic]:
    return _e4m3fn_table()[bits.astype(np.intp)]


def _int4(bits: NDArray[np.generic]) -> NDArray[np.generic]:
    return (bits.astype(np.uint8) << 4).view(np.int8) >> 4


def _int2(bits: NDArray[np.generic]) -> NDArray[np.generic]:
    return (bits.astype(np.uint8) << 6).view(np.int8) >> 6


def _uint4(bits: NDArray[np.generic]) -> NDArray[np.generic]:
    return bits.astype(np.uint8) & 15


_DECODERS: dict[str, Callable[[NDArray[np.generic]], NDArray[np.generic]]] = {
    "bfloat16": _bfloat16,
    "float8_e5m2": _float8_e5m2,
    "float8_e4m3fn": _float8_e4m3fn,
    "int4": _int4,
    "uint4": _uint4,
    "int2": _int2,
}
