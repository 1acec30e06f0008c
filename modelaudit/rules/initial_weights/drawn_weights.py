"""What weights as drawn and trained weights have that the others do not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.findings import Severity
from modelaudit.thresholds.training import HARDLY_MOVED
from modelaudit.thresholds.weights import (
    FEWEST_DRAWS,
    FEWEST_WITH_BIAS,
    MIN_WEIGHTS_WITH_BIAS,
    SPREAD,
    UNMOVED,
    USUAL_DRIFT,
)

USUAL = frozenset({"GlorotUniform", "Orthogonal", "RandomUniform"})  # defaults of Keras' layers


def bounded(kernel: KernelInitialization) -> bool:
    """Whether training soon moves some of its weights away from what the initializer draws."""
    return kernel.tests.get("law") in {"uniform", "orthogonal"}


def exact(kernel: KernelInitialization) -> bool:
    """Whether every weight is, bit for bit, one that is drawn or set: no guess, whatever the law is."""
    fewest = FEWEST_DRAWS if kernel.tests.get("law") == "uniform" else MIN_WEIGHTS_WITH_BIAS
    drawn = kernel.tests.get("draws") is True and kernel.weights >= fewest.value
    return drawn or (set_alike(kernel) and kernel.tests.get("fits") is True)


def chosen(kernel: KernelInitialization) -> bool:
    """Whether somebody chose how it is drawn, as of random features: a spread that is no usual one.

    Beside a trained bias it is no random feature.
    """
    own = kernel.guessed and kernel.initializer in {"RandomNormal", "TruncatedNormal"}
    return own and exact(kernel) and kernel.tests.get("bias_initial") is not False


def set_alike(kernel: KernelInitialization) -> bool:
    """Whether it is a matrix that an initializer sets, and draws nothing for: training moves it.

    A kernel of one value is told by another rule, but for that of earlier steps.
    """
    law = kernel.tests.get("law")
    return law == "identity" or (law == "constant" and recurrent(kernel))


def trained(kernel: KernelInitialization) -> bool:
    """Whether its weights are not as drawn, by the law that it would have, or bit for bit.

    Trained weights fit a guess by chance. Beside a trained bias, weights of TensorFlow that are no
    draws were trained.
    """
    tests = kernel.tests
    by_chance = kernel.guessed and tests.get("draws") is False
    return tests.get("fits") is False or (by_chance and tests.get("bias_initial") is False)


def beside_training(kernel: KernelInitialization) -> bool:
    """Whether the bias of its own layer shows that steps were made which move such a matrix."""
    return set_alike(kernel) and kernel.tests.get("bias_initial") is False


def limited(kernel: KernelInitialization) -> bool:
    """Whether it draws no weight beyond some size; of normal draws, truncated ones."""
    return bounded(kernel) or kernel.tests.get("law") == "truncated"


def spread_out(kernel: KernelInitialization) -> bool:
    """Whether its initializer draws from a distribution, which trained weights can still have."""
    return kernel.tests.get("law") in {"uniform", "normal", "truncated"}


def spread(kernel: KernelInitialization) -> float:
    """How many times less than all others a kernel may have moved; 1 beside an unmoved bias."""
    return 1.0 if kernel.tests.get("bias_initial") is True else SPREAD.value


def drift(moved: Sequence[KernelInitialization], times: float) -> float:
    """Least share of the weights beyond the initial bound that training leaves in this model.

    `times` is how many times less than all others a kernel may have moved.
    """
    shares = [
        share
        for kernel in moved
        if kernel.weights >= MIN_WEIGHTS_WITH_BIAS.value
        and isinstance(share := kernel.tests.get("outside"), float)
        and share > 0
    ]
    return min(shares) / times if shares else USUAL_DRIFT.value


def unmoved(
    kernel: KernelInitialization, kernels: Sequence[KernelInitialization], rate: float
) -> bool:
    """Whether weights that were trained like the others could not look as drawn.

    With a share of `rate` beyond the bound, all n weights stay within it with probability
    (1 - rate)^n. A trained matrix is never orthogonal to the last digits, and of trained weights
    half at most are numbers that the generator draws.
    """
    law = kernel.tests.get("law")
    if exact(kernel):
        return True
    if law == "uniform":
        return math.exp(-rate * kernel.weights) * len(kernels) < UNMOVED.value
    return law == "orthogonal" or set_alike(kernel)


def orthogonal(kernel: KernelInitialization) -> bool:
    """Whether it is an orthogonal matrix that training could have changed."""
    frozen = kernel.tests.get("trainable") is False
    return kernel.tests.get("law") == "orthogonal" and not frozen


def trained_before(kernel: KernelInitialization) -> bool:
    """Whether a frozen kernel was trained before it was frozen.

    One that fits no common initializer beside a bias at its start may have another initializer,
    and so may an embedding, which has no bias.
    """
    untold = kernel.tests.get("bias_initial") is True or kernel.route.endswith("/embeddings")
    unknown = kernel.guessed and untold
    return kernel.tests.get("fits") is not True and not unknown


def recurrent(kernel: KernelInitialization) -> bool:
    """Whether it is a recurrent kernel."""
    return kernel.route.endswith("/recurrent_kernel")


def few(kernel: KernelInitialization) -> bool:
    """Whether it has too few weights for a test, but a bias exactly at its start to tell by."""
    tests = kernel.tests
    small = FEWEST_WITH_BIAS.value <= kernel.weights < MIN_WEIGHTS_WITH_BIAS.value
    alone = tests.get("trainable") is not False and tests.get("bias_initial") is True
    return small and alone and not (kernel.guessed or exact(kernel) or "norms" in tests)


def starts_constant(kernel: KernelInitialization) -> bool:
    """Whether its initializer gives one value to all of it."""
    return kernel.initializer in {"Zeros", "Ones", "Constant"} and not kernel.guessed


def when_left_out(kernel: KernelInitialization) -> Severity:
    """How sure it is that a layer which training left out, as drawn, should not be so.

    A frozen table of drawn vectors is mostly one that was never given its pretrained vectors. Other
    layers may be random features on purpose.
    """
    table = kernel.route.endswith("/embeddings") and not kernel.guessed
    drawn = exact(kernel) and kernel.tests.get("draws") is True
    frozen = kernel.tests.get("trainable") is False
    return Severity.LOW if table and drawn and frozen else Severity.INFO


def looks_drawn(kernel: KernelInitialization, most: float = HARDLY_MOVED.value) -> bool:
    """Whether a kernel looks as its initializer draws it, but for this share of its weights.

    An orthogonal matrix W of n rows whose weights moved at random by a share s of their spread has
    entries of about s * sqrt(2 / n) in W.T @ W - 1, of which the largest is about four times as large.
    """
    if kernel.tests.get("law") == "orthogonal":
        error = kernel.tests.get("orthogonality_error")
        return isinstance(error, float) and error <= 4 * most
    # Where the initializer is not known, the closest one may be that of moved weights.
    p = kernel.tests.get("usual_p", kernel.tests.get("ks_p"))
    level = kernel.tests.get("level")
    outside = kernel.tests.get("outside")
    if outside is None and kernel.tests.get("law") == "normal":
        outside = 0.0  # which has no limit
    if not (isinstance(p, float) and isinstance(level, float) and isinstance(outside, float)):
        return False
    return p >= level and outside <= most
