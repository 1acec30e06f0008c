"""Which directional features the filters of a layer compute.

A filter without its mean splits into orthogonal parts: first derivatives along the rows and along
the columns (the irreducible representation E of D4, split by the flip that they are odd under),
bars along the axes (B1), diagonal ones (B2), and what has no direction (A1 and A2). Random weights
have energy in all of them, in proportion to their dimensions, so each share is compared with that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import (
    DirectionalFilter,
    DirectionShare,
    KernelDirections,
    KernelSymmetry,
)
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Kernel
from modelaudit.measures.dihedral import CHARACTERS, elements, irrep_dimensions
from modelaudit.measures.kernels.filter_gallery import (
    drawable,
    drawn_channel,
    galleries,
    picture,
)
from modelaudit.measures.kernels.values import load_kernel
from modelaudit.measures.summary import Measurements
from modelaudit.structs import replace
from modelaudit.thresholds.weights import DIRECTION_EXCESS, DIRECTION_Z

SHOWN, LAYERS = 6, 3  # filters of a layer, and layers, whose filters are kept as pictures
HORIZONTAL, VERTICAL, BARS, DIAGONAL, NONE = "left-right", "up-down", "bars", "diagonal", "none"
# Sign of each element of D4 in the projection of a filter onto the part.
SIGNS = {
    HORIZONTAL: {"e": 1, "H": -1, "V": 1, "r180": -1},
    VERTICAL: {"e": 1, "H": 1, "V": -1, "r180": -1},
    BARS: CHARACTERS["B1"],
    DIAGONAL: CHARACTERS["B2"],
}


def kernel_directions(kernel: KernelSymmetry) -> KernelDirections | None:
    """The shares of one layer; None where the group is not D4, or nothing was measured.

    Args:
        kernel: the layer's symmetry, for which `energies` is known for square kernels.
    """
    if not kernel.energies or kernel.slices < 1 or "H" not in kernel.even:
        return None
    # Of a Dense layer behind Flatten, the first axis holds positions and channels.
    side = math.isqrt(math.prod(kernel.shape) // kernel.slices)
    dims, energies = irrep_dimensions(side), kernel.energies
    # What is even under H is A1, B1 and a half of E: the derivatives from top to bottom.
    vertical = kernel.even["H"] - energies["A1"] - energies["B1"]
    vertical = min(max(vertical, 0.0), energies["E"])
    shares = {
        HORIZONTAL: (energies["E"] - vertical, dims["E"] / 2),
        VERTICAL: (vertical, dims["E"] / 2),
        BARS: (energies["B1"], dims["B1"]),
        DIAGONAL: (energies["B2"], dims["B2"]),
        NONE: (energies["A1"] + energies["A2"], dims["A1"] + dims["A2"] - 1),
    }
    room = side * side - 1
    found = {
        name: _share(share, dimension / room, dimension * kernel.slices, room * kernel.slices)
        for name, (share, dimension) in shares.items()
    }
    leading = max(found, key=lambda name: found[name].share - found[name].expected)
    best = found[leading]
    clear = best.share - best.expected >= DIRECTION_EXCESS.value and best.z >= DIRECTION_Z.value
    return KernelDirections(
        kernel.route, kernel.shape, kernel.slices, found, leading if clear else ""
    )


def _share(share: float, expected: float, own: float, all_: float) -> DirectionShare:
    """A share with its null: of Gaussian weights it has the distribution Beta(own/2, rest/2)."""
    a, b = own / 2, (all_ - own) / 2
    deviation = math.sqrt(a * b / (a + b + 1)) / (a + b) if a > 0 and b > 0 else 0.0
    z = (share - expected) / deviation if deviation else 0.0
    return DirectionShare(share, expected, z)


def with_filters(measured: Measurements, artifact: Artifact) -> Measurements:
    """The measurements with pictures of filters: with mirrored partners, and directional ones."""
    directions = directional_filters(artifact, measured.symmetry)
    return replace(measured, gallery=galleries(artifact), directions=directions)


def directional_filters(
    artifact: Artifact, layers: Sequence[KernelSymmetry]
) -> tuple[KernelDirections, ...]:
    """The shares of all layers, with pictures of the filters that carry the leading part of some.

    Args:
        layers: the measured symmetry of its kernels.
    """
    kernels = {kernel.route: kernel for kernel in artifact.kernels if drawable(kernel)}
    found: list[KernelDirections] = []
    for layer in filter(None, map(kernel_directions, layers)):
        kernel = kernels.get(layer.route)
        drawn = sum(bool(each.filters) for each in found)
        if kernel is not None and layer.leading in SIGNS and drawn < LAYERS:
            found.append(_with_pictures(artifact, kernel, layer))
        else:
            found.append(layer)
    return tuple(found)


def _with_pictures(artifact: Artifact, kernel: Kernel, layer: KernelDirections) -> KernelDirections:
    try:
        values = load_kernel(kernel, artifact.tensor(kernel.tensor))
        filters = values.filters().reshape(kernel.shape)
    except (ReadError, KeyError, ValueError):
        return layer
    part = part_energies(filters, layer.leading)
    whole = max(float(part.sum()), 1e-30)
    chosen = np.argsort(-part, kind="stable")[:SHOWN].tolist()
    return replace(
        layer,
        filters=tuple(
            DirectionalFilter(
                index=index,
                share=round(float(part[index]) / whole, 4),
                values=picture(filters[..., index], drawn_channel(filters[..., index])),
            )
            for index in chosen
        ),
    )


def part_energies(filters: NDArray[np.floating], part: str) -> NDArray[np.float64]:
    """Energy (out,) of each filter of a kernel (side, side, in, out) in one part."""
    weights = filters.astype(np.float64)
    signs = SIGNS[part]
    projected = signs["e"] * weights
    for element in elements(weights.shape[:2]):
        if element.name in signs:
            projected = projected + signs[element.name] * element.apply(weights)
    return np.asarray(((projected / len(signs)) ** 2).sum(axis=(0, 1, 2)), np.float64)
