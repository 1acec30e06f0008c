"""Changing one thing in a copy of the model and looking what comes back.

An intervention is stronger than a correlation: if the output says something again once the
head's bias is centred, the bias was what silenced it. Every change is made in the isolated child
and undone afterwards; the file is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from modelaudit.facts import Artifact, Kernel
from modelaudit.measures.behaviour.collapse import centred_bias
from modelaudit.measures.dihedral import DihedralElement, elements
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner

MOST_HEADS = 8  # looked at for one of several outputs; one pass over the inputs for each
MOST_CLEARED = 256  # biases looked at; one pass over the inputs for each wholly negative one


@dataclass(frozen=True, slots=True)
class OutputHead:
    """The last kernel in execution order that has a bias, and the variable that holds it."""

    route: str
    variable: str
    bias: Array


def head_of(artifact: Artifact, paths: Mapping[str, str]) -> OutputHead:
    """The head whose bias can be changed.

    Args:
        artifact: its kernels are in execution order.
        paths: tensor name -> variable path in the restored model.

    Raises:
        Unavailable: there is none, or it is not found in the restored model.
    """
    for kernel in reversed(artifact.kernels):
        if kernel.bias is None:
            continue
        path, source = paths.get(kernel.bias), artifact.tensor(kernel.bias).source
        if path is None or source is None:
            raise MeasurementUnavailable(
                f"the bias of {kernel.route} is not found in the restored model"
            )
        return OutputHead(kernel.route, path, np.asarray(source.array()))
    raise MeasurementUnavailable("no kernel has a bias")


def with_centred_bias(
    runner: Runner,
    artifact: Artifact,
    paths: Mapping[str, str],
    output: str,
    given: Mapping[str, Array],
) -> tuple[OutputHead, Array]:
    """The head of an output, and the output for `x` with a bias there that prefers no class.

    Of several outputs names do not tell: a signature calls them as it likes, and heads are often
    of one width. It is the last head whose centred bias changes this output.

    Args:
        runner: with the inputs `x`.
        artifact, paths: as for `head_of`.
        output: its name among `given`.
        given: outputs for `x` by name.

    Raises:
        Unavailable: no bias of the output's width is known to belong to it.
    """
    width = given[output].shape[-1]
    if len(given) == 1:
        head = head_of(artifact, paths)
        if head.bias.size != width:
            raise MeasurementUnavailable(
                f"{head.route}, the last layer with a bias, is not what gives output {output}"
            )
        return head, _centred(runner, head)[output]
    kernels = (k for k in reversed(artifact.kernels) if k.bias and k.shape[-1] == width)
    for kernel in islice(kernels, MOST_HEADS):
        head = head_of(replace(artifact, kernels=(kernel,)), paths)
        centred = _centred(runner, head)[output]
        if not np.array_equal(centred, given[output]):
            return head, centred
    raise MeasurementUnavailable(f"no layer is found whose bias output {output} depends on")


def _centred(runner: Runner, head: OutputHead) -> Mapping[str, Array]:
    with runner.assigned({head.variable: centred_bias(head.bias)}):
        return runner.predict()


def with_cleared_biases(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], head: str
) -> Iterator[tuple[str, Mapping[str, Array]]]:
    """Outputs for `x` with one wholly negative bias or beta at a time set to 0, by its layer.

    A bias that pushes every channel of a rectified layer below zero makes all behind it constant;
    where inner values cannot be read, this is how such a layer shows.

    Args:
        runner: with the inputs `x`.
        artifact: says which tensors are biases.
        paths: tensor name -> variable path in the restored model.
        head: route of the layer that makes the output, which is left alone.
    """
    biases = {k.route: k.bias for k in artifact.kernels if k.bias is not None and k.route != head}
    betas = {layer.route: layer.beta.name for layer in batchnorm_tensors(artifact) if layer.beta}
    for route, name in list({**biases, **betas}.items())[:MOST_CLEARED]:
        path, source = paths.get(name), artifact.tensor(name).source
        if path is None or source is None:
            continue
        bias = np.asarray(source.array())
        if bias.size and bool((bias < 0).all()):
            with runner.assigned({path: np.zeros_like(bias)}):
                yield route, runner.predict()


def with_recalibrated_statistics(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], few: str
) -> Mapping[str, Array]:
    """Outputs for `x` with BatchNorm statistics recomputed on the inputs `few`, layer after layer.

    Raises:
        Unavailable: no BatchNormalization, or none that can be seen and changed.
    """
    layers = {}
    for layer in batchnorm_tensors(artifact):
        mean, variance = paths.get(layer.mean.name), paths.get(layer.variance.name)
        if mean is None or variance is None:
            raise MeasurementUnavailable(
                f"the statistics of {layer.route} are not in the restored model"
            )
        layers[layer.route] = (mean, variance)
    if not layers:
        raise MeasurementUnavailable("the model has no batch normalisation")
    with runner.refitted(layers, few):
        return runner.predict()


@contextmanager
def symmetrised_kernels(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], element: DihedralElement
) -> Iterator[None]:
    """Within, every spatial kernel is its mean under the group that `element` generates.

    What variation is left then is the architecture's, not the weights'.

    Raises:
        Unavailable: a kernel cannot be symmetrised or is not found in the restored model.
    """
    rank, values = len(element.perm), {}
    for kernel in artifact.kernels:
        if kernel.spatial != rank and not (kernel.grid is not None and rank == 2):
            continue
        if element.perm != tuple(range(rank)) and len(set(_sides(kernel))) != 1:
            raise MeasurementUnavailable(f"{kernel.route} has a kernel that is not square")
        path, source = paths.get(kernel.tensor), artifact.tensor(kernel.tensor).source
        if path is None or source is None:
            raise MeasurementUnavailable(f"{kernel.route} is not found in the restored model")
        values[path] = symmetrised(kernel, np.asarray(source.array()), generated(element))
    if not values:
        raise MeasurementUnavailable("the model has no spatial kernel")
    with runner.assigned(values):
        yield


def _sides(kernel: Kernel) -> tuple[int, ...]:
    return kernel.grid[:2] if kernel.grid is not None else kernel.shape[: kernel.spatial]


def generated(element: DihedralElement) -> tuple[DihedralElement, ...]:
    """The elements, identity aside, of the group that one element generates."""
    if element.involution:
        return (element,)
    return tuple(e for e in elements((1, 1)) if e.name in {"r90", "r180", "r270"})


def symmetrised(kernel: Kernel, values: Array, group: Sequence[DihedralElement]) -> Array:
    """The mean of a kernel over the identity and `group`.

    Args:
        kernel: tells where the spatial axes are.
        values: the stored kernel: (spatial axes, …), or (H * W * C, units) with `grid`.
        group: elements that together with the identity are closed under composition.
    """
    spatial = values.reshape(*kernel.grid[:2], -1) if kernel.grid is not None else values
    total = spatial.astype(np.float64)
    for element in group:
        total = total + element.apply(spatial)
    return (total / (len(group) + 1)).reshape(values.shape).astype(values.dtype)
