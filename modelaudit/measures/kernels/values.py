"""A stored kernel as a matrix of spatial slices, loaded with bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Kernel, Tensor, TensorSource
from modelaudit.structs import replace
from modelaudit.thresholds.training import FEW_UNITS, UNITS_ALIKE

MAX_WEIGHTS = 1 << 23  # larger kernels are measured on a sample of their slices
# Of kernels without spatial axes only the distribution of a sample is tested, on 65,536 weights.
_ALONE = 1 << 20
_SEED = 20240229


class KernelValues(Struct, frozen=True):
    """Weights of a kernel.

    Attributes:
        matrix: (n, slices), one column per spatial slice; n is the product of `sizes` (1 without
            spatial axes). float32 or float64.
        shape: stored shape.
        sizes: spatial part of `shape`.
        slices: number of slices of the kernel.
        sampled: whether `matrix` is a sample of the slices.
        minimum, maximum: over all weights.
    """

    matrix: NDArray[np.floating]
    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    slices: int
    sampled: bool
    minimum: float
    maximum: float

    @property
    def weights(self) -> int:
        """Number of weights in the kernel."""
        return int(self.slices * self.matrix.shape[0])

    @property
    def unit_similarity(self) -> float:
        """Mean cosine between the weights of two units (last axis): exactly 1 if all are equal.

        0 for a sample, for a constant kernel, where the first two units differ clearly, and for
        kernels so small that units can be alike by chance.
        """
        if self.sampled or self.shape[-1] < 2 or self.minimum == self.maximum:
            return 0.0
        units = self.matrix.reshape(-1, self.shape[-1])
        inputs, count = units.shape
        # The first row differs in nearly all kernels.
        if (units[0] == units[0, 0]).all() and (units == units[:, :1]).all():
            return 1.0
        few = min(inputs, count) < FEW_UNITS.value
        if few or _cosine(units) < UNITS_ALIKE.value / 2:
            return 0.0
        lengths = np.sqrt(np.einsum("ij,ij->j", units, units))
        if not lengths.all():
            return 0.0
        total = float(np.square((units / lengths).sum(axis=1)).sum())
        return min((total - count) / (count * (count - 1)), 1 - 1e-9)

    def filters(self) -> NDArray[np.floating]:
        """The kernel as (n, first, last), with its two non-spatial axes in stored order.

        Raises:
            ValueError: only a sample was loaded.
        """
        if self.sampled:
            raise ValueError("the kernel was sampled, its filters are incomplete")
        return self.matrix.reshape(self.matrix.shape[0], -1, self.shape[-1])


def load_kernel(kernel: Kernel, tensor: Tensor, max_weights: int = MAX_WEIGHTS) -> KernelValues:
    """Read a kernel's weights, or a stratified sample of its slices above `max_weights`.

    The sample has one random slice from each of equally long ranges of slices. The seed is fixed,
    so that results are reproducible.

    Raises:
        ReadError: no values, not real numbers, not finite, or inconsistent shapes.
        LimitExceeded: a kernel with spatial axes in another order than usual is too large.
    """
    tensor = in_usual_order(kernel, tensor, max_weights)
    sizes = _spatial_sizes(kernel, tensor)
    n = int(np.prod(sizes, dtype=np.int64)) if sizes else 1
    if tensor.source is None:
        raise ReadError("tensor-unreadable", tensor.file, "the tensor's values cannot be read")
    if tensor.size == 0 or tensor.size % n:
        raise ReadError("config-invalid", tensor.file, f"shape {tensor.shape} is not a kernel")
    slices = tensor.size // n
    if tensor.size > max_weights:
        kept = max_weights // n if n > 1 else min(max_weights, _ALONE)
        matrix, low, high = _sample(tensor.source, tensor, n, slices, max(1, kept))
        return _checked(
            KernelValues(matrix, tensor.shape, sizes, slices, True, low, high), tensor.file
        )
    array = _real(tensor.source.array(), tensor.file)
    if array.size != tensor.size:
        raise ReadError("size-mismatch", tensor.file, "fewer values than the shape declares")
    matrix = array.reshape(n, slices)
    low, high = float(matrix.min()), float(matrix.max())
    return _checked(
        KernelValues(matrix, tensor.shape, sizes, slices, False, low, high), tensor.file
    )


class _Reordered(Struct, frozen=True):
    """The values of a kernel in the order of its axes."""

    source: TensorSource
    kernel: Kernel

    def array(self) -> NDArray[np.generic]:
        """See `facts.TensorSource.array`."""
        stored = self.source.array().transpose(self.kernel.order)
        return np.ascontiguousarray(stored).reshape(self.kernel.shape)

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[np.generic]]:
        """As stored, which makes no difference to a sample of single weights."""
        return self.source.chunks(max_bytes)


def in_usual_order(kernel: Kernel, tensor: Tensor, max_weights: int) -> Tensor:
    """The tensor of a kernel with the kernel's shape and order of axes."""
    if not kernel.order or tensor.source is None:
        return tensor
    stored = len(kernel.order) == len(tensor.shape) and math.prod(kernel.shape) == tensor.size
    if not stored:
        raise ReadError("config-invalid", tensor.file, f"shape {tensor.shape} is not a kernel")
    if tensor.size > max_weights and (kernel.spatial or kernel.grid is not None):
        raise LimitExceeded(tensor.file, "weights of a kernel", tensor.size, max_weights)
    return replace(tensor, shape=kernel.shape, source=_Reordered(tensor.source, kernel))


