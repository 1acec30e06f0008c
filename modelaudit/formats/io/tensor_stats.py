"""Lazy tensors over stored bytes, and statistics and digest of a tensor in a single pass."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Problem, ProblemKind, Tensor, TensorStats, is_row
from modelaudit.formats.io.dtypes import decode, stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import problem_of
from modelaudit.settings import Limits
from modelaudit.thresholds.weights import FADED
from modelaudit.work_budget import spend

# Large enough to amortise the system call, small enough for the L2 cache.
PIECE_BYTES = 1 << 19

# Elements per sum: the float64 copy stays in the L1 cache, and BLAS stays single-threaded (starting
# threads costs more than it gains here).
_BLOCK = 8192
_COUNTED = 20  # parts of the work of an audit that a block counts for

# Outside this range of magnitudes a float64 square (or a sum of many) may overflow or underflow.
_SCALE_BELOW, _SCALE_ABOVE = 1e-140, 1e140


class StoredArray(ABC):
    """A `facts.TensorSource` that reads stored bytes on demand.

    Attributes:
        shape: stored shape; () for a scalar.
        dtype: name as in `Tensor.dtype`.
        file: file name for messages.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, file: str) -> None:
        self.shape = shape
        self.dtype = dtype
        self.file = file

    @abstractmethod
    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """Yield little-endian bytes in C order: whole elements, about `max_bytes` at a time.

        Raises:
            ReadError: the bytes are missing or cannot be decoded.
        """

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[np.generic]]:
        """See `facts.TensorSource.chunks`. The arrays are read-only."""
        stored = stored_dtype(self.dtype)
        # Decoding grows data by a factor of at most 4: 8-bit floats become float32.
        budget = max_bytes if stored is None or stored.itemsize > 2 else max_bytes // 4
        start = 0
        for piece in self.raw(max(budget, stored.itemsize if stored else 1)):
            values = self.decoded(piece, start)
            start += values.size
            yield values

    def decoded(self, piece: bytes | memoryview, start: int) -> NDArray[np.generic]:
        """Numbers of a piece of `raw`, whose first element has index `start` in C order."""
        return decode(piece, self.dtype)

    def array(self) -> NDArray[np.generic]:
        """See `facts.TensorSource.array`."""
        pieces = list(self.chunks())
        if not pieces:
            return decode(b"", self.dtype).reshape(self.shape)
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).reshape(self.shape)


