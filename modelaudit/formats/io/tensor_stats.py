"""Lazy tensors over stored bytes, and the one pass that gives statistics and digest."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Problem, ProblemKind, Tensor, TensorStats
from modelaudit.formats.io.dtypes import decode, stored_dtype
from modelaudit.formats.io.file_window import Window
from modelaudit.settings import Limits

# Large enough that the cost of a system call vanishes, small enough for the second-level cache.
PIECE_BYTES = 1 << 19

# Elements that are summed at once: their float64 copy stays in the first-level cache, and BLAS
# does not wake its threads for so few (which costs more than it gains).
_BLOCK = 8192

# Above this magnitude a float64 square (or a sum of many values) may overflow.
_SCALE_ABOVE = 1e140


class StoredArray(ABC):
    """A `facts.TensorSource` over bytes that stay where they are until asked for.

    Attributes:
        shape: stored shape; () for a scalar.
        dtype: name as in `Tensor.dtype`.
        file: name for messages.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, file: str) -> None:
        self.shape = shape
        self.dtype = dtype
        self.file = file

    @abstractmethod
    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """Little-endian bytes in C order, in pieces of whole elements and about `max_bytes`.

        Raises:
            ReadError: the bytes are not there or do not decode.
        """

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[np.generic]]:
        """See `facts.TensorSource.chunks`; read-only arrays."""
        stored = stored_dtype(self.dtype)
        # 4 covers the widest growth on decoding, 8-bit floats to float32.
        budget = max_bytes if stored is None or stored.itemsize > 2 else max_bytes // 4
        for piece in self.raw(max(budget, stored.itemsize if stored else 1)):
            yield decode(piece, self.dtype)

    def array(self) -> NDArray[np.generic]:
        """See `facts.TensorSource.array`."""
        pieces = list(self.chunks())
        if not pieces:
            return decode(b"", self.dtype).reshape(self.shape)
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).reshape(self.shape)


