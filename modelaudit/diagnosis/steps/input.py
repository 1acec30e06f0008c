"""Steps about the form of the inputs: another orientation, or another scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    BetterInputs,
    OutputBehaviour,
)
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.audit_types.probe_data import ColumnShift
from modelaudit.diagnosis.case import (
    NO_FLIP,
    Case,
    better_by_labels,
    bits_in_words,
    capacity,
    information,
    labels_contradict,
    likelier,
    p_in_words,
    preferred_p,
    score_text,
)
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.form_evidence import (
    agreement_text,
    agrees,
    informed_orientations,
    informed_scale,
    is_gain,
)
from modelaudit.diagnosis.steps.refitted import met_with_statistics
from modelaudit.diagnosis.steps.scale_evidence import (
    by_margin,
    by_statistics,
    by_upstream_statistics,
    statistics_evidence,
)
from modelaudit.measures.column_forms import is_unit
from modelaudit.measures.input_corrections import parts, words_of
from modelaudit.measures.kernels.batchnorm import inputs_off_scale
from modelaudit.measures.summary import Behaviour
from modelaudit.measures.value_transforms import SWAPS, transform_to, value_range
from modelaudit.thresholds.answers import (
    BETTER_P,
    COSTLY,
    GAIN,
    MIN_CLASSES,
    OPEN_P,
    SCORE_GAIN,
    SUSPECT_P,
    TOP_SHARE,
)
from modelaudit.thresholds.columns import COLUMN_APART
from modelaudit.thresholds.weights import MISFIT, OFF_SCALE, ON_SCALE

BY_STATISTICS = "no form of the inputs meets the labels as well as other batch statistics do"
EQUALLY = " at equal confidence"
ALSO = 4  # other values that are named with those that labels prefer


def orientation_mismatch(case: Case) -> StepResult:
    """The model recognises the images in another orientation than the one given."""
    seen = case.behaviour
    if seen is None:
        return CauseUnknown(case.unfed())
    if not any(o.transforms for o in case.outputs):
        return CauseUnknown(NO_FLIP)
    if not case.images:
        return CauseUnknown(case.wanted)
    if met_with_statistics(case) is not None:
        return CauseExcluded(BY_STATISTICS)
    for output in case.outputs:
        labelled = better_by_labels(output)
        if labelled and not parts(labelled.name)[0]:
            values = words_of(labelled.name)
            return CauseUnknown(
                f"another run with the images {values}, which fit your labels better"
            )
        names = _same_scale(labelled) if labelled else informed_orientations(output)
        if not names or (labelled is None and labels_contradict(output, names[0])):
            continue
        first = next(iter(seen.batchnorm), None)
        if labelled is None and (
            inputs_off_scale(seen.batchnorm, names[0]) or informed_scale(output, first)
        ):
            return CauseUnknown("images on the scale used in training, which differs from theirs")
        evidence = (
            *_labelled_evidence(output, labelled),
            *_seen_in_outputs(output, names, seen.inputs.n),
        )
        return CauseFound(evidence, where=output.name, transform=names[0])
    informative = any(
        (o.collapse.classes or 0) >= MIN_CLASSES.value and o.orientation for o in case.outputs
    )
    if not informative and not any(o.accuracy or o.fit for o in case.outputs):
        return CauseUnknown(
            f"{case.labelled}: if an output has fewer than three classes, only labels decide"
        )
    more = _more_labels(case, moved=True)
    return more or CauseExcluded(
        "no other orientation of the images is recognised better than the one given"
    )


def other_form(case: Case) -> str:
    """The form of the inputs in which the model answers better than as given; empty if none.

    A better answer in another form shows that what the inputs as given do inside the model, such
    as silencing a layer, follows from their form.
    """
    fits = case.behaviour.batchnorm if case.behaviour and case.images else ()
    for output in case.outputs if case.images else ():
        labelled = better_by_labels(output)
        if labelled:
            return labelled.name
        if case.columns:  # only labels decide
            continue
        names = [*informed_orientations(output), informed_scale(output, next(iter(fits), None))]
        found = next((name for name in names if name and not labels_contradict(output, name)), "")
        if found:
            return found
    return ""


def _more_labels(case: Case, *, moved: bool) -> CauseUnknown | None:
    """How many labels would decide, if another form seems better but too few labels show it.

    The standard score of a difference grows with the square root of their number.

    Args:
        moved: whether the form must be another orientation, or else other values.
    """
    for output in case.outputs:
        found = output.better
        if found is None or bool(parts(found.name)[0]) != moved:
            continue
        p = preferred_p(output, found)
        if p < BETTER_P.value and found.score > found.given:
            how = (
                f"the labelled classes are more likely then (p {p_in_words(p)}), but hardly more "
                "answers are right"
                if likelier(found)
                else "but the predicted probabilities do not speak for that form"
            )
            text = f"a look at the inputs: {score_text(found, output.numbering)[:-1]}; {how}"
            return CauseUnknown(text, suspected=True)
        gain = found.score - found.given
        if gain < SCORE_GAIN.value or not BETTER_P.value <= p < OPEN_P.value:
            continue
        score = NormalDist().inv_cdf
        times = (score(1 - BETTER_P.value) / score(1 - p)) ** 2
        enough = math.ceil(found.n * times / 10) * 10
        return CauseUnknown(
            f"more labels: {score_text(found, output.numbering)[:-1]} (p {p_in_words(p)}), which "
            f"chance may explain; about {max(enough, found.n + 10)} would decide it",
            suspected=p < SUSPECT_P.value or gain >= COSTLY.value,
        )
    return None


def _same_scale(labelled: BetterInputs) -> list[str]:
    """The form that labels prefer, and equally good ones on the same scale."""
    domain = parts(labelled.name)[1]
    return [labelled.name, *(each for each in labelled.also if parts(each)[1] == domain)]


def _labelled_evidence(output: OutputBehaviour, found: BetterInputs | None) -> tuple[Evidence, ...]:
    if found is None:
        return ()
    p = preferred_p(output, found)
    how = "adjusted for the number of forms"
    how += ", labels and information in the predictions taken together" if p < found.p else ""
    chosen = "Your labels fit this other form, the only one that was tried"
    if found.tried > 1:
        chosen = f"Of {found.tried} other forms that were tried, your labels make this the most "
        chosen += "probable one"
    chosen += f"; that it is no better than the inputs as given has p {p_in_words(p)} ({how})."
    domain = parts(found.name)[1]
    others = [each for each in found.also if parts(each)[1] != domain]
    alike = "Your labels do not tell this from inputs "
    alike += ", or from inputs ".join(map(words_of, others[:ALSO]))
    more = f" and {len(others) - ALSO} other forms" if len(others) > ALSO else ""
    return (
        Evidence(score_text(found, output.numbering), "", found.score, found.given, found.n),
        Evidence(chosen, "", p, BETTER_P.value, found.n),
        *([Evidence(f"{alike}{more}.")] if others else []),
    )


def _seen_in_outputs(output: OutputBehaviour, names: Sequence[str], n: int) -> Iterator[Evidence]:
    """What the predictions themselves show, without labels."""
    gain = output.gains.get(names[0])

    if gain is not None and agrees(gain) and not is_gain(gain):
        yield Evidence(agreement_text(names[0], gain), "MA603", gain.mirror_bits, GAIN.value, n)
    if names[0] in output.orientation:
        yield _profile_evidence(output, names[0], n)
    top = output.collapse.top_share
    if top is not None and top > TOP_SHARE.value:
        text = f"As given, {top:.0%} of the images get the same prediction."
        yield Evidence(text, "", top, None, n)
    if len(names) > 1:
        also = ", ".join(map(words_of, names[1:]))
        yield Evidence(f"The model cannot distinguish this from images {also}.")


def _profile_evidence(output: OutputBehaviour, name: str, n: int) -> Evidence:
    bits, given = output.orientation[name], information(output)
    text = (
        "Without labels, by how surely and differently inputs are answered: for images "
        f"{words_of(name)} the predictions carry {bits_in_words(output, bits)}, for images as "
        f"given {given:.2f}."
    )
    return Evidence(text, "MA603", bits, given, n)


def input_domain(case: Case) -> StepResult:
    """The values have another scale than the model was trained on."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    if met_with_statistics(case) is not None:
        return CauseExcluded(BY_STATISTICS)
    if case.columns:
        return _other_columns(case, seen)
    first = seen.batchnorm[0] if seen.batchnorm else None
    upstream = by_upstream_statistics(seen, case.outputs[0], case.before_untouched)
    if upstream is not None:
        return upstream
    for output in case.outputs:
        found = _other_scale(seen, output, first) or by_margin(seen, output)
        if found is not None:
            return found
    stated = _stated_scale(seen, case.outputs[0], first)
    if stated is not None:
        return stated
    if first is None and not any(o.accuracy or o.fit for o in case.outputs):
        return CauseUnknown(
            f"{case.labelled}: without batch statistics, a sound model may respond equally on two "
            "scales"
        )
    more = _more_labels(case, moved=False)
    return more or CauseExcluded(
        "no other scale of the values, nor inversion, standardization or swapping red and blue, is "
        "recognised better than the images as given"
    )


