"""Comparison of a model's outputs in several runtimes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.loading import Agreement
from modelaudit.facts import Artifact
from modelaudit.probe.host.session import Outputs, Session
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.feeding import prepare_inputs
from modelaudit.probe.study.golden_replay import in_order, moved_by_rounding, run_outputs
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.probe.study.open_sizes import inputs_to_try
from modelaudit.probe.study.runner import Array, StudyEnded
from modelaudit.restore.golden_check import (
    compare_output,
    matching_output,
    precision_of,
    ranked_gaps,
    rounding,
    with_rounding,
)
from modelaudit.settings import ProbeSettings
from modelaudit.structs import replace
from modelaudit.thresholds.restoration import MOST_NOISE, NOISE_FACTOR, SAME_FIRST_RUN

SAMPLES = 16  # number of probe inputs for every runtime
MORE_SAMPLES = (
    64  # the same for a model that amplifies rounding, since some inputs then say nothing
)
_NUMBERED = re.compile(r"output_(\d+)")  # exports' names for unnamed outputs


class ReferenceRun(Struct, frozen=True):
    """Outputs of a model in the first runtime that loaded it.

    Attributes:
        seen: how it was loaded.
        arrays: one input per port of `seen`, in its order; empty if there are no inputs.
        outputs: outputs by name, in the model's order.
        noise: largest difference between two runs, the second with another batch size.
        rounded: by output and rank, how far rounding of the weights moves the rows; {} if no
            further than is usual.
        reason: why there are no outputs to compare with, or "".
        failed: whether that is because it could not be called.
    """

    seen: Observation
    arrays: tuple[Array, ...] = ()
    outputs: Mapping[str, Array] | None = None
    noise: float = 0.0
    rounded: Mapping[str, NDArray[np.float64]] = {}
    reason: str = ""
    failed: bool = False


def run_reference(
    session: Session, artifact: Artifact, settings: ProbeSettings, data: Path | None
) -> ReferenceRun:
    """Run a loaded model on a few probe inputs, which other runtimes will be given too.

    Where it takes none of the usual size, such as short sequences before poolings, they are larger.
    """
    seen = session.observation
    few = replace(settings, samples=min(settings.samples, MORE_SAMPLES))
    fed = prepare_inputs(seen, artifact, few, data)
    if isinstance(fed, Unprobeable):
        return ReferenceRun(seen, reason=fed.reason)
    first = None
    with suppress(StudyEnded):
        for each in inputs_to_try(session, artifact, few, fed):
            found = _run(session, artifact, each.arrays)
            if not found.failed:
                return found
            first = first or found
    return first or _failed(seen, session.observation)


def _run(session: Session, artifact: Artifact, given: tuple[Array, ...]) -> ReferenceRun:
    """Outputs for the first of these inputs, or for more if the model amplifies rounding."""
    seen = session.observation
    usual = _allowed(artifact) / NOISE_FACTOR.value
    for samples in (SAMPLES, MORE_SAMPLES):
        arrays = tuple(array[:samples] for array in given)
        answered = run_outputs(session, arrays)
        if isinstance(answered, Observation):
            return _failed(seen, answered)
        outputs, noise = answered
        least = usual * _scale(outputs)
        rounded = moved_by_rounding(session, arrays, outputs, least) if noise < least else {}
        if not rounded:
            break
    reason = "" if outputs else "no output of the model has numbers"
    return ReferenceRun(seen, arrays, outputs, noise, rounded, reason)


def compare_with_reference(
    session: Session, artifact: Artifact, first: ReferenceRun, *, in_order_of_model: bool = False
) -> Agreement:
    """Run the model on the same inputs in another runtime, and report the largest difference.

    Inputs and outputs are matched by name, or else by shape if it is unique. Outputs are also
    matched by their place if both are Keras models (`in_order_of_model`).
    """
    blank = Agreement(first.seen.runtime, first.seen.call)
    if first.outputs is None or first.reason:
        reason = f"no outputs of {first.seen.runtime} to compare with: {first.reason}"
        return replace(blank, not_compared=reason)
    names = (port.name for port in first.seen.inputs)
    given = dict(zip(names, first.arrays, strict=True))
    arrays = in_order(given, session.observation.inputs)
    if arrays is None:
        reason = "its inputs have other names, and their shapes are not unique"
        return replace(blank, not_compared=reason)
    answered = run_outputs(session, arrays)
    if isinstance(answered, Observation):
        return replace(blank, not_compared=_why(answered), failure=answered.failure)
    outputs, own_noise = answered
    noise = max(first.noise, own_noise)
    allowed = _allowed(artifact)
    scale = _scale(first.outputs)
    most = max(MOST_NOISE.value, allowed) * scale
    rounded = max((float(ranks[0]) for ranks in first.rounded.values()), default=0.0)
    found = []
    for place, (name, then) in enumerate(first.outputs.items()):
        now = _partner(name, place, first.outputs, outputs)
        if now is None and in_order_of_model and len(outputs) == len(first.outputs):
            now = [*outputs.values()][place]
        if now is None or now.shape != then.shape:
            reason = f"no output matches {name!r} of shape {then.shape}"
            return replace(blank, not_compared=reason)
        compared = compare_output(name, now, then, allowed, noise)
        if name in first.rounded and not compared.reproduced:
            compared = with_rounding(compared, ranked_gaps(now, then), first.rounded[name])
            if NOISE_FACTOR.value * np.median(first.rounded[name]) > most:
                reason = f"rounding alone moves most of them, by up to {rounded:.3g}"
                return replace(blank, not_compared=reason)
        found.append(compared)
    worst = max(found, key=lambda each: each.difference / each.tolerance)
    equal = max(SAME_FIRST_RUN.value, allowed) * scale
    if noise > most and worst.difference <= worst.tolerance:
        # A state that goes on from call to call: the first runs start with the same one.
        if worst.difference > equal:
            reason = f"they differ by {noise:.3g} between two runs of the same file"
            return replace(blank, not_compared=reason)
        worst = replace(worst, tolerance=equal)
    return replace(
        blank,
        output=worst.name,
        difference=worst.difference,
        relative=worst.relative,
        tolerance=worst.tolerance,
        noise=noise,
        rounding=rounded,
        samples=min(len(array) for array in arrays),
    )


def _allowed(artifact: Artifact) -> float:
    """What other kernels can change, in units of 1 + max|y|."""
    return rounding({*(t.dtype for t in artifact.tensors), precision_of(artifact)})


def _scale(outputs: Mapping[str, Array]) -> float:
    return 1 + max((float(np.abs(y).max(initial=0)) for y in outputs.values()), default=0.0)


def _failed(loaded: Observation, called: Observation) -> ReferenceRun:
    """The run of a model that was loaded and could not be called."""
    return ReferenceRun(loaded, reason=_why(called), failed=True)


def _why(seen: Observation) -> str:
    return f"it failed: {seen.failure}"


def _partner(name: str, place: int, wanted: Mapping[str, Array], outputs: Outputs) -> Array | None:
    """The output with that name, or else the only one with its shape, or with its number."""
    shape = wanted[name].shape
    found = matching_output(name, shape, (value.shape for value in wanted.values()), outputs)
    if found is not None:
        return found
    if len(outputs) == len(wanted) and all(map(_NUMBERED.fullmatch, outputs)):
        numbered = outputs.get(f"output_{place}")
        if numbered is not None and numbered.shape == shape:
            return numbered
    return None