def _cosine(units: NDArray[np.floating]) -> float:
    """The cosine between the first two columns; 0 if one is zero."""
    largest = np.abs(units[:, :2]).max(axis=0)  # whose squares float32 may not hold
    if not (np.isfinite(largest).all() and largest.all()):
        return 0.0
    one, other = (units[:, :2] / largest).T
    return float(one @ other) / float(np.sqrt((one @ one) * (other @ other)))


def _spatial_sizes(kernel: Kernel, tensor: Tensor) -> tuple[int, ...]:
    if kernel.grid is not None and kernel.spatial == 0:
        if len(kernel.grid) < 2 or int(np.prod(kernel.grid)) != tensor.shape[0]:
            reason = f"the flattened map {kernel.grid} does not have {tensor.shape[:1]} elements"
            raise ReadError("config-invalid", tensor.file, reason)
        return tuple(kernel.grid[:-1])
    if len(tensor.shape) < kernel.spatial:
        raise ReadError("config-invalid", tensor.file, f"shape {tensor.shape} has too few axes")
    return tuple(tensor.shape[: kernel.spatial])


def _real(array: NDArray[np.generic], file: str) -> NDArray[np.floating]:
    """Values as float32 or float64; smaller floats (float16, bfloat16) become float32."""
    if array.dtype in (np.float64, np.float32):
        return array.astype(array.dtype, copy=False)
    if array.dtype.kind in "biuc" or array.dtype.kind in "OSUM":
        raise ReadError("unsupported", file, f"{array.dtype} values are not real weights")
    return array.astype(np.float32)


def _checked(values: KernelValues, file: str) -> KernelValues:
    if not (np.isfinite(values.minimum) and np.isfinite(values.maximum)):
        raise ReadError("corrupt", file, "the kernel has non-finite values")
    return values


def _sample(
    source: TensorSource, tensor: Tensor, n: int, slices: int, kept: int
) -> tuple[NDArray[np.floating], float, float]:
    rng = np.random.default_rng(_SEED)
    starts = np.arange(kept, dtype=np.int64) * slices // kept
    ends = np.append(starts[1:], slices)
    chosen = starts + (rng.random(kept) * (ends - starts)).astype(np.int64)
    matrix = np.zeros((n, kept), dtype=np.float32)
    low, high, start = np.inf, -np.inf, 0
    known = tensor.stats is not None and not tensor.stats.nonfinite  # when the tensor was read
    if tensor.stats is not None and known:
        low, high = tensor.stats.minimum, tensor.stats.maximum
    for raw in source.chunks():
        chunk = _real(raw, tensor.file)
        end = start + chunk.size
        if not known:
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
        for row in range(start // slices, min(n, (end - 1) // slices + 1)):
            base = row * slices
            first, last = np.searchsorted(chosen, (start - base, end - base))
            matrix[row, first:last] = chunk[chosen[first:last] + (base - start)]
        start = end
    if start != tensor.size:
        raise ReadError("size-mismatch", tensor.file, "fewer values than the shape declares")
    return matrix, low, high
