"""Steps about flips: invariance, by construction or learned, and what makes outputs sensitive."""

from __future__ import annotations

from modelaudit.audit_types.behaviour import OutputBehaviour, TransformEffect
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import FLIPS, NO_FLIP, Case, amount, flip_of, information
from modelaudit.diagnosis.directions import direction_text
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.label import recognises
from modelaudit.facts import Layer
from modelaudit.measures.input_corrections import words_of
from modelaudit.thresholds.answers import BETTER_P, EQUAL_P, SATURATED, TIED
from modelaudit.thresholds.flips import (
    ACCURACY_LOSS,
    EXACT,
    FLOOR_SHARE,
    KAPPA,
    KAPPA_MIRROR,
    LEARNED,
    MIRROR_RATIO,
    SENSITIVE,
)

BOTH = "horizontal_and_vertical"  # Keras's default mode of RandomFlip
OF_MORE_KINDS = "{} of more kinds: most of those given get one prediction, or have one label"
# What an output does if it changes with the flip in a regular way.
MOVES = {
    "odd": "changes sign",
    "swap": "swaps classes",
    "spatial": "is transformed with the image",
}


def judged_output(case: Case) -> OutputBehaviour | None:
    """The output to judge under flips: the first that is not collapsed and was flipped."""
    return next(
        (
            o
            for o in case.outputs
            if not o.collapse.collapsed and any(e.nfv is not None for e in o.transforms)
        ),
        None,
    )


def flipped(case: Case) -> tuple[OutputBehaviour, TransformEffect, float] | None:
    """The output to judge, the flip that the question is about, and the remaining variation."""
    output = judged_output(case)
    effect = flip_of(output) if output else None
    if output is None or effect is None or effect.nfv is None:
        return None
    return output, effect, effect.nfv


def _why_not(case: Case) -> CauseUnknown:
    """Why no flip can be judged."""
    if case.behaviour is None:
        return CauseUnknown(case.unfed())
    if case.collapsed and any(o.transforms for o in case.outputs):
        return CauseUnknown("an output that depends on its input")
    return CauseUnknown(NO_FLIP)


def _flipped_image(case: Case) -> tuple[OutputBehaviour, TransformEffect, float] | CauseUnknown:
    """As `flipped`, of a model of images; or why no flip can be judged."""
    if not case.images:
        return CauseUnknown(case.unfed())
    return flipped(case) or _why_not(case)


def effect_text(effect: TransformEffect, output: OutputBehaviour) -> str:
    """What a flip does to the output, in words."""
    if effect.nfv is None:
        return f"{output.name} varies too little to judge inputs {words_of(effect.name)}."
    if effect.action in MOVES and effect.nfv < SENSITIVE.value:
        what = MOVES[effect.action]
        return (
            f"For inputs {words_of(effect.name)}, {output.name} {what}; the unexplained variation "
            f"is {effect.nfv:.2g} times the change between different inputs."
        )
    agreement = ""
    if effect.agreement is not None:
        low, high = effect.agreement_ci or (0.0, 1.0)
        agreement = (
            f"; {effect.agreement:.0%} of the predictions stay the same (95 % interval {low:.0%} "
            f"to {high:.0%})"
        )
    undone = ", with the flip undone on it," if effect.action == "spatial" else ""
    return (
        f"For inputs {words_of(effect.name)}, {output.name}{undone} changes {effect.nfv:.2g} times "
        f"as much as for a different input{agreement}."
    )


def _evidence(effect: TransformEffect, output: OutputBehaviour, limit: float) -> Evidence:
    return Evidence(effect_text(effect, output), "MA604", effect.nfv, limit, effect.n)


def _as_set(case: Case, effect: TransformEffect) -> tuple[Evidence, ...]:
    """What the settings say about this change, if anything."""
    limit = case.facts.settings.threshold("MA604", "flip-sensitive-output")
    if limit is None or effect.nfv is None or effect.name not in {"H", "flip"}:
        return ()
    told = "so this is not a finding" if effect.nfv < limit else "so this is a finding anyway"
    text = f"The settings set the threshold to {limit:g} (MA604), {told}."
    return (Evidence(text, "MA604", effect.nfv, limit, effect.n),)


def by_construction(case: Case) -> StepResult:
    """Exact symmetry, which comes from architecture and weights, not from training."""
    found = flipped(case)
    if found is None:
        return _why_not(case)
    output, effect, nfv = found
    if nfv >= EXACT.value:
        return CauseExcluded(f"the outputs are not exactly symmetric (variation {nfv:.2g})")
    if output.saturated > SATURATED.value:
        return CauseUnknown("the scores before the last activation, which is saturated")
    exact = [e for e in output.transforms if e.nfv is not None and e.nfv < EXACT.value]
    evidence = tuple(_evidence(e, output, EXACT.value) for e in exact[:3])
    return CauseFound(evidence, where=output.name, transform=effect.name)


