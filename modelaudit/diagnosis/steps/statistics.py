"""Steps that compare stored batch statistics with the inputs of the layers."""

from __future__ import annotations

import math

from msgspec import UNSET

from modelaudit.audit_types.behaviour import BatchNormFit, OutputBehaviour
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import Case, capacity, r2_in_words, scores
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.collapse import output_called
from modelaudit.diagnosis.steps.label import mostly_wrong
from modelaudit.diagnosis.steps.refitted import met_with_statistics
from modelaudit.rules.grammar import counted
from modelaudit.thresholds.answers import INFORMED, SCORE_GAIN, UNINFORMED
from modelaudit.thresholds.weights import MISFIT, SETTLING


def unsettled_statistics(case: Case) -> StepResult:
    """Moving averages after few steps lie between their initial values and the layer input."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    if not seen.batchnorm:
        return CauseExcluded("the model has no batch normalization whose input was measured")
    bad = case.misfit
    if bad is None or bad.settled is None or bad.settled_misfit is None:
        return CauseExcluded("every batch normalization layer's statistics match its input")
    if bad.settled_misfit > SETTLING.value:
        return CauseExcluded(
            f"the statistics of {bad.route!r} are not between their initial values (mean 0, "
            "variance 1) and the statistics of its input"
        )
    text = (
        f"The statistics of {bad.route!r} have moved {bad.settled:.0%} of the way from their "
        "initial values (mean 0, variance 1) to the statistics of its input, uniformly over all "
        f"channels (misfit {bad.settled_misfit:.2f} at that point, {bad.misfit:.2f} at the "
        f"end){_steps(case, bad)}."
    )
    evidence = Evidence(text, "", bad.settled_misfit, SETTLING.value, seen.inputs.n)
    return CauseFound((evidence,), where=bad.route)


def _steps(case: Case, bad: BatchNormFit) -> str:
    """How many training steps explain the distance, given the layer's momentum."""
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
    """Statistics far from convergence: recomputing them repairs the output."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    tried = seen.interventions.get("recalibrate_batchnorm")
    if tried is None or case.misfit is None:
        return CauseExcluded("every batch normalization layer's statistics match its input")
    before, after = tried.before, tried.after
    output = output_called(case, tried.output)
    restored = met_with_statistics(case)
    if output and restored is not None:
        said, given = _on_labels(output, restored)
        text = (
            f"With all batch statistics recomputed on your {case.words.many} in a copy of the "
            f"model, {said}, and no other form of the inputs does as well: the statistics are "
            f"those of other {case.words.many}, or these {case.words.many} are unlike all that "
            "were tried."
        )
        evidence = Evidence(text, "", restored, given, seen.inputs.n)
        return CauseFound((evidence, *_one_refitted(case, repaired=True)))
    room = capacity(output) if output else 0.0
    if not room:
        return CauseUnknown("an output whose mutual information can be measured")
    if before < UNINFORMED.value * room and after > INFORMED.value * room:
        text = (
            f"Recomputing all batch statistics on your {case.words.many} in a copy of the model "
            f"raises the information in the predictions from {before:.2f} to {after:.2f} of "
            f"{room:.2f} bits, and no other input scale does."
        )
        evidence = Evidence(text, "", after, before, seen.inputs.n)
        return CauseFound((evidence, *_one_refitted(case, repaired=True)))
    return CauseExcluded(
        "recomputing batch statistics changes the information in the predictions only from "
        f"{before:.2f} to {after:.2f} bits"
    )


def _one_refitted(case: Case, *, repaired: bool = False) -> tuple[Evidence, ...]:
    """What the statistics of the first layer that does not match restore, compared with all.

    Args:
        repaired: whether other statistics repair the predictions, so that weights are not why
            labels are not met.
    """
    seen = case.behaviour
    if seen is None:
        return ()
    tried = seen.interventions
    one, every = tried.get("recalibrate_one_batchnorm"), tried.get("recalibrate_batchnorm")
    output = output_called(case, one.output) if one else None
    room = capacity(output) if output else 0.0
    if one is None or every is None or not room:
        return ()
    text = (
        f"With the statistics of {one.layer!r} alone recomputed on your {case.words.many} in a "
        f"copy, the predictions carry {one.after:.2f} instead of {one.before:.2f} bits; with those "
        f"of all such layers {every.after:.2f} of {room:.2f}"
    )
    given = output.accuracy.get("e") if output else None
    if given is not None and one.score is not UNSET and every.score is not UNSET:
        text += (
            f". The accuracy on your {seen.inputs.n} labels is then {one.score:.0%} and "
            f"{every.score:.0%}, and {given:.0%} as given"
        )
        lost = given < UNINFORMED.value and not repaired
        if lost and max(one.score, every.score) < given + SCORE_GAIN.value:
            text += ": with other statistics the answers differ more, but are not right, so weights"
            text += " are wrong"
    elif max(one.after, every.after) < UNINFORMED.value * room:
        text += ": other statistics do not restore them, so weights are wrong as well"
    return (Evidence(f"{text}.", "", one.after, one.before, seen.inputs.n),)


def _on_labels(output: OutputBehaviour, score: float) -> tuple[str, float]:
    """What labels say of a changed copy of the model beside the score as given, and that score."""
    shown = "{:.0%}".format if output.accuracy else r2_in_words
    found, measure = scores(output)
    given = found["e"]
    return f"the {measure} on your labels is {shown(score)}, {shown(given)} as given", given


def _exchanged(case: Case) -> CauseFound | None:
    """Two layers that hold each other's weights: with these exchanged, labels are met."""
    seen = case.behaviour
    tried = seen.interventions.get("exchange_layers") if seen else None
    output = output_called(case, tried.output) if tried else None
    if seen is None or tried is None or output is None or tried.score is UNSET:
        return None
    if tried.responsible is not True:
        return None
    said, given = _on_labels(output, tried.score)
    text = (
        f"With the weights of {tried.layer!r} and {tried.other!r} exchanged in a copy of the "
        f"model, {said}."
    )
    evidence = Evidence(text, "", tried.score, given, seen.inputs.n)
    names = (str(tried.layer), str(tried.other))
    return CauseFound((evidence,), where=" and ".join(names), layers=names, proven=True)


