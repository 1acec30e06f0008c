"""Steps that compare stored batch statistics with what flows through the model."""

from __future__ import annotations

import math

from modelaudit.diagnosis.case import LABELS, Case, capacity, scores
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, Evidence, StepResult
from modelaudit.diagnosis.steps.collapse import number, output_called
from modelaudit.diagnosis.steps.label import mostly_wrong
from modelaudit.measures.summary import BatchNormFit
from modelaudit.rules.grammar import counted
from modelaudit.thresholds.answers import INFORMED, UNINFORMED
from modelaudit.thresholds.weights import SETTLING


def unsettled_statistics(case: Case) -> StepResult:
    """Moving averages of few steps: they stand between where they start and what flows in."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    bad = case.misfit
    if bad is None or bad.settled is None or bad.settled_misfit is None:
        return CauseExcluded("no batch normalisation is far from what flows into it")
    if bad.settled_misfit > SETTLING.value:
        return CauseExcluded(
            f"what {bad.route} stores lies nowhere between mean 0 and variance 1, where training "
            "starts, and what flows in"
        )
    text = (
        f"What {bad.route} stores has come {bad.settled:.0%} of the way from mean 0 and variance "
        f"1, where training starts, to what flows in, all channels alike (misfit "
        f"{bad.settled_misfit:.2f} on that way, {bad.misfit:.2f} at its end){_steps(case, bad)}."
    )
    evidence = Evidence(text, "", bad.settled_misfit, SETTLING.value, seen.inputs.n)
    return CauseFound(0.9, (evidence,), where=bad.route)


def _steps(case: Case, bad: BatchNormFit) -> str:
    """How many steps of training leave statistics so far from settled, by the layer's momentum."""
    architecture = case.facts.artifact.architecture
    layers = architecture.layers if architecture else ()
    momentum = next((x.config.get("momentum") for x in layers if x.route == bad.route), None)
    share = bad.settled
    if not isinstance(momentum, float) or not 0 < momentum < 1 or not share or share == 1:
        return ""
    steps = max(1, round(math.log(1 - share) / math.log(momentum)))
    after = counted(steps, "step", "steps")
    return f", as after about {after} with a momentum of {momentum:g}"


def unconverged_statistics(case: Case) -> StepResult:
    """Statistics that training left far from converged: recomputing them repairs the output."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    tried = seen.interventions.get("recalibrate_batchnorm")
    if not tried or case.misfit is None:
        return CauseExcluded("no batch normalisation is so far off that recomputing it could help")
    before, after = number(tried.get("before")), number(tried.get("after"))
    output = output_called(case, tried.get("output"))
    room = capacity(output) if output else 0.0
    if before is None or after is None or not room:
        return CauseUnknown("an output whose information can be measured")
    if before < UNINFORMED.value * room and after > INFORMED.value * room:
        text = (
            "Recomputing all batch statistics on your images in a copy of the model lifts what "
            f"the answers say from {before:.2f} to {after:.2f} of {room:.2f} bits, and no other "
            "scale of the input does."
        )
        return CauseFound(0.9, (Evidence(text, "", after, before, seen.inputs.n),))
    return CauseExcluded(
        f"recomputing batch statistics changes what the answers say from {before:.2f} to "
        f"{after:.2f} bits only"
    )


def wrong_weights(case: Case) -> StepResult:
    """Stored statistics contradict what flows in: weights of another model stand before them."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    bad = case.misfit
    if bad is not None:
        text = (
            f"{bad.route} is the first batch normalisation whose stored statistics do not fit "
            f"what flows into it (misfit {bad.misfit:.2f}; sound models stay under "
            f"{case.misfit_limit:.2f}{' on images that are answered alike' * case.alike})."
        )
        evidence = Evidence(text, "", bad.misfit, case.misfit_limit, seen.inputs.n)
        return CauseFound(0.85, (evidence,), where=bad.route)
    if seen.batchnorm:
        worst = max(fit.misfit for fit in seen.batchnorm)
        return CauseExcluded(
            f"all {len(seen.batchnorm)} batch normalisations fit what flows into them (misfit at "
            f"most {worst:.2f})"
        )
    labelled = [output for output in case.outputs if scores(output)[0]]
    if not labelled or case.one_class:
        return CauseUnknown(LABELS)
    if any(output.collapse.collapsed or mostly_wrong(output) for output in labelled):
        return CauseUnknown("outputs kept from the day of training, to compare with")
    return CauseExcluded("labelled images are answered as a working model answers them")
