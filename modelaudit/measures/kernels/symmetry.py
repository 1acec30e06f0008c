"""Symmetry of a kernel's spatial slices, compared with that of independent weights.

A slice K without its mean ("AC": the mean is symmetric under every transform, and large in trained
layers) splits under an involution g into an even part (K + gK)/2 and an odd part (K - gK)/2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import KernelSymmetry
from modelaudit.measures.dihedral import (
    CHARACTERS,
    DIMENSIONS,
    DihedralElement,
    elements,
    fixed_points,
    index_map,
    irrep_dimensions,
)
from modelaudit.measures.kernels.values import KernelValues

_PRODUCTS = 1 << 20  # that are computed at once
_FLAT = 1e-12  # fraction of a kernel's energy below which its slices count as constant


def kernel_symmetry(values: KernelValues, route: str, kind: str) -> KernelSymmetry:
    """All symmetry measures of a kernel but its twins; `undefined` is why there are none."""
    size = values.matrix.shape[0]
    if size == 1:
        return _undefined(values, route, kind, "a kernel with one position has no symmetry")
    matrix = values.matrix.astype(np.float64)
    total = float(np.vdot(matrix, matrix))
    matrix -= matrix.mean(axis=0)
    energy = float(np.vdot(matrix, matrix))
    if energy <= _FLAT * total:
        return _undefined(values, route, kind, "every spatial slice is constant")
    group = elements(values.sizes)
    overlap = {g.name: _overlap(matrix, g, values.sizes) / energy for g in group}
    involutions = [g for g in group if _informative(g, values.sizes)]
    even = {g.name: min(max((1 + overlap[g.name]) / 2, 0.0), 1.0) for g in involutions}
    baseline = {g.name: even_baseline(g, values.sizes) for g in involutions}
    square = len(values.sizes) == 2 and values.sizes[0] == values.sizes[1]
    return KernelSymmetry(
        route=route,
        kind=kind,
        shape=values.shape,
        slices=values.slices,
        even=even,
        baseline=baseline,
        score={g: (even[g] - baseline[g]) / (1 - baseline[g]) for g in even},
        z={
            g.name: (even[g.name] - baseline[g.name])
            / even_deviation(g, values.sizes, matrix.shape[1])
            for g in involutions
        },
        energies=_energies(overlap) if square else {},
        expected=expected_energies(values.sizes[0]) if square else {},
    )


def even_baseline(element: DihedralElement, sizes: tuple[int, ...]) -> float:
    """Expected AC even fraction of exchangeable weights: (d - 1)/(n - 1), d = (n + fixed)/2."""
    n = math.prod(sizes)
    return (_even_dimensions(element, sizes) - 1) / (n - 1)


def even_deviation(element: DihedralElement, sizes: tuple[int, ...], slices: int) -> float:
    """Standard deviation of the AC even fraction of `slices` independent Gaussian slices.

    The fraction is a ratio of chi-squared energies with the distribution Beta(N(d-1)/2, N(n-d)/2).
    Uniform weights vary less, so z is conservative for them.
    """
    d = _even_dimensions(element, sizes)
    a, b = slices * (d - 1) / 2, slices * (math.prod(sizes) - d) / 2
    return math.sqrt(a * b / (a + b + 1)) / (a + b)


def expected_energies(side: int) -> dict[str, float]:
    """Expected shares of D4's irreducible representations in the AC energy, in [0, 1]."""
    dims = irrep_dimensions(side)
    return {name: (dims[name] - (name == "A1")) / (side * side - 1) for name in dims}


def is_lowpass(values: KernelValues) -> bool:
    """Whether all slices are equal to one symmetric, non-negative kernel with sum 1.

    Such a depthwise kernel is a fixed blur (Zhang 2019, arXiv:1904.11486), not a learned filter.
    """
    matrix = values.matrix
    if (
        matrix.shape[0] == 1
        or values.minimum < 0
        or not math.isclose(float(matrix[:, 0].sum()), 1.0, rel_tol=1e-3)
    ):
        return False
    same = np.allclose(matrix, matrix[:, :1], rtol=0, atol=1e-5)
    moved = (index_map(g, values.sizes) for g in elements(values.sizes))
    return same and all(np.allclose(matrix[m, 0], matrix[:, 0], rtol=0, atol=1e-5) for m in moved)


def _even_dimensions(element: DihedralElement, sizes: tuple[int, ...]) -> int:
    return (math.prod(sizes) + fixed_points(element, sizes)) // 2


def _informative(element: DihedralElement, sizes: tuple[int, ...]) -> bool:
    """Whether an involution has both even and odd AC parts."""
    return element.involution and 1 < _even_dimensions(element, sizes) < math.prod(sizes)


def _overlap(
    matrix: NDArray[np.float64], element: DihedralElement, sizes: tuple[int, ...]
) -> float:
    """<K, gK> summed over slices, a part of the rows at a time to avoid a copy of the matrix."""
    mapping = index_map(element, sizes)
    step = max(_PRODUCTS // max(matrix.shape[1], 1), 1)
    return math.fsum(
        float(np.vdot(matrix[at : at + step], matrix[mapping[at : at + step]]))
        for at in range(0, len(matrix), step)
    )


def _energies(overlap: Mapping[str, float]) -> dict[str, float]:
    """|P_rho K|^2 = <K, P_rho K> with P_rho = (d/8) sum over g of chi(g) g, as shares."""
    overlaps = {"e": 1.0, **overlap}
    return {
        name: max(0.0, DIMENSIONS[name] / 8 * sum(chi * overlaps[g] for g, chi in row.items()))
        for name, row in CHARACTERS.items()
    }


def _undefined(values: KernelValues, route: str, kind: str, why: str) -> KernelSymmetry:
    return KernelSymmetry(route, kind, values.shape, values.slices, undefined=why)
