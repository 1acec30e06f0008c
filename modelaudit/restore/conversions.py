"""How arrays are altered by common mistakes of people and converters.

An alteration is identified by a digest, so one side's values and the other side's digest suffice.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Alteration = tuple[str, Callable[[Array], Array]]


def digest(array: Array) -> str:
    """sha256 over the C-order little-endian bytes."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if sys.byteorder == "big" and flat.dtype.byteorder in "=>":
        flat = flat.byteswap()
    elif flat.dtype.byteorder == ">":
        flat = flat.astype(flat.dtype.newbyteorder("<"))
    return hashlib.sha256(flat.view(np.uint8).data).hexdigest()


def alteration(before: Array, after: str) -> str:
    """The alteration of `before` whose digest is `after`; "" if there is none.

    A constant result does not identify its source.
    """
    for name, change in _alterations(before):
        changed = change(before)
        if digest(changed) == after and not bool(np.all(changed == changed.flat[:1])):
            return name
    return ""


def _alterations(array: Array) -> Iterator[Alteration]:
    yield from _moves(array.ndim)
    if array.dtype.itemsize > 1:
        yield "byte-swapped", np.ndarray.byteswap
    if array.dtype.kind == "f":
        yield "negated", np.negative
        for name in ("float16", "float32", "float64"):
            yield CASTS[name], _cast(name)
            yield f"rounded-to-{name}", _rounded(name)
        yield "cast-to-bfloat16", _bfloat16_bits
        yield "rounded-to-bfloat16", _rounded_to_bfloat16
        yield "rounded-to-integers", _rounded("int32")


CASTS = {name: f"cast-to-{name}" for name in ("float16", "float32", "float64")}


def _moves(rank: int) -> Iterator[Alteration]:
    """Permutations and flips of axes. A kernel has spatial axes, then channels in, channels out."""
    if rank == 1:
        yield "reversed", lambda a: a[::-1]
    if rank < 2:
        return
    if rank == 2:
        yield "transposed", lambda a: a.T
        yield "inputs-reversed", lambda a: a[::-1]
        yield "outputs-reversed", lambda a: a[:, ::-1]
        return
    places = tuple(range(rank - 2))
    yield "rotated-180" if rank > 3 else "reversed-in-time", lambda a: np.flip(a, places)
    yield "in-out-exchanged", lambda a: np.swapaxes(a, -1, -2)
    yield "rotated-180-and-in-out-exchanged", lambda a: np.flip(np.swapaxes(a, -1, -2), places)
    yield "inputs-reversed", lambda a: np.flip(a, -2)
    yield "outputs-reversed", lambda a: np.flip(a, -1)
    yield "axes-reversed", lambda a: a.T
    yield "channels-first", lambda a: np.transpose(a, (rank - 1, rank - 2, *places))
    yield "channels-last", lambda a: np.transpose(a, (*range(2, rank), 1, 0))
    if rank > 3:
        yield "transposed", lambda a: np.swapaxes(a, 0, 1)
        yield "mirrored-up-down", lambda a: np.flip(a, 0)
        yield "mirrored-left-right", lambda a: np.flip(a, 1)
        yield "rotated-90", lambda a: np.rot90(a, 1, (0, 1))
        yield "rotated-270", lambda a: np.rot90(a, 3, (0, 1))
        yield "transposed-at-the-antidiagonal", lambda a: np.rot90(np.swapaxes(a, 0, 1), 2, (0, 1))


def _cast(name: str) -> Callable[[Array], Array]:
    def cast(array: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return array.astype(name)

    return cast


def _rounded(name: str) -> Callable[[Array], Array]:
    """The values after a round trip through a narrower type."""
    there = _cast(name)

    def rounded(array: Array) -> Array:
        return there(array).astype(array.dtype)

    return rounded


def _bfloat16_bits(array: Array) -> Array:
    """The upper half of each float32, rounded to nearest, ties to even."""
    bits = array.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _rounded_to_bfloat16(array: Array) -> Array:
    bits = _bfloat16_bits(array).astype(np.uint32) << 16
    return bits.view(np.float32).astype(array.dtype)
