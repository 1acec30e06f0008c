"""Steps about the form of the inputs: another orientation, or another scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelaudit.audit_types.behaviour import BatchNormFit, OutputBehaviour
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import (
    FLIPS,
    NO_FLIP,
    SCALES,
    WORDS,
    Case,
    better_by_labels,
    bits_in_words,
    capacity,
    information,
    labels_contradict,
    scores,
    simplest_first,
)
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.measures.behaviour.orientation import better_orientations
from modelaudit.measures.behaviour.outputs import LARGEST_MARGIN
from modelaudit.measures.kernels.batchnorm import inputs_off_scale
from modelaudit.measures.summary import Behaviour
from modelaudit.thresholds.answers import (
    INFORMED,
    LITTLE,
    MARGIN,
    MARGIN_TRAINED,
    MIN_CLASSES,
    PEAK,
    SAME_SCORE,
    TIED,
    TOP_SHARE,
    UNINFORMED,
)
from modelaudit.thresholds.weights import MISFIT, OFF_SCALE, OFF_SCALE_ALONE, ON_SCALE

KEEPS_RANGE = ("1-x", "BGR")  # variants that make no value larger


def orientation_mismatch(case: Case) -> StepResult:
    """The model recognises the images in another orientation than the one given."""
    seen = case.behaviour
    if seen is None:
        return CauseUnknown(case.unfed())
    if not any(o.transforms for o in case.outputs):
        return CauseUnknown(NO_FLIP)
    if not case.images:
        return CauseUnknown(case.wanted)
    for output in case.outputs:
        labelled = better_by_labels(output, FLIPS)
        names = [labelled.name, *labelled.also] if labelled else _informed(output)
        name = names[0] if names else ""
        if not name or (labelled is None and labels_contradict(output, name)):
            continue
        if labelled is None and inputs_off_scale(seen.batchnorm, name):
            return CauseUnknown("images on the scale used in training, which differs from theirs")
        scale = better_by_labels(output, SCALES)
        if scale and scale.other > scores(output)[0].get(name, -math.inf) + SAME_SCORE.value:
            return CauseUnknown("images on the scale that your labels indicate")
        evidence = []
        if labelled:
            text, given, other = labelled.text, labelled.given, labelled.other
            evidence.append(Evidence(text, "", other, given, seen.inputs.n))
        if name in output.orientation:
            evidence.append(_profile_evidence(output, name, seen.inputs.n))
        top = output.collapse.top_share
        if top is not None and top > TOP_SHARE.value:
            text = f"As given, {top:.0%} of the images get the same prediction."
            evidence.append(Evidence(text, "", top, None, seen.inputs.n))
        if len(names) > 1:
            also = ", ".join(WORDS[each] for each in names[1:])
            evidence.append(Evidence(f"The model cannot distinguish this from images {also}."))
        return CauseFound(0.97, tuple(evidence), where=output.name, transform=name)
    informative = any(
        (o.collapse.classes or 0) >= MIN_CLASSES.value and o.orientation for o in case.outputs
    )
    if not informative and not any(o.accuracy or o.fit for o in case.outputs):
        return CauseUnknown(
            f"{case.labelled}: if an output has fewer than three classes, only labels decide"
        )
    return CauseExcluded(
        "no other orientation of the images is recognised better than the one given"
    )


def _informed(output: OutputBehaviour) -> list[str]:
    """Orientations that carry much more information, beyond sampling error; the simplest first."""
    if (output.collapse.classes or 0) < MIN_CLASSES.value:
        return []
    found = better_orientations(
        output.orientation, information(output), capacity(output), output.orientation_ci
    )
    return [name for name, _ in simplest_first(found)]


def _profile_evidence(output: OutputBehaviour, name: str, n: int) -> Evidence:
    bits, given = output.orientation[name], information(output)
    text = (
        f"For images {WORDS[name]} the predictions carry {bits_in_words(output, bits)}, for images "
        f"as given {given:.2f}."
    )
    return Evidence(text, "MA603", bits, given, n)


def input_domain(case: Case) -> StepResult:
    """The values have another scale than the model was trained on."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    first = seen.batchnorm[0] if seen.batchnorm else None
    for output in case.outputs:
        found = _other_scale(seen, output, first) or _by_margin(seen, output)
        if found is not None:
            return found
    if first is None and not any(o.accuracy or o.fit for o in case.outputs):
        return CauseUnknown(
            f"{case.labelled}: without batch statistics, a sound model may respond equally on two "
            "scales"
        )
    return CauseExcluded(
        "no other scale of the values, nor inversion, standardisation or swapping red and blue, is "
        "recognised better than the images as given"
    )


