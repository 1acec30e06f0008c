"""Inputs of golden records: the same on every machine, from a seed and integers only.

The bits come from PCG64 (O'Neill 2014), whose stream numpy guarantees. The rest is integer
arithmetic and one exact scaling, so the result does not depend on the numpy version or processor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
BITS = 24  # of each value; float32 holds them exactly
COARSE = 3  # samples alternate: one value per position, then per cell of 2, then per cell of 4


class Recipe(Struct, frozen=True):
    """The specification of one input.

    Attributes:
        shape: with the number of samples first; every axis has a size.
        low, high: range of the values; integers are drawn from low to high, inclusive.
        seed: of PCG64.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    seed: int


def make(recipe: Recipe) -> NDArray[Any]:
    """The input that the recipe describes: uniform values, in cells of growing size.

    Raises:
        ValueError: the shape, dtype or range is invalid.
    """
    if recipe.dtype not in DTYPES or not recipe.shape or min(recipe.shape) < 1:
        raise ValueError(f"no input of shape {recipe.shape} and dtype {recipe.dtype!r}")
    if not -(2**53) <= recipe.low <= recipe.high <= 2**53:
        raise ValueError(f"no values from {recipe.low} to {recipe.high}")
    count = math.prod(recipe.shape)
    bits = np.random.PCG64(recipe.seed).random_raw(count) >> np.uint64(64 - BITS)
    drawn = np.asarray(bits).astype(np.int64).reshape(recipe.shape)
    for sample in range(recipe.shape[0]):
        drawn[sample] = _in_cells(drawn[sample], 1 << sample % COARSE)
    dtype = np.dtype(recipe.dtype)
    if dtype.kind == "b":
        return drawn >= 1 << (BITS - 1)
    if dtype.kind in "iu":
        steps = int(recipe.high) - int(recipe.low) + 1
        return (int(recipe.low) + (drawn * steps >> BITS)).astype(dtype)
    return (recipe.low + drawn / (1 << BITS) * (recipe.high - recipe.low)).astype(dtype)


def _in_cells(values: NDArray[np.int64], cell: int) -> NDArray[np.int64]:
    """Gives every position the value of its cell's first corner, except along the last axis."""
    for axis in range(values.ndim - 1):
        first = np.arange(values.shape[axis]) // cell * cell
        values = np.take(values, first, axis)
    return values
