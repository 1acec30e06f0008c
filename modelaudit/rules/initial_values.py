"""What kernels that look freshly drawn say about a model, together with everything around them.

A p-value alone accuses nobody: small kernels move less than their spread, and lightly trained models
look as drawn everywhere. What counts is a contradiction inside one file: a layer as drawn among layers
that training has moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.facts import Artifact
from modelaudit.findings import Severity
from modelaudit.thresholds.weights import MIN_WEIGHTS_ALONE, SMALL


class Untouched(Struct, frozen=True):
    """A kernel at its initial values in a trained model, and what speaks for and against a fault."""

    kernel: KernelInitialization
    severity: Severity
    against: str = ""


def never_trained(
    artifact: Artifact,
    kernels: Sequence[KernelInitialization],
    norms: Sequence[BatchNormState] = (),
) -> tuple[bool, str]:
    """Whether the whole model is at its initial values; else why it only looks like that, or "".

    Args:
        artifact: the model.
        kernels: all kernels, with undecidable ones.
        norms: its batch normalizations.
    """
    fresh = [
        kernel
        for kernel in kernels
        if kernel.state == "fresh" and not _left_over(artifact, kernel, kernels)
    ]
    if not fresh or any(kernel.state == "trained" for kernel in kernels):
        return False, ""
    largest = max(kernel.weights for kernel in fresh)
    if any(kernel.guessed for kernel in fresh):
        return False, "the file does not name the initializers, so every test would be a guess"
    if any(k.state == "undecidable" and k.weights > largest for k in kernels):
        return False, "larger kernels than those at initial values could not be decided"
    # Training moves biases off their exact initial values, however little it moves kernels.
    biases = [kernel.tests.get("bias_initial") for kernel in fresh]
    redrawn = True in biases and False not in biases
    if _optimizer_moved(artifact) and not redrawn:
        return False, "the optimizer's state shows training steps"
    if any(not norm.statistics_initial for norm in norms):
        return False, "batch statistics show training steps"
    return True, ""


def left_initial(
    artifact: Artifact, kernels: Sequence[KernelInitialization]
) -> tuple[Untouched, ...]:
    """Kernels at their initial values in a model whose other kernels training has moved.

    Bias and weights must both be as drawn, or else the weights alone of a large kernel, if most of
    the other kernels have moved.

    Args:
        artifact: the model.
        kernels: all kernels, with undecidable ones.
    """
    moved = sum(kernel.tests.get("fits") is False for kernel in kernels)
    as_drawn = [kernel for kernel in kernels if kernel.tests.get("fits") is True]
    biases_moved = any(kernel.tests.get("bias_initial") is False for kernel in kernels)
    if not (moved or biases_moved):
        return ()
    guessed = any(kernel.guessed for kernel in as_drawn)
    drawn = {_layer(k) for k in as_drawn if not guessed or k.weights >= SMALL.value}
    # Of two kernels, the one as drawn may be random features, or one that moved little.
    clearly = moved >= max(1, 2 * len(drawn))
    mostly = clearly or (not guessed and moved >= max(1, len(drawn)))
    frozen = [kernel for kernel in kernels if kernel.tests.get("trainable") is False]
    features = bool(frozen) and all(kernel.tests.get("fits") is True for kernel in frozen)
    found = []
    for kernel in as_drawn:
        severity = _severity(kernel, biases_moved=biases_moved, mostly=mostly, clearly=clearly)
        if severity is None or _left_over(artifact, kernel, kernels):
            continue
        if features and kernel in frozen:
            against = "The layer is frozen, and no frozen layer was trained: random features."
        elif _never_optimized(artifact, kernel):
            against = "The optimizer has no state for it: it was frozen during training."
        elif _without_gradient(artifact, kernel):
            against = "The optimizer's moments for it are 0: it received no gradient in training."
            found.append(Untouched(kernel, Severity.MEDIUM, against))
            continue
        else:
            found.append(Untouched(kernel, severity))
            continue
        found.append(Untouched(kernel, Severity.INFO, against))
    return tuple(found)


def _severity(
    kernel: KernelInitialization, *, biases_moved: bool, mostly: bool, clearly: bool
) -> Severity | None:
    """How sure it is that a kernel as drawn was left out; None if it proves nothing.

    `mostly` and `clearly` say how many of the other kernels have moved.
    """
    bias = kernel.tests.get("bias_initial")
    behind = kernel.tests.get("batchnorm_initial") is True or kernel.tests.get("misfit") is True
    companions = (behind or bias is True) and (biases_moved or mostly)
    large = kernel.weights >= SMALL.value
    if kernel.guessed and not companions:
        # A third of small trained kernels fits one of nine initializers.
        return Severity.LOW if large and clearly else None
    sure = Severity.MEDIUM if kernel.guessed else Severity.HIGH
    if kernel.state == "fresh" and companions and (mostly or not kernel.guessed):
        # Training moves every bias: one that is exactly at its initial value among others that
        # moved speaks for a small kernel as drawn, too.
        alone = bias is True and biases_moved and clearly
        return sure if large or alone else Severity.MEDIUM if mostly else None
    if kernel.weights >= MIN_WEIGHTS_ALONE.value and mostly:
        return sure if bias is not False else Severity.MEDIUM
    return Severity.MEDIUM if large and clearly else None


def _layer(kernel: KernelInitialization) -> str:
    """The layer of a kernel, whose route may name the variable as well."""
    layer, _, role = kernel.route.rpartition("/")
    return layer if role in {"kernel", "recurrent_kernel", "embeddings"} else kernel.route


def _optimizer_moved(artifact: Artifact) -> bool:
    return any(
        tensor.role == "optimizer"
        and tensor.size > 1
        and tensor.stats is not None
        and not tensor.stats.constant
        for tensor in artifact.tensors
    )


def _never_optimized(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether the file has optimizer state, but none of the kernel's shape."""
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    slots = {t.shape for t in artifact.tensors if t.role == "optimizer" and len(t.shape) > 1}
    return bool(slots) and shapes.get(kernel.tensor) not in slots


def _without_gradient(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether every moment of the kernel's shape is 0, in an optimizer that trained others."""
    shape = next((t.shape for t in artifact.tensors if t.name == kernel.tensor), None)
    moments = [
        t.stats for t in artifact.tensors if t.role == "optimizer" and t.shape == shape and t.stats
    ]
    zero = bool(moments) and all(stats.minimum == stats.maximum == 0 for stats in moments)
    return zero and _optimizer_moved(artifact)


def _left_over(
    artifact: Artifact, kernel: KernelInitialization, kernels: Sequence[KernelInitialization]
) -> bool:
    """Whether the kernel is a second, unused copy: unclaimed, or named as a trained one."""
    unclaimed = artifact.extra.get("unclaimed")
    if isinstance(unclaimed, list) and kernel.tensor in unclaimed:
        return True
    if artifact.architecture is not None:
        return False
    return any(
        other.tests.get("fits") is False
        and other.weights == kernel.weights
        and (_within(kernel.route, other.route) or _within(other.route, kernel.route))
        for other in kernels
    )


def _within(route: str, longer: str) -> bool:
    """Whether `longer` is the same variable in another scope."""
    return longer.endswith(f"/{route}")