def wrong_weights(case: Case) -> StepResult:
    """Stored statistics contradict the layer input: misplaced weights in the layers before.

    At the first batch normalization layer, other inputs than in training have the same effect.
    """
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    crossed = _exchanged(case)
    if crossed is not None:
        return crossed
    bad = case.misfit
    if bad is not None:
        text = (
            f"{bad.route!r} is the first batch normalization layer whose stored statistics do not "
            f"match its input (misfit {bad.misfit:.2f}; sound models stay below "
            f"{case.misfit_limit:.2f}"
            + (f" on {case.words.many} with equal predictions" if case.alike else "")
            + ")."
        )
        evidence = Evidence(text, "", bad.misfit, case.misfit_limit, seen.inputs.n)
        before = seen.batchnorm[: seen.batchnorm.index(bad)]
        doubtful = next((fit for fit in before if fit.misfit > MISFIT.value), None)
        if not before:
            meaning = (
                f"No such layer stands before it, so either the {case.words.many} differ from "
                "those of training, or the weights before it do; the model does not show which."
            )
        elif doubtful:
            meaning = (
                f"The statistics of {doubtful.route!r} before it do not match well either (misfit "
                f"{doubtful.misfit:.2f}; on varied {case.words.many} sound models stay below "
                f"{MISFIT.value}), so weights before that are most likely those of another layer, "
                "epoch or model."
            )
        else:
            meaning = (
                "Those before it match theirs, so the weights in between are most likely those of "
                "another layer, epoch or model."
            )
        return CauseFound((evidence, Evidence(meaning), *_one_refitted(case)), where=bad.route)
    if seen.batchnorm:
        worst = max(fit.misfit for fit in seen.batchnorm)
        return CauseExcluded(
            f"the statistics of all {len(seen.batchnorm)} batch normalization layers match their "
            f"inputs (misfit at most {worst:.2f})"
        )
    labelled = [output for output in case.outputs if scores(output)[0]]
    if not labelled or case.one_class:
        return CauseUnknown(case.labelled)
    if any(output.collapse.collapsed or mostly_wrong(output) for output in labelled):
        return CauseUnknown("reference outputs saved during training, to compare with")
    return CauseExcluded(
        f"the predictions on labelled {case.words.many} are those of a working model"
    )
