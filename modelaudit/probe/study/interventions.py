"""Interventions: changing one thing in a copy of the model and measuring the effect.

An intervention is stronger evidence than a correlation: if the output becomes informative once the
head's bias is centred, the bias was the cause. All changes are made in the isolated child and
undone afterwards; the file is never modified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
from msgspec import Struct

from modelaudit.audit_types.behaviour import Intervention, OutputBehaviour
from modelaudit.facts import Artifact, Kernel
from modelaudit.measures.behaviour.collapse import centred_bias, informativeness
from modelaudit.measures.dihedral import DihedralElement, elements
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.probe.study.labels import score_variants
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner
from modelaudit.structs import replace
from modelaudit.thresholds.answers import BETTER_P, UNINFORMED

MOST_HEADS = 8  # heads tried for one of several outputs; one pass over the inputs each
MOST_EXCHANGED = 16  # pairs of layers; one pass over the inputs each
MOST_CLEARED = 256  # biases checked; one pass over the inputs for each completely negative one


class OutputHead(Struct, frozen=True):
    """The last kernel in execution order with a bias, and the variable of that bias."""

    route: str
    variable: str
    bias: Array


def head_of(artifact: Artifact, paths: Mapping[str, str]) -> OutputHead:
    """The head whose bias can be changed.

    Args:
        artifact: the model, with kernels in execution order.
        paths: tensor name -> variable path in the restored model.

    Raises:
        MeasurementUnavailable: there is none, or it is not in the restored model.
    """
    for kernel in reversed(artifact.kernels):
        if kernel.bias is None:
            continue
        path, source = paths.get(kernel.bias), artifact.tensor(kernel.bias).source
        if path is None or source is None:
            raise MeasurementUnavailable(f"the bias of {kernel.route} is not in the restored model")
        return OutputHead(kernel.route, path, np.asarray(source.array()))
    raise MeasurementUnavailable("no kernel has a bias")


def with_centred_bias(
    runner: Runner,
    artifact: Artifact,
    paths: Mapping[str, str],
    output: str,
    given: Mapping[str, Array],
) -> tuple[OutputHead, Array]:
    """The head of an output, and the output for `x` with a centred bias in the head.

    For models with several outputs, names are not sufficient: signatures have names of their own,
    and heads often have the same width. The head is the last one whose centred bias changes this
    output.

    Args:
        runner: runner with the inputs `x`.
        artifact, paths: as in `head_of`.
        output: name of the output in `given`.
        given: outputs for `x` by name.

    Raises:
        MeasurementUnavailable: no bias with the output's width belongs to it.
    """
    width = given[output].shape[-1]
    if len(given) == 1:
        head = head_of(artifact, paths)
        if head.bias.size != width:
            raise MeasurementUnavailable(
                f"{head.route}, the last layer with a bias, does not compute output {output}"
            )
        return head, _centred(runner, head)[output]
    kernels = (k for k in reversed(artifact.kernels) if k.bias and k.shape[-1] == width)
    for kernel in islice(kernels, MOST_HEADS):
        head = head_of(replace(artifact, kernels=(kernel,)), paths)
        centred = _centred(runner, head)[output]
        if not np.array_equal(centred, given[output]):
            return head, centred
    raise MeasurementUnavailable(f"output {output} depends on no known bias")


def _centred(runner: Runner, head: OutputHead) -> Mapping[str, Array]:
    with runner.assigned({head.variable: centred_bias(head.bias)}):
        return runner.predict()


def best_cleared_bias(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], output: OutputBehaviour
) -> tuple[str, float]:
    """Route of the completely negative bias or beta without which `output` says most, and what.

    A bias that moves all channels of a rectified layer below zero makes the outputs constant. If
    activations cannot be captured, setting it to 0 identifies such a layer.

    Args:
        runner: runner with the inputs `x`.
        artifact: the model, whose last layer is not changed.
        paths: tensor name -> variable path in the restored model.

    Raises:
        MeasurementUnavailable: no layer has a completely negative bias.
    """
    head = artifact.kernels[-1].route if artifact.kernels else ""
    biases = {k.route: k.bias for k in artifact.kernels if k.bias is not None and k.route != head}
    betas = {layer.route: layer.beta.name for layer in batchnorm_tensors(artifact) if layer.beta}
    after: dict[str, float] = {}
    for route, name in list({**biases, **betas}.items())[:MOST_CLEARED]:
        path, source = paths.get(name), artifact.tensor(name).source
        if path is None or source is None:
            continue
        bias = np.asarray(source.array())
        if bias.size and bool((bias < 0).all()):
            with runner.assigned({path: np.zeros_like(bias)}):
                after[route] = informativeness(runner.predict()[output.name], output.kind)
    if not after:
        raise MeasurementUnavailable("no layer has a completely negative bias")
    return max(after.items(), key=lambda each: each[1])


def with_recalibrated_statistics(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], few: str, only: str = ""
) -> Mapping[str, Array]:
    """Outputs for `x` with BatchNorm statistics recomputed on `few`, layer after layer.

    Args:
        runner: runner with the inputs `x` and `few`.
        paths: tensor name -> variable path in the restored model.
        few: name of the inputs that the statistics are computed on.
        only: route of the one layer whose statistics are recomputed; all if empty.

    Raises:
        MeasurementUnavailable: no BatchNormalization, or none that can be changed.
    """
    layers = {}
    for layer in batchnorm_tensors(artifact):
        if only not in {"", layer.route}:
            continue
        mean, variance = paths.get(layer.mean.name), paths.get(layer.variance.name)
        if mean is None or variance is None:
            raise MeasurementUnavailable(
                f"the statistics of {layer.route} are not in the restored model"
            )
        layers[layer.route] = (mean, variance)
    if not layers:
        raise MeasurementUnavailable("the model has no batch normalization")
    with runner.refitted(layers, few):
        return runner.predict()


def unmet(output: OutputBehaviour) -> bool:
    """Whether labels are given and mostly not met, in no form of the inputs that was tried."""
    found = output.accuracy or output.fit
    best = max((*found.values(), output.better.score if output.better else -1.0), default=1.0)
    return "e" in found and best < (UNINFORMED.value if output.accuracy else 0.0)


def exchanged(
    runner: Runner,
    artifact: Artifact,
    paths: Mapping[str, str],
    given: Array,
    output: OutputBehaviour,
    y: Array,
) -> Intervention | None:
    """The two layers of equal shapes that meet labels with each other's weights, if there are any.

    The nearest pairs are tried first. At least half of the errors must be gone.

    Args:
        runner: runner with the inputs `x`.
        artifact, paths: as in `head_of`.
        given: what `output` is for `x`.
        output: an output that is `unmet`.
        y: labels of `x`.
    """
    kernels = [(place, each) for place, each in enumerate(artifact.kernels) if each.tensor in paths]
    pairs = [
        (other - place, first, second)
        for place, first in kernels
        for other, second in kernels
        if other > place
        and (first.shape, first.bias is None) == (second.shape, second.bias is None)
    ]
    pairs = sorted(pairs, key=lambda pair: pair[0])[:MOST_EXCHANGED]
    answers = {"e": given}
    for place, (_, first, second) in enumerate(pairs):
        with runner.assigned(_crossed(artifact, paths, first, second)):
            answers[str(place)] = np.nan_to_num(runner.predict()[output.name])
    found = score_variants(answers, output.kind, y, {}).better
    # By chance, two wrong layers may be less wrong when exchanged; the right ones leave few errors.
    if found is None or found.score < (1 + max(found.given, 0.0)) / 2:
        return None
    _, first, second = pairs[int(found.name)]
    return Intervention(
        output=output.name,
        layer=first.route,
        other=second.route,
        before=informativeness(given, output.kind),
        after=informativeness(answers[found.name], output.kind),
        score=found.score,
        responsible=found.p < BETTER_P.value,
    )


def _crossed(
    artifact: Artifact, paths: Mapping[str, str], first: Kernel, second: Kernel
) -> dict[str, Array]:
    """The variables of two layers, each with the value of the other."""
    own = [each for each in (first.tensor, first.bias) if each]
    others = [each for each in (second.tensor, second.bias) if each]
    pairs = zip(own + others, others + own, strict=True)
    sources = {name: artifact.tensor(other).source for name, other in pairs}
    return {
        paths[name]: np.asarray(source.array())
        for name, source in sources.items()
        if source is not None and name in paths
    }


@contextmanager
def symmetrised_kernels(
    runner: Runner, artifact: Artifact, paths: Mapping[str, str], element: DihedralElement
) -> Iterator[None]:
    """Context in which each spatial kernel is its mean under the group generated by `element`.

    The remaining variation is due to the architecture, not the weights.

    Raises:
        MeasurementUnavailable: a kernel cannot be symmetrised, or is not in the restored model.
    """
    rank, values = len(element.perm), {}
    for kernel in artifact.kernels:
        if kernel.spatial != rank and not (kernel.grid is not None and rank == 2):
            continue
        if element.perm != tuple(range(rank)) and len(set(_sides(kernel))) != 1:
            raise MeasurementUnavailable(f"the kernel of {kernel.route} is not square")
        path, source = paths.get(kernel.tensor), artifact.tensor(kernel.tensor).source
        if path is None or source is None:
            raise MeasurementUnavailable(f"{kernel.route} is not in the restored model")
        values[path] = symmetrised(kernel, np.asarray(source.array()), generated(element))
    if not values:
        raise MeasurementUnavailable("the model has no spatial kernel")
    with runner.assigned(values):
        yield


def _sides(kernel: Kernel) -> tuple[int, ...]:
    return kernel.grid[:2] if kernel.grid is not None else kernel.shape[: kernel.spatial]


def generated(element: DihedralElement) -> tuple[DihedralElement, ...]:
    """Elements of the group that one element generates, without the identity."""
    if element.involution:
        return (element,)
    return tuple(e for e in elements((1, 1)) if e.name in {"r90", "r180", "r270"})


def symmetrised(kernel: Kernel, values: Array, group: Sequence[DihedralElement]) -> Array:
    """Mean of a kernel over the identity and `group`.

    Args:
        kernel: determines the spatial axes.
        values: stored kernel: (spatial axes, ...), or (H * W * C, units) with `grid`.
        group: elements that, with the identity, are closed under composition.
    """
    spatial = values.reshape(*kernel.grid[:2], -1) if kernel.grid is not None else values
    total = spatial.astype(np.float64)
    for element in group:
        total = total + element.apply(spatial)
    return (total / (len(group) + 1)).reshape(values.shape).astype(values.dtype)