class FileArray(StoredArray):
    """A tensor stored contiguously in a file.

    Args:
        window: the file, or the archive member, that holds the elements.
        offset: offset of the first element in the window, in bytes.
        shape: stored shape.
        dtype: name as in `Tensor.dtype`.
        big_endian: whether the stored elements are big-endian.
        itemsize: bytes per element; used only for types without a `stored_dtype`.
    """

    def __init__(
        self,
        window: FileWindow,
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
    """Convert big-endian elements to little-endian; parts of complex numbers are swapped alone."""
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

    Strings and other non-numeric types get a digest of their bytes and no statistics. Means and
    standard deviations of the pieces are merged in float64 by the update of Chan, Golub and
    LeVeque (1979), which avoids cancellation.

    Raises:
        ReadError: the bytes are missing or cannot be decoded.
        LimitExceeded: more than `limits.tensor_bytes` bytes.
    """
    stored = stored_dtype(dtype)
    promised = math.prod(shape) * stored.itemsize if stored else None
    if promised is not None and promised > limits.tensor_bytes:
        raise LimitExceeded(file, "tensor bytes", promised, limits.tensor_bytes, "tensor_bytes")
    digest = hashlib.sha256()
    numeric = stored is not None and stored.kind != "c"
    moments = _RunningStats(vector=is_row(shape)) if numeric else None
    nbytes = elements = 0
    with np.errstate(all="ignore"):  # signalling NaNs are counted, not reported as warnings
        for piece in source.raw():
            nbytes += len(piece)
            if nbytes > limits.tensor_bytes:
                raise LimitExceeded(
                    file, "tensor bytes", nbytes, limits.tensor_bytes, "tensor_bytes"
                )
            digest.update(piece)
            if moments is not None:
                values = source.decoded(piece, elements)
                elements += values.size
                moments.add(values)
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
    """Like `summarise`, but return a `Problem` instead of raising.

    A tensor that cannot be read keeps its declared shape and dtype; it has no digest, no
    statistics and no source.
    """
    try:
        return summarise(name, shape, dtype, file, role, source, limits), None
    except ReadError as error:
        stored = stored_dtype(dtype)
        nbytes = math.prod(shape) * stored.itemsize if stored else 0
        problem = problem_of(error, file, name)
        return Tensor(name, shape, dtype, nbytes, file, role), problem


class _RunningStats:
    """Running minimum, maximum, mean and standard deviation of the finite values.

    `spread` is the square root of the sum of squared deviations, which does not overflow.
    """

    __slots__ = (
        *(
            "broken",
            "count",
            "faded",
            "infinite",
            "largest",
            "maximum",
            "mean",
            "minimum",
            "nonfinite",
        ),
        *("runs", "spread", "vector", "zeros"),
    )

    def __init__(self, *, vector: bool) -> None:
        self.vector = vector  # of larger tensors, counting would cost too much
        self.count = self.zeros = self.nonfinite = self.infinite = self.faded = 0
        self.runs, self.broken = _ZeroRuns(), _ZeroRuns()  # the second of values not finite
        self.minimum, self.maximum = math.inf, -math.inf
        self.mean = self.spread = 0.0
        self.largest = [0.0, 0.0]  # the two largest magnitudes, in ascending order

    def add(self, values: NDArray[np.generic]) -> None:
        """Add one piece (1-D, numeric)."""
        for start in range(0, values.size, _BLOCK):
            spend(_COUNTED)
            self._add_block(values[start : start + _BLOCK])

    def _add_block(self, values: NDArray[np.generic]) -> None:
        size = values.size
        # Most weights have no zeros. Counting bools is several times as fast as counting numbers.
        whole = np.logical_and.reduce(values)
        zeros = 0 if whole else int(np.count_nonzero(np.equal(values, 0)))
        self.zeros += zeros
        self.runs.add(values, zeros)
        wide = values.astype(np.float64)
        if self.vector:
            self.faded += int(np.count_nonzero(np.abs(wide) <= FADED.value))
        # numpy compares float16 values in software, so the float64 copy is faster.
        ranged = wide if values.dtype == np.float16 else values
        # Minimum and maximum propagate NaN and infinity: a free test for finiteness.
        minimum, maximum = float(np.minimum.reduce(ranged)), float(np.maximum.reduce(ranged))
        if math.isfinite(minimum) and math.isfinite(maximum):
            self.broken.add(values, 0)
        else:
            finite = np.isfinite(wide)
            self.infinite += int(np.count_nonzero(np.isinf(wide)))
            wide = wide[finite]
            self.broken.add(finite, size - wide.size)
            self.nonfinite += size - wide.size
            size = wide.size
            if not size:
                return
            minimum, maximum = float(wide.min()), float(wide.max())
        self.minimum, self.maximum = min(self.minimum, minimum), max(self.maximum, maximum)
        scale = max(abs(minimum), abs(maximum))
        if scale > self.largest[0]:
            top = np.partition(np.abs(wide), -2)[-2:] if size > 1 else [scale]
            self.largest = sorted([*self.largest, *map(float, top)])[-2:]
        if not scale or _SCALE_BELOW < scale < _SCALE_ABOVE:
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
        """The statistics; None for an empty tensor.

        Minimum, maximum, mean and std are NaN if no element is finite.
        """
        if not self.count + self.nonfinite:
            return None
        if not self.count:
            nan = math.nan
            return TensorStats(nan, nan, nan, nan, 0, self.nonfinite, infinite=self.infinite)
        # Rounding must not move the mean of a constant tensor out of its range.
        mean = min(max(self.mean, self.minimum), self.maximum)
        std = 0.0 if self.minimum == self.maximum else self.spread / math.sqrt(self.count)
        return TensorStats(
            self.minimum,
            self.maximum,
            mean,
            std,
            self.zeros,
            self.nonfinite,
            self.runs.longest,
            self.runs.start,
            self.largest[0],
            self.broken.longest,
            self.broken.start,
            self.faded,
            self.infinite,
        )


class _ZeroRuns:
    """The longest run of zeros in consecutive pieces. `open` zeros end the pieces seen so far."""

    __slots__ = ("longest", "open", "seen", "start")

    def __init__(self) -> None:
        self.longest = self.start = self.open = self.seen = 0

    def add(self, values: NDArray[np.generic], zeros: int) -> None:
        """Add one piece with this number of zeros."""
        size = values.size
        if not zeros:
            self.open = 0
        else:
            # Positions before the piece, of values other than zero, and behind it: gaps are runs.
            edges = np.concatenate(([-1 - self.open], np.flatnonzero(values), [size]))
            gaps = np.diff(edges) - 1
            best = int(np.argmax(gaps))
            if gaps[best] > self.longest:
                self.longest = int(gaps[best])
                self.start = self.seen + int(edges[best]) + 1
            self.open = int(gaps[-1])
        self.seen += size