def _other_columns(case: Case, seen: Behaviour) -> StepResult:
    """Columns of a table in another unit, or standardised twice or never.

    Without labels, only the statistics that the model holds of its training rows show it.
    """
    shifted = seen.inputs.shifted
    told = tuple(map(_shift_evidence, shifted))
    for output in case.outputs:
        found = better_by_labels(output)
        if found is not None:
            evidence = (*_labelled_evidence(output, found), *told)
            return CauseFound(evidence, where=output.name, transform=found.name)
    scored = any(o.accuracy or o.fit for o in case.outputs)
    if shifted and not scored:
        name, form = case.outputs[0].name, seen.inputs.correction
        if is_unit(form):
            return CauseFound(told, where=name, transform=form, stated=True)
        return CauseUnknown(f"{case.labelled}: {told[0].text[:-1]}", suspected=True)
    tried = any(len(output.accuracy or output.fit) > 1 for output in case.outputs)
    met = "your labels are met no better with a column in another unit, or standardised"
    return _more_labels(case, moved=False) or CauseExcluded(
        met if tried else "no column is far from those of training, or from the others"
    )


def _shift_evidence(shift: ColumnShift) -> Evidence:
    away = abs(shift.mean - shift.trained_mean) / shift.trained_deviation
    text = (
        f"Column {shift.column} (counted from 0) has a mean of {shift.mean:.4g} and a standard "
        f"deviation of {shift.deviation:.3g}; {shift.layer!r} holds {shift.trained_mean:.4g} and "
        f"{shift.trained_deviation:.3g} of training."
    )
    return Evidence(text, "", away, COLUMN_APART.value)


