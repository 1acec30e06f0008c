"""Is a kernel still at its initial values?

Three things say so together: no weight beyond the initializer's bound, a bias still exactly at its
own initial value, and weights distributed as the initializer draws them. Alone, the distribution
test calls a fifth of trained layers fresh: weights move less than their own spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelaudit.facts import Json, Kernel
from modelaudit.measures.kernels.initializers import (
    Distribution,
    candidates,
    canonical_name,
    display_name,
    standard_candidates,
)
from modelaudit.measures.kernels.random_matrix import spectrum_excess
from modelaudit.measures.kernels.values import KernelValues
from modelaudit.measures.statistics import kolmogorov_smirnov
from modelaudit.measures.summary import KernelInitialization

LEVEL = 0.001  # over all kernels of a model together
MIN_WEIGHTS_WITH_BIAS = 64
MIN_WEIGHTS_ALONE = 1000
# Excess of the largest eigenvalue that independent weights do not reach: at most 1.16 in 10,400
# draws of 64 to 131,072 weights (`benchmarks/spectrum_null.py`). Trained kernels: 2 to 4.
MAX_EXCESS = 1.25
_MAX_DRAWN = 1 << 16


@dataclass(frozen=True, slots=True)
class Companions:
    """What else is known of a kernel's layer.

    `bias_initial`: the bias is bitwise at its initial value (None: no bias, or unknown).
    `batchnorm_initial`: the BatchNormalization directly behind it is wholly at its initial
    values (None: there is none). `trainable` as saved.
    """

    bias_initial: bool | None = None
    batchnorm_initial: bool | None = None
    trainable: bool = True


def kernel_initialization(
    kernel: Kernel, values: KernelValues, dtype: str, companions: Companions, kernels: int
) -> KernelInitialization:
    """Decide one kernel, at a level shared by all `kernels` of the model (Bonferroni).

    Args:
        kernel: with its initializer, or None where the file does not say.
        values: its weights.
        dtype: stored dtype, which sets how far rounding may carry a weight over the bound.
        companions: state of bias and batch normalisation.
        kernels: number of kernels tested in the model.
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
            return replace(verdict, state="trained", reason="the bias has moved")
        return replace(verdict, reason=f"the initializer {name!r} is not one that can be tested")
    rounding = 2.0**-8 if dtype in ("bfloat16", "float16") else 1e-5
    level = LEVEL / max(kernels, 1) / len(options)
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
        return replace(verdict, state="trained", reason="the bias has moved")
    if not best.inside:
        reason = "weights lie beyond the initializer's bound"
    elif best.p <= level:
        reason = "weights are not distributed as the initializer draws them"
    else:
        return _still_initial(verdict, values, companions, best.bounded and known)
    if known:
        return replace(verdict, state="trained", reason=reason)
    return replace(verdict, reason="weights fit none of the nine usual initializers")


def with_first_inconsistent(
    verdict: KernelInitialization, inconsistent: bool
) -> KernelInitialization:
    """Decide a small kernel without bias by the batch normalisation directly behind it.

    On images, the statistics stored behind a redrawn kernel no longer fit what it computes, and
    those behind the first such kernel are the first that do not fit.
    """
    open_case = verdict.state == "undecidable" and verdict.tests.get("fits") is True
    if not (inconsistent and open_case):
        return verdict
    reason = "fits its initializer, and the statistics directly behind it do not fit it"
    return replace(verdict, state="fresh", reason=reason)


@dataclass(frozen=True, slots=True)
class _Fit:
    """`bounded`: training soon carries some weight over an edge, so that staying inside tells."""

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
        exact = error is not None and error < max(1e-3, rounding)
        return _Fit(exact, float(exact), True, {"orthogonality_error": error})
    if distribution.kind == "identity":
        exact = _is_identity(values, distribution.gain)
        return _Fit(exact, float(exact), True, {"gain": distribution.gain})
    margin = rounding * max(abs(distribution.low), abs(distribution.high))
    inside = math.isinf(margin) or (
        distribution.low - margin <= values.minimum and values.maximum <= distribution.high + margin
    )
    drawn = _drawn(values.matrix)
    distance, p = kolmogorov_smirnov(distribution.cdf(np.sort(drawn)))
    bounded = math.isfinite(distribution.high)
    details = {
        "bound": distribution.high if bounded else None,
        "ks_distance": distance,
        "ks_weights": len(drawn),
    }
    return _Fit(inside, p, bounded, details)


def _drawn(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """At most 65,536 weights, evenly spaced: enough to tell distributions apart."""
    flat = matrix.reshape(-1)
    if flat.size > _MAX_DRAWN:
        flat = flat[np.arange(_MAX_DRAWN) * flat.size // _MAX_DRAWN]
    return flat.astype(np.float64)


def _still_initial(
    verdict: KernelInitialization, values: KernelValues, companions: Companions, strict: bool
) -> KernelInitialization:
    """All tests of the weights passed: is that enough?

    `strict`: they were held to one known initializer, and to its bound. Without a bound, trained
    kernels of thousands of weights pass.
    """
    tests = dict(verdict.tests) | {"fits": True}
    excess = None if values.sampled else spectrum_excess(values.matrix, values.shape)
    if excess is not None and "ks_distance" in tests:
        tests["spectrum_excess"] = excess
        if excess > MAX_EXCESS:
            reason = "singular values stand out of the spectrum of independent weights"
            return replace(verdict, state="trained", reason=reason, tests=tests)
    verdict = replace(verdict, tests=tests)
    fresh = replace(verdict, state="fresh", reason="weights and bias are at their initial values")
    if companions.bias_initial and values.weights >= MIN_WEIGHTS_WITH_BIAS:
        return fresh
    if companions.bias_initial:
        return replace(verdict, reason=f"too few weights ({values.weights})")
    if companions.batchnorm_initial:
        reason = "weights and the batch normalisation behind are at their initial values"
        return replace(fresh, reason=reason)
    if not strict:
        return replace(verdict, reason="neither an initializer with a bound nor a bias to test")
    if values.weights >= MIN_WEIGHTS_ALONE:
        return replace(fresh, reason="weights are at their initial values; there is no bias")
    reason = f"{values.weights} weights and no bias: trained kernels this small can pass as fresh"
    return replace(verdict, reason=reason)


def _orthogonality_error(values: KernelValues, gain: float) -> float | None:
    """Largest deviation of the shorter side's Gram matrix from gain^2 times the identity."""
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
