"""Whether a kernel still has its initial values.

Three criteria must agree: no weight exceeds the initializer's bound, the bias is exactly at its own
initial value, and the weights follow the initializer's distribution. The distribution test alone
takes a fifth of trained layers for fresh, since weights move less than their standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np
from msgspec import Struct

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Json, Kernel, Layer, Tensor
from modelaudit.measures.kernels.initializers import (
    Distribution,
    candidates,
    canonical_name,
    display_name,
    standard_candidates,
)
from modelaudit.measures.kernels.values import KernelValues
from modelaudit.measures.statistics import kolmogorov_smirnov, spectrum_excess
from modelaudit.structs import replace
from modelaudit.thresholds.weights import (
    LEVEL,
    MAX_EXCESS,
    MIN_WEIGHTS_ALONE,
    MIN_WEIGHTS_WITH_BIAS,
    ORTHOGONAL,
)

_MAX_DRAWN = 1 << 16
STARTS = (0.0, 1.0)  # initial biases in Keras: zeros, and ones for forget gates
LARGEST = 1 << 24  # maximum size of a bias in bytes
ROUNDING = 2.0**-8  # relative rounding error of bfloat16


class LayerContext(Struct, frozen=True):
    """State of the other weights of a kernel's layer.

    Attributes:
        bias_initial: whether the bias is bitwise at its initial value; None without a bias, or if
            unknown.
        batchnorm_initial: whether the BatchNormalization directly after the layer is completely
            at its initial values; None if there is none.
        trainable: as saved.
    """

    bias_initial: bool | None = None
    batchnorm_initial: bool | None = None
    trainable: bool = True


def kernel_initialization(
    kernel: Kernel, values: KernelValues, dtype: str, companions: LayerContext, kernels: int
) -> KernelInitialization:
    """Decide about one kernel, at a level that is shared by all kernels (Bonferroni correction).

    Args:
        kernel: the kernel; its initializer is None if the file does not contain it.
        values: the weights.
        dtype: stored dtype, which determines how far rounding can exceed the bound.
        companions: state of bias and batch normalisation.
        kernels: number of kernels in the model.
    """
    known = kernel.initializer is not None
    options = _options(kernel, values.shape)
    name = canonical_name(kernel.initializer) if kernel.initializer is not None else ""
    verdict = KernelInitialization(
        route=kernel.route,
        tensor=kernel.tensor,
        initializer=display_name(name),
        state="undecidable",
        weights=values.weights,
        tests={
            "bias_initial": companions.bias_initial,
            "batchnorm_initial": companions.batchnorm_initial,
            "trainable": companions.trainable,
        },
    )
    if not options:
        if companions.bias_initial is False:
            return replace(verdict, state="trained", reason="the bias has changed")
        return replace(verdict, reason=f"the initializer {name!r} cannot be tested")
    rounding = 2.0**-8 if dtype in ("bfloat16", "float16") else 1e-5
    level = LEVEL.value / max(kernels, 1) / len(options)
    label, best = max(
        ((label, _fit(d, values, rounding)) for label, d in options.items()),
        key=lambda option: (
            option[1].fits(level),
            option[1].bounded,
            option[1].inside,
            option[1].p,
        ),
    )
    tests = dict(verdict.tests) | best.as_json() | {"level": level}
    verdict = replace(verdict, tests=tests)
    if not known:
        closest = display_name(canonical_name({"class_name": label}))
        verdict = replace(verdict, initializer=closest, guessed=True)
    if companions.bias_initial is False:
        return replace(verdict, state="trained", reason="the bias has changed")
    if not best.inside:
        reason = "weights exceed the initializer's bound"
    elif best.p <= level:
        reason = "weights do not follow the initializer's distribution"
    else:
        return _still_initial(verdict, values, companions, best.bounded and known)
    if known:
        return replace(verdict, state="trained", reason=reason)
    return replace(verdict, reason="weights match none of the nine common initializers")


def with_first_inconsistent(
    verdict: KernelInitialization, inconsistent: bool
) -> KernelInitialization:
    """Decide about a small kernel without bias from the batch normalisation directly after it.

    On images, the stored statistics after a re-initialised kernel do not fit its outputs, and the
    first such kernel in a model is followed by the first statistics that do not fit.
    """
    open_case = verdict.state == "undecidable" and verdict.tests.get("fits") is True
    if not (inconsistent and open_case):
        return verdict
    reason = "weights match the initializer, and the statistics directly after it do not fit"
    return replace(verdict, state="fresh", reason=reason)


class _Fit(Struct, frozen=True):
    """`bounded`: training soon moves some weight past a bound, so staying inside is evidence."""

    inside: bool
    p: float
    bounded: bool
    details: Mapping[str, Json]

    def fits(self, level: float) -> bool:
        return self.inside and self.p > level

    def as_json(self) -> dict[str, Json]:
        return {"inside_bound": self.inside, "ks_p": self.p, **self.details}


def _options(kernel: Kernel, shape: tuple[int, ...]) -> dict[str, Distribution]:
    if kernel.initializer is None:
        return standard_candidates(shape)
    found = candidates(kernel.initializer, shape)
    return {f"{d.kind} {index}": d for index, d in enumerate(found)}


def _fit(distribution: Distribution, values: KernelValues, rounding: float) -> _Fit:
    if distribution.kind == "constant":
        exact = values.minimum == values.maximum == np.float32(distribution.mean)
        return _Fit(exact, float(exact), True, {"value": distribution.mean})
    if distribution.kind == "orthogonal":
        error = _orthogonality_error(values, distribution.gain)
        exact = error is not None and error < max(ORTHOGONAL.value, rounding)
        return _Fit(exact, float(exact), True, {"orthogonality_error": error})
    if distribution.kind == "identity":
        exact = _is_identity(values, distribution.gain)
        return _Fit(exact, float(exact), True, {"gain": distribution.gain})
    margin = rounding * max(abs(distribution.low), abs(distribution.high))
    inside = math.isinf(margin) or (
        distribution.low - margin <= values.minimum and values.maximum <= distribution.high + margin
    )
    # At most 65,536 evenly spaced weights, which is enough to distinguish distributions
    flat = values.matrix.reshape(-1)
    if flat.size > _MAX_DRAWN:
        flat = flat[np.arange(_MAX_DRAWN) * flat.size // _MAX_DRAWN]
    drawn = flat.astype(np.float64)
    distance, p = kolmogorov_smirnov(distribution.cdf(np.sort(drawn)))
    bounded = math.isfinite(distribution.high)
    details = {
        "bound": distribution.high if bounded else None,
        "ks_distance": distance,
        "ks_weights": len(drawn),
    }
    return _Fit(inside, p, bounded, details)


def _still_initial(
    verdict: KernelInitialization, values: KernelValues, companions: LayerContext, strict: bool
) -> KernelInitialization:
    """Decide about a kernel whose weights passed all tests.

    `strict`: a single, known initializer with a bound was tested. Without a bound, trained kernels
    with thousands of weights pass.
    """
    tests = dict(verdict.tests) | {"fits": True}
    excess = None if values.sampled else spectrum_excess(values.matrix, values.shape)
    if excess is not None and "ks_distance" in tests:
        tests["spectrum_excess"] = excess
        if excess > MAX_EXCESS.value:
            reason = "the largest singular value is too large for independent weights"
            return replace(verdict, state="trained", reason=reason, tests=tests)
    verdict = replace(verdict, tests=tests)
    fresh = replace(verdict, state="fresh", reason="weights and bias are at their initial values")
    if companions.bias_initial and values.weights >= MIN_WEIGHTS_WITH_BIAS.value:
        return fresh
    if companions.bias_initial:
        return replace(verdict, reason=f"too few weights ({values.weights})")
    if companions.batchnorm_initial:
        reason = "weights and the following batch normalisation are at their initial values"
        return replace(fresh, reason=reason)
    if not strict:
        return replace(verdict, reason="there is neither a bounded initializer nor a bias to test")
    if values.weights >= MIN_WEIGHTS_ALONE.value:
        return replace(fresh, reason="weights are at their initial values; there is no bias")
    reason = f"{values.weights} weights and no bias: such small trained kernels can look fresh"
    return replace(verdict, reason=reason)


def _orthogonality_error(values: KernelValues, gain: float) -> float | None:
    """Largest deviation of the shorter side's Gram matrix / gain^2 from the identity."""
    if values.sampled or gain == 0:
        return None
    matrix = values.matrix.reshape(-1, values.shape[-1]).astype(np.float64)
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    vectors = matrix[:, : min(matrix.shape[1], 256)]
    gram = vectors.T @ vectors / gain**2
    return float(np.abs(gram - np.eye(len(gram))).max())