def learned(case: Case, output: OutputBehaviour, effect: TransformEffect) -> bool | None:
    """Does the model treat flipped inputs like the others? None if nothing decides.

    Labels decide, whatever else changes: the predictions of a model that is right about half of its
    inputs change under any transform. Without labels, the change of the output does, or a layer in
    the file that flips inputs during training, if the predictions then say as much.
    """
    nfv = effect.nfv
    if nfv is None:
        return False
    if nfv < LEARNED.value and (effect.kappa is None or effect.kappa > KAPPA.value):
        return True
    scores = output.accuracy or output.fit
    p = output.worse_p.get(effect.name)
    if p is not None and "e" in scores and effect.name in scores:
        lost = scores["e"] - scores[effect.name]
        if _knows(output) and abs(lost) < ACCURACY_LOSS.value and p >= EQUAL_P.value:
            return True
        better = lost <= -ACCURACY_LOSS.value  # flipped inputs are the ones that it knows
        if better or p < BETTER_P.value or not LEARNED.value <= nfv < SENSITIVE.value:
            return False
        return None
    if nfv < LEARNED.value:
        return False
    if augmented(case, effect) and _says_as_much(output, effect.name):
        return True
    if nfv >= SENSITIVE.value:
        return False
    other = next((e.nfv for e in output.transforms if e.name == "V"), None)
    agreed = effect.kappa is None or effect.kappa > KAPPA.value
    if agreed and _takes_all_alike(output):
        return True
    if effect.name == "H" and other and agreed:
        steady = effect.kappa is None or effect.kappa > KAPPA_MIRROR.value
        return True if steady and nfv / other < MIRROR_RATIO.value else None
    return None


def _knows(output: OutputBehaviour) -> bool:
    """Whether labels are met better than by chance, without which forms are alike by chance."""
    return recognises(output) if output.chance_p is not None else output.fit.get("e", 1.0) > 0


def augmented(case: Case, effect: TransformEffect) -> bool:
    """Whether a layer in the file flips inputs in this way during training."""
    return flip_layer(case, effect.name) is not None


def flip_layer(case: Case, flip: str) -> Layer | None:
    """The first layer in the file that flips inputs in this way during training, if any."""
    needed = {"H": ("horizontal",), "V": ("vertical",), "r180": ("horizontal", "vertical")}
    architecture = case.facts.artifact.architecture
    for layer in architecture.layers if architecture and flip in needed else ():
        mode = str(layer.config.get("mode", BOTH))
        if layer.class_name == "RandomFlip" and all(side in mode for side in needed[flip]):
            return layer
    return None


def _says_as_much(output: OutputBehaviour, flip: str) -> bool:
    """Whether the predictions for flipped inputs carry as much information, within error."""
    high = output.orientation_ci.get(flip, (0.0, 0.0))[1]
    return flip in output.orientation and high + TIED.value >= information(output)


def _takes_all_alike(output: OutputBehaviour) -> bool:
    """No orientation clearly matters, not even a quarter turn: training showed all of them."""
    left = {effect.name: effect.nfv for effect in output.transforms}
    return "r90" in left and all(nfv is not None and nfv < SENSITIVE.value for nfv in left.values())


def output_follows(case: Case) -> StepResult:
    """The output is meant to change with the flip: its sign or its classes."""
    found = _flipped_image(case)
    if isinstance(found, CauseUnknown):
        return found
    output, effect, nfv = found
    if nfv < SENSITIVE.value and effect.action in {"odd", "swap"}:
        evidence = _evidence(effect, output, SENSITIVE.value)
        return CauseFound((evidence,), where=output.name, transform=effect.name)
    return CauseExcluded("the output neither changes sign nor swaps classes under the flip")


def learned_invariance(case: Case) -> StepResult:
    """Training made the output (nearly) the same for flipped inputs."""
    found = _flipped_image(case)
    if isinstance(found, CauseUnknown):
        return found
    output, effect, _ = found
    if effect.action in {"odd", "swap"}:
        return CauseExcluded("the output is meant to change with the flip")
    if not learned(case, output, effect):
        return CauseExcluded(f"inputs {words_of(effect.name)} change the output")
    also = [e for e in output.transforms if e.nfv is not None and learned(case, output, e)]
    also.sort(key=lambda each: FLIPS.index(each.name))
    evidence = (
        *_by_labels(output, effect),
        *(_evidence(e, output, LEARNED.value) for e in also[:3]),
        *_as_set(case, effect),
    )
    return CauseFound(evidence, where=output.name, transform=effect.name)


