"""Mirrored twins: does a layer hold, for each filter, its mirror image?

If the input of a layer mirrors by g with its channels permuted by pi_in, its output mirrors by g
with channels permuted by pi where W[:, pi_in(c), pi(i)] = g W[:, c, i]. The best such pi is found
layer by layer and carried on (Bokman and Kahl 2023, arXiv:2305.17017; Olah et al. 2020,
doi:10.23915/distill.00024.004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.dihedral import Element, index_map

MAX_FILTERS = 512
MAX_WORK = 1 << 29  # multiply-adds of one comparison of all filters with all
_NULL_DRAWS = 20
_MIN_DRAWS = 8
_DRAW_WORK = 1 << 26
_SEED = 20240229

Permutation = NDArray[np.intp]


class CannotMatch(Exception):
    """Twins of a layer are not defined or too costly; the text says why."""


@dataclass(frozen=True, slots=True)
class TwinMatch:
    """Best matching of a layer's filters with their mirror images.

    `matched` is the mean correlation over filters (1 = closed under the mirror), `expected` its
    mean under random involutions of the same cycle type, `score` = (matched - expected) /
    (1 - expected), `z` the deviation in standard deviations of those draws; None where there is
    no null to draw. `permutation` maps each output channel to its twin.
    """

    permutation: Permutation
    matched: float
    expected: float | None = None
    score: float | None = None
    z: float | None = None


def match_twins(
    kernel: NDArray[np.floating],
    element: Element,
    sizes: tuple[int, ...],
    pi_in: Permutation,
    allowed: NDArray[np.bool_] | None = None,
) -> TwinMatch:
    """Match the filters of a kernel (n, in, out) under an involution of its spatial axes.

    Args:
        kernel: weights with the spatial axes (shape `sizes`, n positions) flattened to one.
        element: the involution.
        sizes: the spatial shape.
        pi_in: the permutation of input channels that the mirror induces.
        allowed: (out, out), which pairs may be twins; all if None.

    Raises:
        CannotMatch: no filters, shapes that do not fit, or more work than is worth it.
    """
    n, inputs, outputs = kernel.shape
    if len(pi_in) != inputs:
        raise CannotMatch(f"{len(pi_in)} channels arrive where the kernel takes {inputs}")
    work = n * inputs * outputs * outputs
    if outputs > MAX_FILTERS or work > MAX_WORK:
        raise CannotMatch(f"too many filters to match: {outputs} of {n * inputs} weights")
    norms = np.linalg.norm(kernel.reshape(-1, outputs), axis=0)
    unit = (kernel / np.where(norms > 0, norms, 1)).astype(np.float32)
    permuted = unit[:, pi_in, :].reshape(n, -1, outputs)
    mirror = index_map(element, sizes) if n > 1 else np.zeros(1, dtype=np.intp)
    draws = 0 if n == 1 else int(np.clip(_DRAW_WORK // max(work, 1), _MIN_DRAWS, _NULL_DRAWS))
    rng = np.random.default_rng(_SEED)
    maps = [mirror, *(_conjugate(mirror, rng) for _ in range(draws))]
    flat = permuted.reshape(-1, outputs)
    overlaps = np.stack([unit[m].reshape(-1, outputs).T @ flat for m in maps])
    if allowed is not None:
        overlaps[:, ~allowed] = -2.0  # below every correlation: taken only where nothing else is
    pairs = greedy_matching(overlaps)
    scores = np.take_along_axis(overlaps, pairs[:, :, None], axis=2).mean(axis=(1, 2))
    matched = float(scores[0])
    if not draws:
        return TwinMatch(pairs[0], matched)
    null = scores[1:].astype(np.float64)
    expected, spread = float(null.mean()), float(null.std(ddof=1))
    if expected >= 1 - 1e-6 or spread == 0.0:
        return TwinMatch(pairs[0], matched, expected)
    return TwinMatch(
        pairs[0],
        matched,
        expected,
        (matched - expected) / (1 - expected),
        (matched - expected) / spread,
    )


def greedy_matching(weights: NDArray[np.floating]) -> NDArray[np.intp]:
    """Greedy one-to-one matching of rows with columns, for a stack (k, n, n) of weights at once.

    Pairs that are each other's best are fixed together until none is left, which gives what
    taking the largest remaining weight again and again gives (Preis 1999), at least half of the
    best total, and the exact matching where twins are exact. Weights are finite: then the
    largest of all is always such a pair, so each round fixes one. Returns (k, n) columns by row.
    """
    stack, n, _ = weights.shape
    left = weights.copy()
    result = np.full((stack, n), -1, dtype=np.intp)
    rows = np.arange(n)
    while (result < 0).any():
        best = left.argmax(axis=2)
        back = np.take_along_axis(left.argmax(axis=1), best, axis=1)
        open_rows = result < 0
        where, row = np.nonzero((back == rows) & open_rows)
        column = best[where, row]
        result[where, row] = column
        left[where, row, :] = -np.inf
        left[where, :, column] = -np.inf
    return result


def _conjugate(mapping: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """The same cycle type on positions drawn at random."""
    shuffle = rng.permutation(len(mapping))
    result = np.empty_like(mapping)
    result[shuffle] = shuffle[mapping]
    return result