def _is_identity(values: KernelValues, gain: float) -> bool:
    if len(values.shape) != 2 or values.sampled:
        return False
    return bool(np.array_equal(values.matrix.reshape(values.shape), gain * np.eye(*values.shape)))


def trained_layers(artifact: Artifact, tested: Collection[str]) -> Iterator[KernelInitialization]:
    """Layers, other than the routes `tested`, with a weight that their initializer cannot draw.

    Recurrent layers, embeddings and attention layers are not tested for their initial values, so
    they are never called fresh here. They prevent a model from being called untrained because of
    its last layer alone.

    Raises:
        ReadError: a bias cannot be read.
    """
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for layer in artifact.architecture.layers if artifact.architecture else ():
        if layer.route in tested:
            continue
        for role, name in layer.variables.items():
            tensor = tensors.get(name)
            reason = _moved(layer, role, tensor) if tensor is not None else ""
            if tensor is not None and reason:
                yield KernelInitialization(
                    route=layer.route,
                    tensor=name,
                    initializer="",
                    state="trained",
                    weights=tensor.size,
                    tests={"trainable": layer.trainable},
                    reason=reason,
                )
                break


def _moved(layer: Layer, role: str, tensor: Tensor) -> str:
    """Why a weight is not at its initial value, or "" without evidence."""
    if role == "bias":
        usual = any(d.kind == "constant" and d.mean in STARTS for d in _drawn(layer, role, tensor))
        if not usual or tensor.source is None or tensor.nbytes > LARGEST:
            return ""
        still = bool(np.isin(tensor.source.array(), STARTS).all())
        return "" if still else "the bias has changed"
    options, stats = _drawn(layer, role.removesuffix("_kernel"), tensor), tensor.stats
    if not options or stats is None:
        return ""
    low = min(each.low for each in options)
    high = max(each.high for each in options)
    slack = ROUNDING * (high - low)
    if stats.minimum < low - slack or stats.maximum > high + slack:
        return "weights exceed the initializer's bound"
    return ""


def _drawn(layer: Layer, role: str, tensor: Tensor) -> tuple[Distribution, ...]:
    """Distributions of a weight's initial values according to the layer's config."""
    said = layer.config.get(f"{role}_initializer")
    said = {"class_name": said} if isinstance(said, str) else said
    return candidates(said, tensor.shape) if isinstance(said, Mapping) else ()
