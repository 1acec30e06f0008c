"""Which changes a model is sensitive to that augmentation teaches to ignore, by sensitivity curves.

That shows what the model does, not how it was trained: training with too little of an augmentation
looks like training without. Only of a model that recognises its inputs: with wrong weights or in
another form, everything costs something. Whether a change alters the label is not in the data, so
it is asked: each layer that is proposed comes with the condition under which it must not be added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.architecture import WindowGrid
from modelaudit.audit_types.diagnosis import Diagnosis, NextStep
from modelaudit.audit_types.sensitivity import (
    AugmentationNeed,
    AugmentationState,
    SensitivityCurve,
    SensitivityPoint,
)
from modelaudit.diagnosis.augmentation_layers import (
    ANTI_ALIAS,
    CONDITIONS,
    LAYERS,
    SINCE,
    TRAIN_WITH,
    changed_in_words,
)
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.loading_code import loading_code
from modelaudit.diagnosis.odds_text import DESCRIPTIONS
from modelaudit.diagnosis.steps.flip import effect_text, flip_layer, judged_output, learned
from modelaudit.facts import Layer
from modelaudit.layer_classes import AUGMENTS
from modelaudit.measures.architecture.modality_words import in_words
from modelaudit.measures.value_transforms import RANGES, value_range
from modelaudit.structs import replace
from modelaudit.terminal_text import first_of
from modelaudit.thresholds.augmentation import (
    CONFIDENT,
    CONFUSED,
    FEW_SURE,
    LOST,
    LOST_ALONE,
    LOST_P,
    MOVED,
    ROBUST,
    VARIED,
)

NAMED = 3  # layers
HEADS: Mapping[AugmentationState, str] = {
    "missing": "Sensitive to",
    "insufficient": "Sensitive to, although a layer of the file augments so",
    "undecided": "Undecided",
    "effective": "Robust, and a layer of the file augments so",
    "unneeded": "Robust without such a layer in the file",
}
# What is covered is lost, also to a model that was trained so: the loss does not tell them apart.
UNDECIDABLE = frozenset({"occlusion"})
FLIPPED = {"H": "left-right flip", "V": "up-down flip"}
STATES: tuple[AugmentationState, ...] = (
    *("missing", "insufficient", "undecided", "effective", "unneeded"),
)


def augmentation_needs(case: Case, first_cause: str) -> tuple[AugmentationNeed, ...]:
    """What the curves say about augmentation: what is missing first, by what it would gain.

    Empty if the model is not sound.
    """
    seen = case.behaviour
    if seen is None or not case.images or first_cause not in DESCRIPTIONS or case.alike:
        return ()
    architecture = case.facts.artifact.architecture
    layers = architecture.layers if architecture else ()
    needs = [
        _need(case, curve, point, layers)
        for curve in seen.sensitivity
        if (point := curve.judged) is not None and not curve.change.startswith("column")
    ]
    needs += _flips(case)
    return tuple(sorted(needs, key=lambda each: (STATES.index(each.state), -_gain(each))))


def _gain(need: AugmentationNeed) -> float:
    return need.gain or 0.0


def sensitive(curve: SensitivityCurve) -> bool | None:
    """Whether the output is sensitive to moderate changes; None if nothing decides.

    Labels decide by what is lost, together with the decisions that the model was sure of: a model
    that is right about half of its inputs changes the others under any change. Without labels,
    these decisions decide alone; the less sure a model is, the more of them may change, and one
    that is sure of few decides nothing.
    """
    point = curve.judged
    if point is None:
        return None
    share = point.sure_changed
    limit = MOVED.value / max(curve.confidence or 1.0, MOVED.value)
    if point.lost is not None and point.p is not None:
        if point.lost < ROBUST.value:
            return False
        moved = share is None or (point.sure >= FEW_SURE.value and share >= limit)
        least = LOST.value if moved else LOST_ALONE.value
        return True if point.lost >= least and point.p < LOST_P.value else None
    if share is not None:
        if point.sure < FEW_SURE.value or (curve.confidence or 1.0) < CONFIDENT.value:
            return None
        return True if share >= limit else False if share < limit / 2 else None
    if point.variation is None:
        return None
    return True if point.variation >= VARIED.value else None


def _flips(case: Case) -> Iterator[AugmentationNeed]:
    """Whether layers of the file that flip inputs did their work."""
    output = judged_output(case)
    for effect in output.transforms if output else ():
        layer = flip_layer(case, effect.name)
        if output is None or effect.name not in FLIPPED or layer is None:
            continue
        known = learned(case, output, effect)
        states: Mapping[bool | None, AugmentationState] = {
            True: "effective",
            False: "insufficient",
            None: "undecided",
        }
        scores = output.accuracy or output.fit
        lost = scores["e"] - scores[effect.name] if {"e", effect.name} <= set(scores) else None
        yield AugmentationNeed(
            change=FLIPPED[effect.name],
            state=states[known],
            text=effect_text(effect, output),
            layer=layer.route,
            gain=lost,
            measure="accuracy" if output.accuracy else "R2" if output.fit else "",
        )


def _need(
    case: Case, curve: SensitivityCurve, point: SensitivityPoint, layers: Sequence[Layer]
) -> AugmentationNeed:
    classes = AUGMENTS.get(curve.change, ())
    layer = next((each.route for each in layers if each.class_name in classes), "")
    found = sensitive(curve)
    if found and curve.change in UNDECIDABLE:
        found = None
    state: AugmentationState = "undecided"
    if found is not None:
        states: tuple[AugmentationState, AugmentationState] = (
            ("insufficient", "effective") if layer else ("missing", "unneeded")
        )
        state = states[0] if found else states[1]
    make = LAYERS.get(curve.change) if found and case.words.one == "image" else None
    condition = CONDITIONS.get(curve.change, "") if found else ""
    return AugmentationNeed(
        change=curve.change,
        state=state,
        text=_text(case, curve, point),
        layer=layer,
        code=make(curve.moderate, _span(case)) if make else "",
        gain=point.lost,
        measure=curve.measure,
        condition=in_words(condition, case.words),
    )


def _span(case: Case) -> tuple[float, float]:
    """The range of the values: what the file says, the usual one, or that of the inputs.

    Inputs may not use all of 0 to 1 or 0 to 255. Around 0, small values are of no usual range.
    """
    if case.behaviour is None:
        return 0.0, 1.0
    inputs = case.behaviour.inputs
    low, high = inputs.value_range
    scale, start = RANGES.get(value_range(low, high), (0.0, 0.0))
    inside = start <= low and high <= start + scale
    if inputs.stated_range is not None and not inside:
        return inputs.stated_range
    return (start, start + scale) if inside and (start == 0 or high - low > 1) else (low, high)


def _text(case: Case, curve: SensitivityCurve, point: SensitivityPoint) -> str:
    """What was measured at the moderate strength, with the control."""
    how = changed_in_words(curve, case.words.many)
    if point.score is not None and curve.given is not None and point.lost is not None:
        shown = "{:.0%}" if curve.measure == "accuracy" else "{:.2f}"
        told = (
            f"{how[:1].upper()}{how[1:]}, the {curve.measure} is {shown.format(point.score)}, "
            f"{shown.format(curve.given)} as given (n = {point.n})"
        )
        if curve.control is not None and curve.control.lost is not None:
            told += (
                f"; an unrelated change of the same size costs {shown.format(curve.control.lost)}"
            )
    elif point.sure_changed is not None:
        told = (
            f"{how[:1].upper()}{how[1:]}, {point.sure_changed:.0%} of the {point.sure} decisions "
            "that the model is sure of change"
        )
        if curve.control is not None and curve.control.sure_changed is not None:
            told += (
                f"; under an unrelated change of the same size, {curve.control.sure_changed:.0%} do"
            )
    else:
        told = (
            f"{how[:1].upper()}{how[1:]}, the output changes {point.variation or 0.0:.2g} times as "
            "much as for another input"
        )
    if curve.confusion is not None and curve.confusion[2] >= CONFUSED.value:
        before, after, share = curve.confusion
        told += f". {share:.0%} of the changed decisions go from class {before} to class {after}"
    return f"{told}."


def with_augmentation(case: Case, diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with what the curves say, and the steps that follow from it."""
    first, *others = diagnosis.causes
    needs = augmentation_needs(case, first.cause)
    steps = (*first.next_steps, *_steps(case, needs))
    missing = [f"{need.change}{_cost(need)}" for need in needs if need.state == "missing"]
    shown = f" {sensitive_to(missing)}" if missing else ""
    return replace(
        diagnosis,
        answer=f"{diagnosis.answer}{shown}",
        augmentation=needs,
        causes=(replace(first, next_steps=steps), *others),
    )


