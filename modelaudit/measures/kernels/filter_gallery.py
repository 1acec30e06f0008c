"""Filters of the first layer, each with the filter that is closest to its mirror image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import FilterGallery, FilterPair
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Kernel
from modelaudit.measures.dihedral import elements
from modelaudit.measures.kernels.values import load_kernel

SHOWN = 8
LARGEST, SMALLEST = 15, 3  # sides of kernels that are drawn
COLOUR = 3  # maximum number of input channels whose mean is drawn
DIGITS = 4


def galleries(artifact: Artifact) -> tuple[FilterGallery, ...]:
    """Filters of the first convolution on pixels; empty if it cannot be read or drawn."""
    for kernel in artifact.kernels:
        if drawable(kernel):
            try:
                values = load_kernel(kernel, artifact.tensor(kernel.tensor))
                return (_gallery(kernel.route, values.filters().reshape(kernel.shape)),)
            except (ReadError, KeyError, ValueError):
                return ()
    return ()


def drawable(kernel: Kernel) -> bool:
    """Whether a kernel (height, width, in, out) is of a size that can be drawn."""
    sides = kernel.shape[:2]
    return (
        kernel.kind == "conv"
        and kernel.spatial == 2
        and len(kernel.shape) == 4
        and all(SMALLEST <= side <= LARGEST for side in sides)
        and kernel.shape[3] > 1
    )


def _gallery(route: str, values: NDArray[np.floating]) -> FilterGallery:
    """Filters of a layer, most asymmetric first.

    Args:
        values: (height, width, in, out).
    """
    mirror = next(element for element in elements(values.shape[:2]) if element.name == "H")
    weights = values.astype(np.float64)
    weights = weights - weights.mean(axis=(0, 1), keepdims=True)
    flat = weights.reshape(-1, weights.shape[-1]).T
    mirrored = np.ascontiguousarray(mirror.apply(weights)).reshape(-1, weights.shape[-1]).T
    norms = np.maximum(np.linalg.norm(flat, axis=1), 1e-30)
    own = np.einsum("ij,ij->i", mirrored, flat) / norms**2
    order = np.argsort(own, kind="stable")[:SHOWN]
    pairs = []
    for index in order.tolist():
        cosine = (flat @ mirrored[index]) / (norms * norms[index])
        partner = int(cosine.argmax())
        channel = drawn_channel(values[..., index])
        pairs.append(
            FilterPair(
                index=index,
                partner=partner,
                score=round(float(cosine[partner]), DIGITS),
                values=picture(values[..., index], channel),
                partner_values=picture(values[..., partner], channel),
            )
        )
    return FilterGallery(route, "H", tuple(pairs))


def drawn_channel(filter_: NDArray[np.floating]) -> int | None:
    """The input channel to draw: the one with the largest norm, or None for the mean.

    Args:
        filter_: (height, width, in).
    """
    if filter_.shape[2] <= COLOUR:
        return None
    return int((filter_.astype(np.float64) ** 2).sum(axis=(0, 1)).argmax())


def picture(filter_: NDArray[np.floating], channel: int | None) -> tuple[tuple[float, ...], ...]:
    """Values (height, width) of one channel of a filter (height, width, in), or their mean."""
    plane = filter_.mean(axis=2) if channel is None else filter_[..., channel]
    return tuple(tuple(round(float(x), DIGITS) for x in row) for row in plane)
