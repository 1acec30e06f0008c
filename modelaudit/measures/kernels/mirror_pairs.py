"""Mirrored twins: whether a layer has, for each filter, a filter that is its mirror image.

If mirroring the input of a layer by g permutes its channels by pi_in, then mirroring its output
permutes the channels by pi, if W[:, pi_in(c), pi(i)] = g W[:, c, i]. The best pi is determined for
each layer in turn (Bokman and Kahl 2023, arXiv:2305.17017; Olah et al. 2020,
doi:10.23915/distill.00024.004).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.dihedral import DihedralElement, index_map

MAX_FILTERS = 512
MAX_WORK = 1 << 29  # multiply-adds for comparing all filters with each other
MAX_POSITIONS = 1 << 16  # of a window, each of which is moved in every draw
_NULL_DRAWS = 20
_MIN_DRAWS = 8
_DRAW_WORK = 1 << 26
_SEED = 20240229

Permutation = NDArray[np.intp]


class MirrorPairsUndefined(Exception):
    """The twins of a layer are undefined or too expensive; the message contains the reason."""


class MirrorMatch(Struct, frozen=True):
    """Best matching of a layer's filters with their mirror images.

    Attributes:
        permutation: output channel -> its twin, (out,).
        matched: mean cosine over filters; 1 if the filters are closed under mirroring.
        expected: mean of `matched` for random involutions with the same cycle type; None, like
            `score` and `z`, if there is no null distribution.
        score: (matched - expected) / (1 - expected).
        z: deviation of `matched` from `expected`, in standard deviations of the null distribution.
    """

    permutation: Permutation
    matched: float
    expected: float | None = None
    score: float | None = None
    z: float | None = None


def match_mirror_pairs(
    kernel: NDArray[np.floating],
    element: DihedralElement,
    sizes: tuple[int, ...],
    pi_in: Permutation,
    allowed: NDArray[np.bool_] | None = None,
) -> MirrorMatch:
    """Match the filters of a kernel (n, in, out) under an involution of its spatial axes.

    Args:
        kernel: weights, with the spatial axes flattened to one.
        sizes: spatial shape, with n positions.
        pi_in: permutation of the input channels under mirroring, (in,).
        allowed: (out, out) mask of pairs that may be twins; None for all.

    Raises:
        CannotMatch: no filters, mismatching shapes, or too much work.
    """
    n, inputs, outputs = kernel.shape
    if len(pi_in) != inputs:
        raise MirrorPairsUndefined(f"the input has {len(pi_in)} channels, the kernel {inputs}")
    if n > MAX_POSITIONS:
        raise MirrorPairsUndefined(f"a window of {n:,} positions is too large to match")
    work = n * inputs * outputs * outputs
    if outputs > MAX_FILTERS or work > MAX_WORK:
        raise MirrorPairsUndefined(f"too many filters to match: {outputs} of {n * inputs} weights")
    norms = np.linalg.norm(kernel.reshape(-1, outputs).astype(np.float64), axis=0)  # 1e38 is valid
    unit = (kernel / np.where(norms > 0, norms, 1)).astype(np.float32)
    permuted = unit[:, pi_in, :].reshape(n, -1, outputs)
    mirror = index_map(element, sizes) if n > 1 else np.zeros(1, dtype=np.intp)
    draws = 0 if n == 1 else int(np.clip(_DRAW_WORK // max(work, 1), _MIN_DRAWS, _NULL_DRAWS))
    rng = np.random.default_rng(_SEED)
    maps = [mirror, *(_conjugate(mirror, rng) for _ in range(draws))]
    flat = permuted.reshape(-1, outputs)
    twins = None if allowed is None else _only_pairs(allowed)
    if twins is not None:  # as of a depthwise convolution
        flat = flat[:, twins]
        moved = (unit[m].reshape(-1, outputs) for m in maps)
        scores = np.array([np.vdot(each, flat) for each in moved]) / outputs
    else:
        overlaps = np.stack([unit[m].reshape(-1, outputs).T @ flat for m in maps])
        if allowed is not None:
            overlaps[:, ~allowed] = -2.0  # below all cosines: only chosen if nothing else is left
        pairs = greedy_matching(overlaps)
        scores = np.take_along_axis(overlaps, pairs[:, :, None], axis=2).mean(axis=(1, 2))
        twins = pairs[0]
    matched = float(scores[0])
    if not draws:
        return MirrorMatch(twins, matched)
    null = scores[1:].astype(np.float64)
    expected, spread = float(null.mean()), float(null.std(ddof=1))
    if expected >= 1 - 1e-6 or spread == 0.0:
        return MirrorMatch(twins, matched, expected)
    return MirrorMatch(
        twins,
        matched,
        expected,
        (matched - expected) / (1 - expected),
        (matched - expected) / spread,
    )


def _only_pairs(allowed: NDArray[np.bool_]) -> Permutation | None:
    """The twins, if each filter may have a single one, and none that another has."""
    single = (allowed.sum(axis=0) == 1).all() and (allowed.sum(axis=1) == 1).all()
    return allowed.argmax(axis=1) if single else None


def greedy_matching(weights: NDArray[np.floating]) -> NDArray[np.intp]:
    """Greedy one-to-one matching of rows with columns, for a stack of weights (k, n, n).

    Repeatedly fixes all pairs that are each other's best, which gives the same result as always
    taking the largest remaining weight (Preis, 1999): at least half of the optimal total, and the
    exact matching for exact twins. Weights must be finite, so that the largest one is such a pair
    and every round fixes at least one. Returns the column of each row, (k, n).
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
    """A random permutation with the same cycle type."""
    shuffle = rng.permutation(len(mapping))
    result = np.empty_like(mapping)
    result[shuffle] = shuffle[mapping]
    return result