def _other_scale(
    seen: Behaviour, output: OutputBehaviour, first: BatchNormFit | None
) -> CauseFound | None:
    """The scale indicated by labels, by statistics or by a collapsed output."""
    n, domains = seen.inputs.n, set(output.domain) | set(first.domain if first else ())
    labelled = better_by_labels(output, domains | (set(output.fit) - set(FLIPS)))
    if labelled:
        evidence = Evidence(labelled.text, "", labelled.other, labelled.given, n)
        return CauseFound(0.95, (evidence,), where=output.name, transform=labelled.name)
    better = better_orientations(output.domain, information(output), capacity(output))
    if not better and output.collapse.collapsed:
        # The scale on which a constant output carries at least half of its capacity, if any
        best = max(output.domain, key=lambda name: output.domain[name], default="")
        enough = bool(best) and output.domain[best] > UNINFORMED.value * capacity(output)
        better = {best: output.domain[best]} if enough and capacity(output) else {}
    found = simplest_first(better)
    if not found:
        return _by_statistics(seen, output, first)
    name, bits = _best_fitting(seen, found)
    if labels_contradict(output, name):
        return _by_statistics(seen, output, first)
    also = [] if seen.batchnorm else [other for other, _ in found[1:]]
    said = Evidence(
        f"For inputs {WORDS.get(name, name)} the predictions carry {bits_in_words(output, bits)}, "
        f"as given {information(output):.2f}.{_undecided(also)}",
        "",
        bits,
        information(output),
        n,
    )
    fits = first is not None and first.domain.get(name, OFF_SCALE.value) < ON_SCALE.value
    if first is not None and fits and first.mean_deviation > OFF_SCALE.value:
        return CauseFound(
            0.95, (said, _statistics_evidence(first, name)), where=output.name, transform=name
        )
    # Without statistics that confirm it, more information is no proof: values that are too large
    # also make sound models more confident. It counts if the output is otherwise constant, for
    # variants that keep the range of values, and if the gain far exceeds that of the largest
    # values.
    many = (output.collapse.classes or 0) >= MIN_CLASSES.value
    if output.collapse.collapsed and (fits or (first is None and many)):
        return CauseFound(0.9, (said,), where=output.name, transform=name)
    if first is None and many and _stands_out(output, name, bits):
        return CauseFound(0.8, (said,), where=output.name, transform=name)
    return _by_statistics(seen, output, first)


def _stands_out(output: OutputBehaviour, name: str, bits: float) -> bool:
    """Whether the inputs as given carry too little, and far more on this scale."""
    given = information(output)
    larger = given if name in KEEPS_RANGE else max(given, output.domain.get("*255", 0.0))
    return given < INFORMED.value * capacity(output) and bits - larger > PEAK.value


def _best_fitting(seen: Behaviour, found: list[tuple[str, float]]) -> tuple[str, float]:
    """Of scales that carry much more, the one that best matches all statistics, or the simplest."""
    if not seen.batchnorm:
        return found[0]
    return min(found, key=lambda each: _strain(seen, each[0]))


def _strain(seen: Behaviour, name: str) -> float:
    """Mean deviation over all batch normalisation layers on one scale."""
    return sum(fit.domain.get(name, math.inf) for fit in seen.batchnorm) / len(seen.batchnorm)


def _by_statistics(
    seen: Behaviour, output: OutputBehaviour, first: BatchNormFit | None
) -> CauseFound | None:
    """Statistics that do not match, but match on another scale on which no information is lost.

    They decide alone if they are far off, and if a constant output has nothing to add. They must
    be far off if there are no classes whose information could confirm it.
    """
    room = capacity(output)
    limit = MISFIT.value if room else OFF_SCALE_ALONE.value
    if first is None or first.mean_deviation <= limit:
        return None
    best = min(first.domain, key=lambda name: _strain(seen, name), default="")
    if not best or _strain(seen, best) >= ON_SCALE.value or labels_contradict(output, best):
        return None
    bits, said = output.domain.get(best, 0.0), (information(output), *output.domain.values())
    alone = first.mean_deviation > OFF_SCALE_ALONE.value
    alone |= output.collapse.collapsed and max(said) < LITTLE.value * room
    if (
        room
        and not alone
        and (bits <= LITTLE.value * room or bits < information(output) - TIED.value)
    ):
        return None
    return CauseFound(0.85, (_statistics_evidence(first, best),), where=output.name, transform=best)


def _by_margin(seen: Behaviour, output: OutputBehaviour) -> CauseFound | None:
    """Predictions far more confident than training produces, but normal on another scale.

    This is the only sign without normalisation: rectified layers respond equally on every scale.
    """
    if output.margin is None or output.margin <= MARGIN.value:
        return None
    usual = {
        name: output.domain.get(name, 0.0)
        for name, margin in output.domain_margin.items()
        if margin < MARGIN_TRAINED.value and not _less_right(output, name)
    }
    (best, *others), bits = _as_good(usual)
    if bits <= INFORMED.value * capacity(output):
        return None
    least = "at least " if output.margin >= LARGEST_MARGIN else ""
    said = bits_in_words(output, usual[best])
    text = (
        f"As given, the most likely class is {least}e^{output.margin:.0f} times as likely as the "
        "next (median), which is more confident than training makes a network. For inputs "
        f"{WORDS.get(best, best)} it is e^{output.domain_margin[best]:.1f} times, and the "
        f"predictions carry {said}.{_undecided(others)}"
    )
    evidence = Evidence(text, "", output.margin, MARGIN.value, seen.inputs.n)
    return CauseFound(0.85, (evidence,), where=output.name, transform=best)


def _as_good(scales: Mapping[str, float]) -> tuple[list[str], float]:
    """The scales that carry the most information, the simplest first, and how much that is."""
    bits = max(scales.values(), default=0.0)
    tied = {name: each for name, each in scales.items() if bits - each <= TIED.value}
    return [name for name, _ in simplest_first(tied)] or [""], bits


def _undecided(others: Sequence[str]) -> str:
    """A sentence about scales that are equally good; empty if there are none."""
    names = " or ".join(WORDS.get(name, name) for name in others)
    return (
        f" They carry as much {names}; the model does not show which one training used."
        if names
        else ""
    )


def _less_right(output: OutputBehaviour, name: str) -> bool:
    """Whether labels were given and contradict this scale."""
    return output.accuracy.get(name, 1.0) < output.accuracy.get("e", 0.0) - SAME_SCORE.value


def _statistics_evidence(first: BatchNormFit, name: str) -> Evidence:
    text = (
        f"The input of {first.route} is {first.mean_deviation:.2g} standard deviations from the "
        f"training mean; {WORDS.get(name, name)} it is {first.domain[name]:.2f} from it."
    )
    return Evidence(text, "", first.mean_deviation, OFF_SCALE.value)
