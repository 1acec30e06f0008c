"""Values of constants in a TensorFlow Lite model, as stored and as what they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelaudit.formats.io.dtypes import stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import PIECE_BYTES, FileArray
from modelaudit.graphs import Quantization

# Bits of the types that several elements of share a byte, the first in its lowest bits.
PACKED = {"int4": 4, "uint4": 4, "int2": 2}


def stored_bytes(shape: tuple[int, ...], dtype: str) -> int | None:
    """Size of a constant in its buffer; None for types whose size the shape does not say."""
    size = math.prod(shape)
    if dtype in PACKED:
        return -(-size * PACKED[dtype] // 8)
    stored = stored_dtype(dtype)
    return size * stored.itemsize if stored else None


class LiteArray(FileArray):
    """A constant; quantised values are what they stand for, as float32.

    `raw` gives the stored numbers, a whole byte for each number of 4 bits.
    """

    def __init__(
        self,
        window: FileWindow,
        offset: int,
        shape: tuple[int, ...],
        dtype: str,
        quantization: Quantization | None,
    ) -> None:
        super().__init__(window, offset, shape, dtype)
        self.quantization = quantization
        self.erased = 0  # stored numbers that a scale of 0 makes 0, of those decoded so far

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`."""
        bits = PACKED.get(self.dtype)
        if bits is None:
            yield from super().raw(max_bytes)
            return
        left = math.prod(self.shape)
        per_byte = 8 // bits
        nbytes = -(-left // per_byte)
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        for piece in self.window.pieces(self.offset, nbytes, max(max_bytes // per_byte, 1)):
            packed = np.frombuffer(piece, np.uint8)
            values = (packed[:, None] >> shifts & ((1 << bits) - 1)).reshape(-1)[:left]
            left -= values.size
            yield values.astype(np.uint8).tobytes()

    def decoded(self, piece: bytes | memoryview, start: int) -> NDArray[np.generic]:
        """See `StoredArray.decoded`."""
        values = super().decoded(piece, start)
        if self.quantization is None:
            return values
        scale = np.asarray(self.quantization.scale, np.float64)
        zero = np.asarray(self.quantization.zero_point or (0,), np.float64)
        if scale.size > 1:
            inner = math.prod(self.shape[self.quantization.axis + 1 :])
            channel = (start + np.arange(values.size)) // max(inner, 1) % scale.size
            scale, zero = scale[channel], zero[channel] if zero.size > 1 else zero
        self.erased += int(np.count_nonzero((scale == 0) & (values != zero)))
        with np.errstate(all="ignore"):
            real: NDArray[np.generic] = ((values.astype(np.float64) - zero) * scale).astype(
                np.float32
            )
        return real
