"""Arrays of inputs and variables: transformations, and the forms in which values are sent.

Python 3.7 syntax.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from . import frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .frames import Untyped


def as_array(value: Untyped) -> NDArray[Any]:
    """A value as an array; numpy's own dtype of strings would cut null bytes from a scalar."""
    return np.asarray(value, object) if isinstance(value, bytes) else np.asarray(value)


def only_arrays(weights: Untyped) -> list[Any]:
    """The weights that are arrays: Keras 2 lists tables of words among them, without a name."""
    return [weight for weight in weights if hasattr(weight, "name")]


def transformed(array: NDArray[Any], steps: dict[str, Any] | None) -> NDArray[Any]:
    """Apply `perm` (axis order), `flip` (axes), `scale`, `offset` and `each`; contiguous result.

    `scale` and `offset` are lists of one value, or of one for each channel (on axis `channels`);
    `each` standardises each input. Values are computed in float64 and returned in the array's
    dtype; integers are rounded and clipped to their range. Axis 0 is the batch axis.
    """
    if not steps:
        return array
    dtype = array.dtype
    if steps.get("perm") is not None:
        array = np.transpose(array, steps["perm"])
    if steps.get("flip"):
        array = np.flip(array, tuple(steps["flip"]))
    scale, offset = steps.get("scale", [1.0]), steps.get("offset", [0.0])
    if scale != [1.0] or offset != [0.0] or steps.get("each"):
        shape = [1] * array.ndim
        shape[steps.get("channels", -1)] = -1
        array = array.astype(np.float64) * np.reshape(scale, shape) + np.reshape(offset, shape)
        if steps.get("each"):
            axes = tuple(range(1, array.ndim))
            deviation = np.maximum(array.std(axis=axes, keepdims=True), 1e-6)
            array = (array - array.mean(axis=axes, keepdims=True)) / deviation
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            array = np.clip(np.rint(array), bounds.min, bounds.max)
    return np.ascontiguousarray(array, dtype=dtype)


def portable(value: NDArray[Any]) -> NDArray[Any]:
    """Convert floats that numpy does not have to float32."""
    if value.dtype.name in frames.DTYPES:
        return value
    return value.astype(np.float32)


def digest(value: NDArray[Any]) -> str:
    """SHA-256 of little-endian bytes in C order; of strings, each after its length in 8 bytes.

    "" for other objects.
    """
    if value.dtype.kind == "O":
        texts = value.reshape(-1).tolist()
        if not all(isinstance(each, bytes) for each in texts):
            return ""
        return hashlib.sha256(b"".join(struct.pack("<Q", len(t)) + t for t in texts)).hexdigest()
    flat = np.ascontiguousarray(value).reshape(-1)
    if sys.byteorder == "big":
        flat = flat.byteswap()
    return hashlib.sha256(flat.view(np.uint8).data).hexdigest()
