"""Whether a kernel still has its initial values.

Three criteria must agree: no weight exceeds the initializer's bound, the bias is exactly at its own
initial value, and the weights follow the initializer's distribution. The distribution test alone
takes a fifth of trained layers for fresh, since weights move less than their standard deviation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np
from msgspec import Struct

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Json, Kernel
from modelaudit.measures.kernels.generator_draws import (
    generator_drew,
    only_draws,
    paired_draws,
)
from modelaudit.measures.kernels.initializers import (
    ORTHOGONAL_SIDE,
    TRUNCATED_STD,
    Distribution,
    candidates,
    canonical_name,
    display_name,
    einsum_candidates,
    normal,
    standard_candidates,
    truncated,
)
from modelaudit.measures.kernels.law_fit import (
    LawFit,
    fit_json,
    flat_fit,
    law_fit,
    outside,
)
from modelaudit.measures.kernels.values import KernelValues
from modelaudit.measures.statistics import spectrum_excess
from modelaudit.structs import replace
from modelaudit.thresholds.weights import (
    FEWEST_DRAWS,
    LEVEL,
    MAX_EXCESS,
    MIN_WEIGHTS_ALONE,
    MIN_WEIGHTS_WITH_BIAS,
)

_USUAL = "glorot_uniform"  # of the layers of Keras and of `tf.layers`


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
        dtype: stored dtype, which determines how far rounding can exceed the bound.
        companions: state of bias and batch normalization.
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
    fits = {label: law_fit(d, values, rounding) for label, d in options.items()}
    label, best = max(
        fits.items(),
        key=lambda option: (
            option[1].fits(level),
            option[1].fits(level) and option[0] in (_USUAL, "orthogonal"),
            option[1].bounded,
            option[1].inside,
            option[1].p,
        ),
    )
    if not known:
        label = _drawn_between(options, fits, values, dtype) or label
        best = fits[label]
    if not known and not best.fits(level):
        label, best = _of_own_spread(values, companions, dtype, rounding) or (label, best)
    tests = dict(verdict.tests) | fit_json(best, values, rounding) | {"level": best.part(level)}
    if not known:
        closest = display_name(canonical_name({"class_name": label}))
        verdict = replace(verdict, initializer=closest, guessed=True)
        share = outside(options[_USUAL], values, rounding)  # by the usual one, whichever is closest
        tests |= {"outside": share, "usual_p": fits[_USUAL].p}
    misfit = _against(best, level, values)
    sure = False
    if best.inside and dtype == "float32" and best.law is not None:
        if (drawn := generator_drew(best.law, values)) is not None:
            tests["draws"] = drawn
        even = best.law.kind == "uniform"
        fewest = FEWEST_DRAWS if even else MIN_WEIGHTS_WITH_BIAS
        sure = drawn is True and values.weights >= fewest.value
        if sure and even:  # normal draws are of any spread
            misfit = None  # unlikely draws are draws, too
    verdict = replace(verdict, tests=tests | {"fits": misfit is None} | _structure(values, best))
    if companions.bias_initial is False:
        return replace(verdict, state="trained", reason="the bias has changed")
    if misfit is None:
        if sure:
            return replace(verdict, state="fresh", reason="every weight is a draw, bit for bit")
        return _still_initial(verdict, companions, best.bounded and known)
    if known or misfit is _Misfit.SPECTRUM:  # which no independent draws have
        return replace(verdict, state="trained", reason=misfit.value)
    return replace(verdict, reason="weights match none of the common initializers")


def _of_own_spread(
    values: KernelValues, companions: LayerContext, dtype: str, rounding: float
) -> tuple[str, LawFit] | None:
    """The fit of an identity, or of a law with the spread of the weights, if no file names one."""
    for label, law in (
        ("identity", Distribution("identity")),
        ("orthogonal", Distribution("orthogonal", gain=_gain(values))),
    ):
        if (found := law_fit(law, values, rounding)).inside:
            return label, found
    if companions.bias_initial and (flat := flat_fit(values, rounding)) is not None:
        return "random_uniform", flat
    if dtype != "float32" or not paired_draws(values):
        return None
    spread = float(values.matrix.std(dtype=np.float64))
    largest = max(abs(values.minimum), abs(values.maximum))
    cut = truncated(max(spread / TRUNCATED_STD, largest / 2))
    if cut.std * TRUNCATED_STD < spread * (1 + values.weights**-0.5):  # by its standard error
        return "truncated_normal", law_fit(cut, values, rounding)
    return "random_normal", law_fit(normal(spread), values, rounding)


def _drawn_between(
    options: Mapping[str, Distribution],
    fits: Mapping[str, LawFit],
    values: KernelValues,
    dtype: str,
) -> str:
    """The initializer of even draws that the weights are, bit for bit; empty without one."""
    if values.weights < FEWEST_DRAWS.value or dtype != "float32":
        return ""
    even = (x for x, law in options.items() if law.kind == "uniform" and fits[x].inside)
    return next((label for label in even if only_draws(options[label], values)), "")


def _gain(values: KernelValues) -> float:
    """The factor of the weights, if they are an orthogonal matrix times one; 0 of small ones."""
    sides = values.shape[-1], values.matrix.size // max(values.shape[-1], 1)
    if min(sides) < ORTHOGONAL_SIDE:
        return 0.0
    return math.sqrt(float(np.square(values.matrix, dtype=np.float64).sum()) / min(sides))


class _Misfit(StrEnum):
    """Why weights are not those of an initializer."""

    BOUND = "weights exceed the initializer's bound"
    DISTRIBUTION = "weights do not follow the initializer's distribution"
    EXTREMES = "the largest weights are smaller than those of the initializer"
    SPECTRUM = "the largest singular value is too large for independent weights"


def _against(fit: LawFit, level: float, values: KernelValues) -> _Misfit | None:
    """Why the weights are not those of the initializer; None if they may be."""
    if not fit.inside:
        return _Misfit.BOUND
    if min(fit.p, fit.spread_p) <= fit.part(level):
        return _Misfit.DISTRIBUTION
    if not fit.fits(level):
        return _Misfit.EXTREMES
    excess = _structure(values, fit).get("spectrum_excess")
    if isinstance(excess, float) and excess > MAX_EXCESS.value:
        return _Misfit.SPECTRUM
    return None


def _structure(values: KernelValues, fit: LawFit) -> dict[str, Json]:
    """The spectrum of weights that could be independent draws."""
    if values.sampled or not fit.inside or fit.law is None:
        return {}
    excess = spectrum_excess(values.matrix, values.shape)
    return {} if excess is None else {"spectrum_excess": excess}


def with_first_inconsistent(
    verdict: KernelInitialization, inconsistent: bool
) -> KernelInitialization:
    """Decide about a small kernel without bias from the batch normalization directly after it.

    On images, the stored statistics after a re-initialised kernel do not fit its outputs, and the
    first such kernel in a model is followed by the first statistics that do not fit.
    """
    open_case = verdict.state == "undecidable" and verdict.tests.get("fits") is True
    if not (inconsistent and open_case):
        return verdict
    reason = "weights match the initializer, and the statistics directly after it do not fit"
    tests = dict(verdict.tests) | {"misfit": True}
    return replace(verdict, state="fresh", reason=reason, tests=tests)


def like_their_kind(
    found: Sequence[KernelInitialization], shapes: Mapping[str, tuple[int, ...]]
) -> list[KernelInitialization]:
    """The same; what fits another guess than untouched layers of its kind was not drawn so.

    Copies of a network, such as an actor and its target, have the same initializers. A kernel whose
    bias has moved and that is beyond the bound of the others fits a law without one by chance.

    Args:
        found: verdicts of all kernels.
        shapes: tensor name -> stored shape.
    """
    kinds: defaultdict[object, set[tuple[str, object]]] = defaultdict(set)
    for each in found:
        if each.guessed and each.tests.get("bias_initial") and each.tests.get("fits"):
            kinds[_kind(each, shapes)].add((each.initializer, each.tests.get("law")))

    def odd(each: KernelInitialization) -> bool:
        alike = kinds.get(_kind(each, shapes), set())
        drawn = each.guessed and each.tests.get("bias_initial") is False
        bounded = len(alike) == 1 and {law for _, law in alike} == {"uniform"}
        return drawn and bounded and each.tests.get("law") in ("normal", "truncated")

    reason = "layers of its kind have another initializer"
    return [
        replace(x, state="trained", reason=reason, tests=dict(x.tests) | {"fits": False})
        if odd(x)
        else x
        for x in found
    ]


def small_together(found: Sequence[KernelInitialization]) -> list[KernelInitialization]:
    """The same; kernels that are too small for a verdict alone are decided together.

    They are fresh if every kernel of the model is as drawn and has an untouched bias, and all of
    them together have as many weights as one that is decided alone. Each bias is evidence of its
    own: a step of training moves nearly all of them.
    """
    untouched = all(
        each.tests.get("fits") is True and each.tests.get("bias_initial") is True for each in found
    )
    small = [each for each in found if each.state == "undecidable"]
    weights = sum(each.weights for each in small)
    if not untouched or len(small) < 2 or weights < MIN_WEIGHTS_WITH_BIAS.value:
        return [*found]
    reason = (
        f"the weights and biases of {len(small)} small kernels ({weights} weights) are at their "
        "initial values"
    )
    return [replace(x, state="fresh", reason=reason) if x in small else x for x in found]


def _kind(
    kernel: KernelInitialization, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[str, tuple[int, ...]]:
    """What copies of one layer have in common."""
    layer = kernel.route.removesuffix("/kernel").rpartition("/")[2]
    return layer, shapes.get(kernel.tensor, ())


def _options(kernel: Kernel, shape: tuple[int, ...]) -> Mapping[str, Distribution]:
    if kernel.initializer is None:
        return standard_candidates(shape)
    einsum = kernel.kind == "dense" and len(shape) == 3
    found = (einsum_candidates if einsum else candidates)(kernel.initializer, shape)
    return {f"{d.kind} {index}": d for index, d in enumerate(found)}


def _still_initial(
    verdict: KernelInitialization, companions: LayerContext, strict: bool
) -> KernelInitialization:
    """Decide about a kernel whose weights passed all tests.

    `strict`: a single, known initializer with a bound was tested. Without a bound, trained kernels
    with thousands of weights pass.
    """
    fresh = replace(verdict, state="fresh", reason="weights and bias are at their initial values")
    if companions.bias_initial and verdict.weights >= MIN_WEIGHTS_WITH_BIAS.value:
        return fresh
    if companions.bias_initial:
        return replace(verdict, reason=f"too few weights ({verdict.weights})")
    if companions.batchnorm_initial:
        reason = "weights and the following batch normalization are at their initial values"
        return replace(fresh, reason=reason)
    if not strict:
        return replace(verdict, reason="there is neither a bounded initializer nor a bias to test")
    if verdict.weights >= MIN_WEIGHTS_ALONE.value:
        return replace(fresh, reason="weights are at their initial values; there is no bias")
    reason = f"{verdict.weights} weights and no bias: such small trained kernels can look fresh"
    return replace(verdict, reason=reason)