def treated_alike(output: OutputBehaviour, effect: TransformEffect, nfv: float) -> str:
    """Why flips are no matter, of an output that `learned` says is treated alike."""
    if nfv < SENSITIVE.value:
        how = f", but for that it {MOVES[effect.action]}," if effect.action in MOVES else ""
        much = f"{amount(nfv)} times as much as under another input"
        return f"the output {output.name}{how} hardly changes under the flip ({much})"
    return "flipped inputs are recognised as well as the others, although single outputs change"


def _by_labels(output: OutputBehaviour, effect: TransformEffect) -> tuple[Evidence, ...]:
    """That labels are met as well under the flip, if they were given."""
    scores, measure = (output.accuracy, "accuracy") if output.accuracy else (output.fit, "R2")
    if "e" not in scores or effect.name not in output.worse_p or not _knows(output):
        return ()
    shown = "{:.0%}" if output.accuracy else "{:.2f}"
    given, flipped = (shown.format(scores[name]) for name in ("e", effect.name))
    text = (
        f"On your {effect.n} labels the {measure} is {given} as given and {flipped} "
        f"{words_of(effect.name)}: no significant difference."
    )
    return (Evidence(text, "", scores[effect.name], scores["e"], effect.n),)


def uneven_layers(case: Case) -> list[str]:
    """Layers whose windows do not map onto themselves under a flip."""
    profile = case.facts.measurements.profile if case.facts.measurements else None
    return [g.route for g in profile.grids if not all(g.symmetric)] if profile else []


def _diverse(case: Case) -> bool:
    """Whether the images show what a different input changes, which is the reference for flips."""
    return not case.one_class and not case.alike


def sensitive_architecture(case: Case) -> StepResult:
    """Even with perfectly symmetric kernels, this architecture would respond differently."""
    found = _flipped_image(case)
    if isinstance(found, CauseUnknown):
        return found
    output, effect, nfv = found
    if learned(case, output, effect):
        return CauseExcluded(treated_alike(output, effect, nfv))
    if not _diverse(case):
        return CauseUnknown(OF_MORE_KINDS.format(case.words.many))
    floor = output.floor.get(effect.name)
    if floor is None:
        return CauseUnknown("a model whose kernels can be found and made symmetric in a copy")
    uneven = uneven_layers(case)
    if floor <= FLOOR_SHARE.value * nfv:
        where = f" ({', '.join(uneven[:3])} sample asymmetrically and contribute)" if uneven else ""
        return CauseExcluded(
            "with every kernel made symmetric in a copy, the output changes only by "
            f"{amount(floor)}, compared with {nfv:.2g} for the model itself{where}"
        )
    text = (
        "With every kernel made symmetric in a copy, the flip still changes the output "
        f"{floor:.2g} times as much as another input does; in the model itself, {nfv:.2g} times."
    )
    return CauseFound(
        (
            _evidence(effect, output, LEARNED.value),
            Evidence(text, "MA301", floor, FLOOR_SHARE.value * nfv, effect.n),
            *_as_set(case, effect),
        ),
        where=", ".join(uneven[:3]),
        transform=effect.name,
    )


def sensitive_data(case: Case) -> StepResult:
    """The filters distinguish the two orientations, as training on images of one teaches."""
    found = _flipped_image(case)
    if isinstance(found, CauseUnknown):
        return found
    output, effect, nfv = found
    verdict = learned(case, output, effect)
    if verdict:
        return CauseExcluded(treated_alike(output, effect, nfv))
    if not _diverse(case):
        return CauseUnknown(OF_MORE_KINDS.format(case.words.many))
    evidence = [_evidence(effect, output, LEARNED.value)]
    floor = output.floor.get(effect.name)
    if floor is not None and floor <= FLOOR_SHARE.value * nfv:
        text = (
            "With every kernel made symmetric in a copy, the output would change by "
            f"{amount(floor)}: the architecture does not cause this."
        )
        evidence.append(Evidence(text, "", floor, FLOOR_SHARE.value * nfv, effect.n))
    if verdict is None:
        text = (
            "The effect is weak: training with mirrored images leaves less than "
            f"{LEARNED.value}, training without them leaves at least {SENSITIVE.value}, "
            "and this model is in between."
        )
        evidence.append(Evidence(text))
    directions = direction_text(case)
    evidence += [*_as_set(case, effect), *([Evidence(directions)] if directions else [])]
    profile = case.facts.measurements.profile if case.facts.measurements else None
    against: tuple[Evidence, ...] = ()
    if profile and any("flip" in route.lower() for route in profile.augmentation):
        against = (Evidence("The model contains a layer that flips images during training."),)
    return CauseFound(tuple(evidence), output.name, effect.name, against)
