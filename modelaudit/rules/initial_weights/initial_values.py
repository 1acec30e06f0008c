"""What kernels that look freshly drawn say about a model, together with everything around them.

A p-value alone accuses nobody: small kernels move less than their spread, and lightly trained models
look as drawn everywhere. What counts is a contradiction inside one file: a layer as drawn among layers
that training has moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.facts import Artifact
from modelaudit.findings import Severity
from modelaudit.measures.kernels.other_weights import OPEN_STEPS
from modelaudit.rules.initial_weights.drawn_weights import (
    USUAL,
    beside_training,
    bounded,
    chosen,
    drift,
    exact,
    few,
    limited,
    orthogonal,
    recurrent,
    set_alike,
    spread,
    spread_out,
    trained,
    trained_before,
    unmoved,
    when_left_out,
)
from modelaudit.rules.initial_weights.initial_explained import (
    BODY,
    FADED_MOMENTS,
    FEATURES,
    FEW,
    FIRST_STEP,
    IDLE_GATES,
    NO_GRADIENT,
    NO_SECOND_STEP,
    NO_STATE,
    ONE_STEP,
    OPEN,
    SLIGHTLY,
)
from modelaudit.rules.initial_weights.moving_averages import averages_apart
from modelaudit.rules.initial_weights.other_causes import other_cause
from modelaudit.rules.initial_weights.training_reach import (
    barely_trained,
    far_from_start,
    hardly_moved,
    steps_passed_by,
    trained_slightly,
    untouched_biases,
)
from modelaudit.rules.initial_weights.training_traces import (
    faded_moments,
    left_out,
    left_over,
    optimizer_moved,
    tells_frozen,
    without_gradient,
)
from modelaudit.rules.initial_weights.untrained_bodies import (
    Untouched,
    body_left_out,
    layer_of,
    only_head_moved,
    whole_networks,
)
from modelaudit.rules.initial_weights.untrained_outputs import explained_by_layers
from modelaudit.rules.network.sequence_steps import one_step, open_forward
from modelaudit.thresholds.weights import (
    LIGHT,
    MIN_WEIGHTS_ALONE,
    SMALL,
    USUAL_DRIFT,
)


def never_trained(
    artifact: Artifact,
    kernels: Sequence[KernelInitialization],
    norms: Sequence[BatchNormState] = (),
) -> tuple[bool, str]:
    """Whether the whole model is at its initial values; else why it only looks like that, or "".

    Args:
        kernels: all kernels, with undecidable ones.
    """
    kernels, _ = hardly_moved(artifact, averages_apart(kernels)[0])
    drawn = [
        kernel
        for kernel in kernels
        if kernel.tests.get("fits") is True and not left_over(artifact, kernel, kernels)
    ]
    fresh = [kernel for kernel in drawn if kernel.state == "fresh"]
    if not fresh or any(kernel.state == "trained" for kernel in kernels):
        return False, ""
    if other := far_from_start(artifact, kernels):
        return False, other
    largest = max(kernel.weights for kernel in fresh)
    biases = [kernel.tests.get("bias_initial") for kernel in fresh]
    # Training moves biases off their exact initial values, however little it moves kernels.
    redrawn = True in biases and False not in biases
    moved = any(kernel.tests.get("fits") is False for kernel in kernels)
    # A step changes every batch normalization and every orthogonal matrix, so no kernel moved where
    # all are as they were made.
    made = [norm.statistics_initial and norm.affine_initial for norm in norms]
    # Of a kernel with an unmoved bias, a guess that does not fit says that the initializer is another.
    beyond = any(
        kernel.tests.get("fits") is False
        and not (kernel.guessed and kernel.tests.get("bias_initial") is True)
        for kernel in kernels
    )
    rotated = any(orthogonal(kernel) for kernel in fresh) and not beyond
    first = redrawn and (all(made) if made else rotated)
    if (
        any(kernel.guessed for kernel in fresh)
        and not all(exact(kernel) for kernel in drawn if "norms" not in kernel.tests)
        and not first
        and (
            moved
            or not redrawn
            or not all(limited(kernel) for kernel in drawn if "norms" not in kernel.tests)
        )
    ):
        return False, "the file does not name the initializers, so every test would be a guess"
    if any(
        k.state == "undecidable"
        and k.weights > largest
        and not first
        and not unmoved(k, kernels, USUAL_DRIFT.value)
        for k in kernels
    ):
        return False, "larger kernels than those at initial values could not be decided"
    if optimizer_moved(artifact) and not redrawn:
        return False, "the optimizer's state shows training steps"
    if any(not norm.statistics_initial for norm in norms):
        return False, "batch statistics show training steps"
    return True, ""


def left_initial(
    artifact: Artifact,
    kernels: Sequence[KernelInitialization],
    norms: Sequence[BatchNormState] = (),
) -> tuple[Untouched, ...]:
    """Kernels at their initial values in a model whose other kernels training has moved.

    Either its companions, the bias or the batch normalization behind it, are at their initial
    values as well, or the weights prove it alone: if they had been trained like the others, some
    of them would be beyond the bound of the initializer. The distribution proves nothing: trained
    weights often keep it, above all before a normalization, where their scale has no effect.

    Args:
        kernels: all kernels, with undecidable ones.
    """
    found = _left_initial(artifact, kernels, norms)
    if all(each.against in {FEATURES, NO_STATE, BODY} for each in found):
        found = only_head_moved(artifact, averages_apart(kernels)[0]) or found
    found = explained_by_layers(artifact, found, kernels)
    steps = barely_trained(artifact) if found else 0
    if not steps:
        return tuple(
            Untouched(each.kernel, Severity.LOW, SLIGHTLY)
            if not each.against and trained_slightly(artifact, each.kernel)
            else each
            for each in found
        )
    return tuple(
        each
        if not each.against and steps_passed_by(artifact, each.kernel)
        else Untouched(
            each.kernel,
            min(each.severity, Severity.LOW, key=lambda x: x.rank),
            FEW.format(steps),
        )
        for each in found
    )


def _first_steps(artifact: Artifact, kernel: KernelInitialization) -> str:
    """What tells that a recurrent kernel may have been trained on first steps only; "" if nothing."""
    told = str(kernel.tests.get("idle_gates", ""))
    if told in IDLE_GATES:
        return IDLE_GATES[told]
    if one_step(artifact, kernel.tensor) is None:
        return ONE_STEP
    return OPEN if told == OPEN_STEPS else ""


def _no_gradient(artifact: Artifact, kernel: KernelInitialization) -> str:
    """Why no gradient reached a recurrent kernel whose layer was trained."""
    if untouched_biases(artifact, kernel):
        return NO_GRADIENT
    return NO_SECOND_STEP if open_forward(artifact, kernel.tensor) else FIRST_STEP


def _left_initial(
    artifact: Artifact,
    kernels: Sequence[KernelInitialization],
    norms: Sequence[BatchNormState],
) -> tuple[Untouched, ...]:
    kernels, _ = averages_apart(kernels)
    others = [kernel for kernel in kernels if trained(kernel)]
    moved = len(others)
    as_drawn = [k for k in kernels if k.tests.get("fits") is True and not trained(k)]
    # A third of small trained kernels fits one of the common initializers without a bound.
    matrices = [k for k in as_drawn if "norms" not in k.tests]
    credible = [k for k in matrices if not k.guessed or bounded(k) or exact(k)]
    biases = [k.tests.get("bias_initial") for k in kernels] + [n.affine_initial for n in norms]
    biases_moved = False in biases
    # A test that rejects a guess by chance does not show that anything was trained.
    if not (biases_moved or any(each.state != "undecidable" for each in others)):
        return ()
    guessed = any(kernel.guessed for kernel in matrices)
    drawn = {layer_of(k) for k in credible if not guessed or k.weights >= SMALL.value}
    # Of two kernels, the one as drawn may be random features, or one that moved little.
    clearly = moved >= max(1, 2 * len(drawn))
    mostly = clearly or (not guessed and moved >= max(1, len(drawn)))
    frozen = [kernel for kernel in kernels if kernel.tests.get("trainable") is False]
    features = bool(frozen) and not any(trained_before(kernel) for kernel in frozen)
    designed = moved <= len(drawn) and not tells_frozen(artifact)
    normed = not any(kernel.tests.get("batchnorm_initial") is True for kernel in others)
    beside = [kernel for kernel in credible if kernel.tests.get("bias_initial") is False]
    faded = faded_moments(artifact, kernels)
    found = []
    for kernel in as_drawn:
        slightly = _slightly(kernel, beside, moved)
        if slightly and kernel.tests.get("bias_initial") is False:
            continue
        rate = drift(others, spread(kernel))
        severity = _severity(
            kernel,
            biases_moved=biases_moved,
            mostly=mostly,
            clearly=clearly,
            rarely=biases.count(False) >= 2 * biases.count(True),
            alone=(moved > 0 or beside_training(kernel))
            and not slightly
            and unmoved(kernel, kernels, rate),
            normed=normed,
            planned=artifact.architecture is not None,
        )
        dead = without_gradient(artifact, kernel, faded)
        unused = recurrent(kernel) and kernel.tests.get("bias_initial") is False
        if left_over(artifact, kernel, kernels) or (severity is None and not dead):
            continue
        idle = FEATURES if features and kernel in frozen else left_out(artifact, kernel)
        if idle:
            against, severity = idle, when_left_out(kernel)
        elif unused and one_step(artifact, kernel.tensor) in ({True, None} if dead else {True}):
            against, severity = ONE_STEP, Severity.INFO
        elif dead or severity is None:
            against = _no_gradient(artifact, kernel) if unused and dead else NO_GRADIENT
            low = against == NO_SECOND_STEP or severity is Severity.LOW
            severity = Severity.LOW if low else Severity.MEDIUM
        elif unused and (first := _first_steps(artifact, kernel)):
            against, severity = first, Severity.MEDIUM if first is OPEN else Severity.LOW
        elif dead is None:
            against, severity = FADED_MOMENTS, Severity.LOW
        elif other := other_cause(artifact, kernel, kernels):
            against, severity = other, Severity.LOW
        elif designed and severity is Severity.HIGH:
            against = "The file does not tell whether its layers are frozen."
            severity = Severity.MEDIUM if moved > 1 else Severity.LOW
        else:
            against = ""
        found.append(Untouched(kernel, severity, against))
    return whole_networks(artifact, body_left_out(artifact, found), kernels)


def _slightly(
    kernel: KernelInitialization, beside: Sequence[KernelInitialization], moved: int
) -> bool:
    """Whether the kernel may look as drawn because the model was trained lightly.

    `beside` are the kernels that look as drawn beside a trained bias, `moved` the number of kernels
    that do not. Trained kernels often keep a law without a bound: they say nothing about a kernel
    with one.
    """
    alike = [
        each
        for each in beside
        if (bounded(each) or not bounded(kernel)) and (exact(each) or not exact(kernel))
    ]
    exactly = kernel.tests.get("law") == "orthogonal" or set_alike(kernel)
    # Of all kernels, training of biases alone leaves more than one as drawn, bit for bit.
    most = max(LIGHT.value * moved, float(exact(kernel) and moved > 0))
    return len(alike) > most and not exactly


def _severity(
    kernel: KernelInitialization,
    *,
    biases_moved: bool,
    mostly: bool,
    clearly: bool,
    rarely: bool,
    alone: bool,
    normed: bool,
    planned: bool,
) -> Severity | None:
    """How sure it is that a kernel as drawn was left out; None if it proves nothing.

    `mostly` and `clearly` say how many of the other kernels have moved, `rarely` that hardly any bias
    is still at its initial value, `alone` that its weights cannot have been trained like the
    others, `normed` that no batch normalization behind a kernel that has moved is at its initial
    values, `planned` that the file has an architecture.
    """
    bias = kernel.tests.get("bias_initial")
    reset = normed and kernel.tests.get("batchnorm_initial") is True
    behind = reset or kernel.tests.get("misfit") is True
    companions = (behind or bias is True) and (biases_moved or mostly)
    large = kernel.weights >= SMALL.value
    usual = not kernel.guessed or kernel.initializer in USUAL
    if (norms := kernel.tests.get("norms")) is not None:
        # All of several: perhaps a converter moved gamma and beta into the layers behind.
        alike = norms == kernel.tests.get("initial")
        skipped = not alike or (norms == 1 and biases_moved and planned)
        return Severity.HIGH if skipped else Severity.MEDIUM
    if alone and (usual or exact(kernel)):
        lower = Severity.MEDIUM if companions else Severity.LOW
        return lower if chosen(kernel) else Severity.HIGH
    # Beside a trained bias one without a bound proves nothing: a third of small ones fit a guess.
    told = large and clearly and (bias is not False or bounded(kernel))
    if kernel.guessed and kernel.tests.get("draws") is False and not bounded(kernel):
        told = False  # the generator did not draw it, so it fits a guess by chance
    if kernel.guessed and not companions:
        return Severity.LOW if told else None
    sure = Severity.HIGH if usual or (large and bounded(kernel)) else Severity.MEDIUM
    if kernel.state == "fresh" and companions and (mostly or not kernel.guessed):
        # Training moves every bias: one that is exactly at its initial value among others that
        # moved speaks for a small kernel as drawn, too.
        by_bias = bias is True and biases_moved and (clearly or rarely)
        if large or (by_bias and usual):
            return sure
        if not usual:  # few weights fit one of many guesses, and a bias may cancel
            return Severity.LOW if mostly or by_bias else None
        return Severity.MEDIUM if mostly else None
    if few(kernel) and biases_moved and rarely and planned:
        return Severity.MEDIUM
    by_size = kernel.weights >= MIN_WEIGHTS_ALONE.value and mostly
    if by_size and bias is not False and not spread_out(kernel):
        return sure
    return Severity.LOW if by_size or told else None