def _stated_scale(
    seen: Behaviour, output: OutputBehaviour, first: BatchNormFit | None
) -> CauseFound | None:
    """Images on another scale than the model's files say.

    Not if labels are met no better on that scale, nor if batch statistics fit only as given.
    """
    said, (low, high) = seen.inputs.stated_range, seen.inputs.value_range
    if said is None:
        return None
    colours = 3 in {seen.inputs.shape[1], seen.inputs.shape[-1]}
    name = transform_to(value_range(low, high), said, colours)
    if not name or labels_contradict(output, name):
        return None
    if first is not None and first.misfit <= MISFIT.value < first.domain.get(name, 0.0):
        return None
    text = (
        f"The model's files say that pixels are brought to {said[0]:.4g}…{said[1]:.4g} before the "
        f"model; the images given go from {low:.4g} to {high:.4g}."
    )
    return CauseFound((Evidence(text),), where=output.name, transform=name)


def _other_scale(
    seen: Behaviour, output: OutputBehaviour, first: BatchNormFit | None
) -> CauseFound | None:
    """The scale indicated by labels, by statistics or by a collapsed output."""
    n = seen.inputs.n
    labelled = better_by_labels(output)
    if labelled:
        move, domain = parts(labelled.name)
        if not domain:
            return None
        return CauseFound(
            _labelled_evidence(output, labelled),
            where=output.name,
            transform=labelled.name,
            together=bool(move),
        )
    name = informed_scale(output, first)
    if not name or labels_contradict(output, name):
        return by_statistics(seen, output, first)
    gain = output.gains[name]
    z = gain.z if name in SWAPS else gain.equal_z or 0.0
    bits = gain.bits if name in SWAPS else gain.equal_bits or 0.0
    text = (
        f"For inputs {words_of(name)} the predictions tell the inputs apart better than as given: "
        f"{bits:.2f} of {capacity(output):.2f} bits more{EQUALLY if name not in SWAPS else ''}, "
        f"{z:.0f} standard errors."
    )
    if agrees(gain):
        mirror = gain.mirror_z or 0.0
        if z < mirror:
            z, bits, text = mirror, gain.mirror_bits or 0.0, agreement_text(name, gain)
    said = Evidence(text, "", bits, GAIN.value, n)
    fits = first is not None and first.domain.get(name, OFF_SCALE.value) < ON_SCALE.value
    if first is not None and fits and first.mean_deviation > OFF_SCALE.value:
        evidence = (said, statistics_evidence(first, name))
        return CauseFound(evidence, where=output.name, transform=name)
    return CauseFound((said,), where=output.name, transform=name)
