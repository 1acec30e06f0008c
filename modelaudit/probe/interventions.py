"""Changing one thing in a copy of the model and looking what comes back.

An intervention is stronger than a correlation: if the output says something again once the
head's bias is centred, the bias was what silenced it. Every change is made in the isolated child
and undone afterwards; the file is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelaudit.facts import Artifact, Kernel
from modelaudit.measures.batchnorm import batchnorm_tensors
from modelaudit.measures.dihedral import IDENTITY as SAME
from modelaudit.measures.dihedral import Element, elements
from modelaudit.probe.runner import Array, Runner, Unavailable

RECALIBRATED = 64  # batch normalisations; more would take longer than the answer is worth


@dataclass(frozen=True, slots=True)
class Head:
    """The last kernel in execution order that has a bias, and where that bias is."""

    route: str
    variable: str
    bias: Array


def head_of(artifact: Artifact, paths: Mapping[str, str]) -> Head:
    """The head whose bias can be changed.

    Raises:
        Unavailable: there is none, or it is not found in the restored model.
    """
    for kernel in reversed(artifact.kernels):
        if kernel.bias is None:
            continue
        path = paths.get(kernel.bias)
        source = artifact.tensor(kernel.bias).source
        if path is None or source is None:
            raise Unavailable(f"the bias of {kernel.route} is not found in the restored model")
        return Head(kernel.route, path, np.asarray(source.array(), dtype=np.float64))
    raise Unavailable("no kernel has a bias")


def with_centred_bias(runner: Runner, head: Head) -> Mapping[str, Array]:
    """Outputs for `x` with every entry of the head's bias set to their median."""
    centred = np.full_like(head.bias, np.median(head.bias))
    if head.bias.size == 1:  # a single score has no other class to be centred against
        centred[:] = 0.0
    runner.assign({head.variable: centred})
    try:
        return runner.predict("x")
    finally:
        runner.restore()


def with_recalibrated_statistics(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str]
) -> Mapping[str, Array]:
    """Outputs for `x` with BatchNorm statistics recomputed on `x`, layer after layer.

    Raises:
        Unavailable: no BatchNormalization, or more than can be done in reasonable time.
    """
    layers = [
        (each.route, paths.get(each.mean.name), paths.get(each.variance.name))
        for each in batchnorm_tensors(artifact)
    ]
    if not layers:
        raise Unavailable("the model has no batch normalisation")
    if len(layers) > RECALIBRATED:
        raise Unavailable(f"{len(layers)} batch normalisations are too many to recalibrate")
    try:
        for route, mean, variance in layers:
            if mean is None or variance is None:
                raise Unavailable(f"the statistics of {route} are not found in the restored model")
            seen = runner.activations("x", [route], into=True, statistics=True)
            if f"{route}:mean" not in seen:
                raise Unavailable(f"what flows into {route} cannot be seen")
            runner.assign({mean: seen[f"{route}:mean"], variance: seen[f"{route}:var"]})
        return runner.predict("x")
    finally:
        runner.restore()


def symmetrised(kernel: Kernel, values: Array, group: Sequence[Element]) -> Array:
    """The mean of a kernel over `group`, its spatial axes moved by each element.

    Args:
        kernel: tells where the spatial axes are.
        values: the stored kernel: (spatial axes, in, out), or (H * W * C, units) with `grid`.
        group: elements closed under composition.
    """
    if kernel.grid is not None:
        height, width = kernel.grid[:2]
        grid = values.reshape(height, width, -1)
        moved = np.mean([element.apply(grid) for element in group], axis=0)
        return np.asarray(moved.reshape(values.shape), dtype=values.dtype)
    moved = np.mean([element.apply(values) for element in group], axis=0)
    return np.asarray(moved, dtype=values.dtype)


def closure(element: Element) -> tuple[Element, ...]:
    """The subgroup that an element generates, as far as kernels need it."""
    if element.involution:
        return (_identity(len(element.perm)), element)
    quarter = {e.name: e for e in elements((3, 3))}
    return (_identity(2), quarter["r90"], quarter["r180"], quarter["r270"])


def _identity(rank: int) -> Element:
    return SAME if rank == 2 else Element("e", tuple(range(rank)), (False,) * rank, "e")


def assign_symmetrised(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], element: Element
) -> None:
    """Replace every spatial kernel by its mean under the group that `element` generates.

    Raises:
        Unavailable: a kernel cannot be symmetrised or is not found in the restored model.
    """
    rank = len(element.perm)
    values: dict[str, Array] = {}
    for kernel in artifact.kernels:
        spatial = kernel.spatial == rank or (kernel.grid is not None and rank == 2)
        if not spatial:
            continue
        if element.perm != tuple(range(rank)) and not _square(kernel):
            raise Unavailable(f"{kernel.route} has a kernel that is not square")
        path, source = paths.get(kernel.tensor), artifact.tensor(kernel.tensor).source
        if path is None or source is None:
            raise Unavailable(f"{kernel.route} is not found in the restored model")
        values[path] = symmetrised(kernel, np.asarray(source.array()), closure(element))
    if not values:
        raise Unavailable("the model has no spatial kernel")
    runner.assign(values)


def _square(kernel: Kernel) -> bool:
    sides = kernel.grid[:2] if kernel.grid is not None else kernel.shape[:2]
    return len(set(sides)) == 1