class FileArray(StoredArray):
    """Elements that lie in one piece in a file.

    Args:
        window: the file, or the part of an archive, that holds them.
        offset: of the first element within the window.
        shape: stored shape.
        dtype: name as in `Tensor.dtype`.
        big_endian: whether the stored elements have their most significant byte first.
        itemsize: bytes an element; needed for types without a `stored_dtype` only.
    """

    def __init__(
        self,
        window: Window,
        offset: int,
        shape: tuple[int, ...],
        dtype: str,
        *,
        big_endian: bool = False,
        itemsize: int = 1,
    ) -> None:
        super().__init__(shape, dtype, window.file)
        self.window = window
        self.offset = offset
        self.big_endian = big_endian
        self.itemsize = itemsize

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`."""
        stored = stored_dtype(self.dtype)
        itemsize = stored.itemsize if stored else self.itemsize
        nbytes = math.prod(self.shape) * itemsize
        whole = max(max_bytes // itemsize, 1) * itemsize
        for piece in self.window.pieces(self.offset, nbytes, whole):
            yield swapped(piece, stored) if self.big_endian and stored else piece


def swapped(data: bytes, stored: np.dtype[np.generic]) -> bytes:
    """Big-endian elements as little-endian ones; each half of a complex number by itself."""
    width = stored.itemsize // 2 if stored.kind == "c" else stored.itemsize
    little: NDArray[np.generic] = np.frombuffer(data, dtype=f">u{width}").astype(f"<u{width}")
    return little.tobytes()


def summarise(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    file: str,
    role: str,
    source: StoredArray,
    limits: Limits,
) -> Tensor:
    """Read a tensor once, piece by piece, for its statistics and its digest.

    Strings and other types without numbers get a digest of their bytes and no statistics.
    Means and deviations of the pieces are merged as by Chan, Golub and LeVeque (1979), all in
    float64, so that nothing cancels.

    Raises:
        ReadError: the bytes are not there or do not decode.
        LimitExceeded: more than `limits.tensor_bytes`.
    """
    stored = stored_dtype(dtype)
    promised = math.prod(shape) * stored.itemsize if stored else None
    if promised is not None and promised > limits.tensor_bytes:
        raise LimitExceeded(file, "tensor bytes", promised, limits.tensor_bytes, "tensor_bytes")
    digest = hashlib.sha256()
    moments = _Moments() if stored is not None and stored.kind != "c" else None
    nbytes = 0
    with np.errstate(all="ignore"):  # signalling NaNs in a file are counted, not warned about
        for piece in source.raw():
            nbytes += len(piece)
            if nbytes > limits.tensor_bytes:
                raise LimitExceeded(
                    file, "tensor bytes", nbytes, limits.tensor_bytes, "tensor_bytes"
                )
            digest.update(piece)
            if moments is not None:
                moments.add(decode(piece, dtype))
    if promised is not None and nbytes != promised:
        reason = f"{name} has {nbytes} bytes, its shape and type need {promised}"
        raise ReadError(ProblemKind.TENSOR_UNREADABLE, file, reason)
    stats = moments.stats() if moments is not None else None
    return Tensor(name, shape, dtype, nbytes, file, role, digest.hexdigest(), stats, source)


def summarise_or_problem(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    file: str,
    role: str,
    source: StoredArray,
    limits: Limits,
) -> tuple[Tensor, Problem | None]:
    """`summarise`, where failing is a `Problem` beside a tensor that has no digest.

    An unreadable tensor keeps its shape and dtype as declared, and has no source.
    """
    try:
        return summarise(name, shape, dtype, file, role, source, limits), None
    except ReadError as error:
        stored = stored_dtype(dtype)
        nbytes = math.prod(shape) * stored.itemsize if stored else 0
        problem = Problem(ProblemKind(error.kind), file, error.reason, name)
        return Tensor(name, shape, dtype, nbytes, file, role), problem


class _Moments:
    """Running minimum, maximum, mean and deviation of the finite values.

    `spread` is the root of the summed squared deviations, so that large values do not overflow.
    """

    __slots__ = ("count", "maximum", "mean", "minimum", "nonfinite", "spread", "zeros")

    def __init__(self) -> None:
        self.count = self.zeros = self.nonfinite = 0
        self.minimum, self.maximum = math.inf, -math.inf
        self.mean = self.spread = 0.0

    def add(self, values: NDArray[np.generic]) -> None:
        """Take in one piece (1-D, numeric)."""
        for start in range(0, values.size, _BLOCK):
            self._add_block(values[start : start + _BLOCK])

    def _add_block(self, values: NDArray[np.generic]) -> None:
        size = values.size
        self.zeros += size - int(np.count_nonzero(values))
        wide = values.astype(np.float64)
        # numpy compares half precision by software: there the copy is the faster one to ask.
        ranged = wide if values.dtype == np.float16 else values
        # Minimum and maximum let every NaN and infinity through: a free test for finiteness.
        minimum, maximum = float(np.minimum.reduce(ranged)), float(np.maximum.reduce(ranged))
        if not (math.isfinite(minimum) and math.isfinite(maximum)):
            wide = wide[np.isfinite(wide)]
            self.nonfinite += size - wide.size
            size = wide.size
            if not size:
                return
            minimum, maximum = float(wide.min()), float(wide.max())
        self.minimum, self.maximum = min(self.minimum, minimum), max(self.maximum, maximum)
        scale = max(abs(minimum), abs(maximum))
        if scale < _SCALE_ABOVE:
            scale = 1.0
        else:
            wide /= scale
        mean = float(np.add.reduce(wide)) / size
        wide -= mean
        self._merge(size, mean * scale, math.sqrt(np.dot(wide, wide)) * scale)

    def _merge(self, count: int, mean: float, spread: float) -> None:
        total = self.count + count
        shift = mean - self.mean
        between = shift * math.sqrt(self.count / total * count)
        self.spread = math.hypot(self.spread, spread, between)
        self.mean += shift * (count / total)
        self.count = total

    def stats(self) -> TensorStats | None:
        """The statistics; None where there was no element.

        Where no element is finite, minimum, maximum, mean and std are NaN.
        """
        if not self.count + self.nonfinite:
            return None
        if not self.count:
            return TensorStats(math.nan, math.nan, math.nan, math.nan, 0, self.nonfinite)
        # Rounding must not push the mean of a constant tensor out of its range.
        mean = min(max(self.mean, self.minimum), self.maximum)
        std = 0.0 if self.minimum == self.maximum else self.spread / math.sqrt(self.count)
        return TensorStats(self.minimum, self.maximum, mean, std, self.zeros, self.nonfinite)
