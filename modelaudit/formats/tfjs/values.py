"""Values of weights that are stored one behind the other in several files."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from msgspec import Struct

from modelaudit.formats.io.dtypes import stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import PIECE_BYTES, StoredArray
from modelaudit.graphs import INTEGERS, Quantization


class AffineNumbers(Struct, frozen=True):
    """Numbers of a type that stand for scale · number + minimum."""

    dtype: str
    scale: float = 1.0
    minimum: float = 0.0


class Shards:
    """Files that are read as one.

    Attributes:
        files: in order.
        size: bytes of all of them.
    """

    def __init__(self, files: Sequence[FileWindow]) -> None:
        self.files = files
        self._starts = [0, *accumulate(each.size for each in files)]
        self.size = self._starts[-1]

    def at(self, offset: int) -> int:
        """Index of the file with a byte; that of the last if there is no such byte."""
        return min(bisect_right(self._starts, offset), len(self.files)) - 1

    def pieces(self, offset: int, nbytes: int, max_bytes: int) -> Iterator[bytes]:
        """Yield bytes `offset` to `offset + nbytes`, at most `max_bytes` at a time.

        Raises:
            ReadError: `tensor-unreadable` if the files end before.
        """
        index = self.at(offset)
        while nbytes:
            file = self.files[index]
            start = offset - self._starts[index]
            # The last file says that it is too short.
            last = index == len(self.files) - 1
            taken = nbytes if last else min(nbytes, file.size - start)
            yield from file.pieces(start, taken, max_bytes)
            offset, nbytes, index = offset + taken, nbytes - taken, index + 1


class ShardedArray(StoredArray):
    """A weight; `raw` and `array` give what stored numbers stand for, as TensorFlow.js does.

    Args:
        shards: the files that it lies in, of which it may cross several.
        offset: of its first byte.
        shape: stored shape.
        dtype: its type in the model.
        stored: how its numbers are stored; None if as that type.
    """

    def __init__(
        self,
        shards: Shards,
        offset: int,
        shape: tuple[int, ...],
        dtype: str,
        stored: AffineNumbers | None,
    ) -> None:
        super().__init__(shape, dtype, shards.files[shards.at(offset)].file)
        self.shards, self.offset, self.stored = shards, offset, stored

    @property
    def held(self) -> str:
        """The type that its numbers are stored as."""
        return self.stored.dtype if self.stored else self.dtype

    @property
    def quantization(self) -> Quantization | None:
        """The step of integers that stand for other numbers; None without steps."""
        affine = self.stored is not None and self.stored.dtype in INTEGERS
        return Quantization((self.stored.scale,)) if affine and self.stored else None

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`."""
        held = stored_dtype(self.held)
        assert held is not None
        rest = b""
        nbytes = math.prod(self.shape) * held.itemsize
        for piece in self.shards.pieces(self.offset, nbytes, max_bytes):
            data = rest + piece
            whole = len(data) - len(data) % held.itemsize  # a number may lie in two files
            rest = data[whole:]
            if whole:
                yield self._meant(data[:whole], held)

    def _meant(self, data: bytes, held: np.dtype[np.generic]) -> bytes:
        target = stored_dtype(self.dtype)
        if self.stored is None or target is None:
            return data
        values = np.frombuffer(data, held).astype(np.float64)
        with np.errstate(all="ignore"):
            values = values * self.stored.scale + self.stored.minimum
            # Like Math.round: halves upwards.
            values = np.floor(values + 0.5) if target.kind in "iu" else values
            return values.astype(target).tobytes()