def sensitive_to(changes: Sequence[str]) -> str:
    """A sentence that says so of changes for which the file has no layer."""
    listed = changes[0] if len(changes) == 1 else f"{', '.join(changes[:-1])} and {changes[-1]}"
    return (
        f"It is sensitive to {listed}, which augmentation reduces where the label stays the same."
    )


def _steps(case: Case, needs: Sequence[AugmentationNeed]) -> Iterator[NextStep]:
    """How to train with what is missing, and how to keep shifts by a pixel from mattering."""
    missing = [need for need in needs if need.state == "missing" and need.code]
    if missing:
        lines = "\n".join(
            f"    # Not if {need.condition}.\n    keras.layers.{need.code},{_since(need)}"
            for need in missing
        )
        load = loading_code(case.facts)
        code = TRAIN_WITH.replace("{layers}", lines).replace("{loss}", load.loss)
        yield NextStep(
            "Train on with augmentation for what the model is sensitive to, what costs most first. "
            "The data do not show whether a change alters the label: delete the lines whose "
            "condition holds.",
            code.replace("{model}", load.model),
        )
    profile = case.facts.measurements.profile if case.facts.measurements else None
    shifts = any(each.change == "shift" and each.state == "missing" for each in needs)
    if not shifts or profile is None or case.words.one != "image":
        return
    strided = [grid for grid in profile.grids if max(grid.strides) > 1]
    if strided and not profile.antialiased:
        total = max(profile.total_stride, default=0)  # none if branches sample differently
        every = f"keep one of {total} positions in all" if total else "skip positions"
        yield NextStep(
            f"A shift by one pixel changes predictions: {_named(strided)} {every}, without a "
            "low-pass filter before. Filter, then subsample (Zhang 2019), and train on.",
            ANTI_ALIAS,
        )
    if profile.head == "flatten":
        yield NextStep(
            "A shift by one pixel changes predictions, and Flatten ties each weight to one place: "
            "average over places instead, and train on.",
            "keras.layers.GlobalAveragePooling2D()  # in place of Flatten",
        )


def _since(need: AugmentationNeed) -> str:
    version = SINCE.get(need.change, "")
    return f"  # Keras {version} or newer" if version else ""


def _named(grids: Sequence[WindowGrid]) -> str:
    """The first few layers, with what they sample."""
    return first_of([f"{g.route} ({g.class_name}, padding {g.padding})" for g in grids], NAMED)


def augmentation_lines(needs: Sequence[AugmentationNeed]) -> tuple[str, ...]:
    """What the curves say, in a line for each state that occurs."""
    lines = []
    for state in STATES:
        here = [need for need in needs if need.state == state]
        if here:
            names = ", ".join(f"{need.change}{_cost(need)}" for need in here)
            lines.append(f"{HEADS[state]}: {names}.")
    return tuple(lines)


def _cost(need: AugmentationNeed) -> str:
    if need.state not in {"missing", "insufficient"} or need.gain is None:
        return ""
    if need.measure == "R2":
        return f" (costs {need.gain:.2f} of R2)"
    return f" (costs {100 * need.gain:.0f} points)"
