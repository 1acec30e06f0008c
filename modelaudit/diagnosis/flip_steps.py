"""Steps about flips: orientation mismatch, invariance, and what makes it sensitive."""

from __future__ import annotations

from modelaudit.diagnosis import thresholds as at
from modelaudit.diagnosis.case import (
    FLIPS,
    IMAGES,
    WORDS,
    Case,
    better,
    capacity,
    flip_of,
    information,
)
from modelaudit.diagnosis.model import Answer, Evidence, Excluded, Found, Unknown
from modelaudit.measures.summary import OutputBehaviour, TransformEffect

NO_FLIP = "an input that has left and right (images, sequences or volumes)"


def _effect(effect: TransformEffect, output: OutputBehaviour) -> Evidence:
    agreement = ""
    if effect.agreement is not None:
        low, high = effect.agreement_ci or (0.0, 1.0)
        agreement = (
            f"; {effect.agreement:.0%} of the answers stay the same (95 % interval {low:.0%} to "
            f"{high:.0%})"
        )
    text = (
        f"{WORDS.get(effect.name, effect.name).capitalize()}, inputs move {output.name} by "
        f"{effect.nfv:.2g} of what another input does{agreement}."
    )
    return Evidence(text, "MA604", effect.nfv, at.LEARNED, effect.n)


def _living(case: Case) -> OutputBehaviour | None:
    """The output to judge by flips: the first that is not collapsed and was flipped."""
    return next(
        (
            o
            for o in case.outputs
            if not o.collapse.collapsed and any(e.nfv is not None for e in o.transforms)
        ),
        None,
    )


def orientation_mismatch(case: Case) -> Answer:
    """The model understands the images in another orientation than the one they come in."""
    if case.behaviour is None:
        return Unknown(f"running the model ({case.not_run()})")
    if not any(o.orientation for o in case.outputs):
        return Unknown(NO_FLIP) if not any(o.transforms for o in case.outputs) else Unknown(IMAGES)
    if not case.images:
        return Unknown(IMAGES)
    n = case.behaviour.inputs.n
    for output in case.outputs:
        by_label = _better_labelled(output)
        found = better(dict(output.orientation), information(output), capacity(output))
        name = by_label or (found[0] if found else "")
        if not name:
            continue
        if by_label is None and output.accuracy and _labels_contradict(output, name):
            continue
        evidence = [_profile_evidence(output, name, n)]
        if name in output.accuracy:
            evidence.append(
                Evidence(
                    f"Accuracy on your labels is {output.accuracy['e']:.0%} as given and "
                    f"{output.accuracy[name]:.0%} {WORDS[name]}.",
                    "",
                    output.accuracy[name],
                    output.accuracy["e"],
                    n,
                )
            )
        if output.collapse.top_share is not None and output.collapse.top_share > at.TOP_SHARE:
            evidence.append(
                Evidence(
                    f"As given, {output.collapse.top_share:.0%} of the images get the same answer.",
                    "MA602",
                    output.collapse.top_share,
                    None,
                    n,
                )
            )
        return Found(0.97, tuple(evidence), where=output.name, transform=name)
    small = all(capacity(o) <= 1.0 for o in case.outputs)
    if small and not any(o.accuracy for o in case.outputs):
        return Unknown("labelled images: with two classes or none, only labels tell orientation")
    return Excluded("no other orientation of the images carries much more information")


def _profile_evidence(output: OutputBehaviour, name: str, n: int) -> Evidence:
    bits, given = output.orientation.get(name), information(output)
    if bits is None or not capacity(output):
        return Evidence(f"{output.name} fits the labels when inputs are {WORDS[name]}.", n=n)
    text = (
        f"Images {WORDS[name]} carry {bits:.2f} of {capacity(output):.2f} bits into {output.name}, "
        f"as given {given:.2f}."
    )
    return Evidence(text, "MA603", bits, given, n)


def _better_labelled(output: OutputBehaviour) -> str | None:
    """The orientation that labels prefer clearly, if there is one."""
    scores = {name: output.accuracy[name] for name in FLIPS if name in output.accuracy}
    given = output.accuracy.get("e")
    if given is None or not scores:
        return None
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0.8 and scores[best] - given > 0.2 else None


def _labels_contradict(output: OutputBehaviour, name: str) -> bool:
    return name in output.accuracy and output.accuracy[name] < output.accuracy.get("e", 0.0) + 0.02


def by_construction(case: Case) -> Answer:
    """Exact invariance: architecture and weights, not training, make it so."""
    output = _living(case)
    if case.behaviour is None:
        return Unknown(f"running the model ({case.not_run()})")
    if output is None:
        return Unknown(NO_FLIP)
    exact = [e for e in output.transforms if e.nfv is not None and e.nfv < at.EXACT]
    if not exact:
        effect = flip_of(output)
        seen = f"{effect.nfv:.2g}" if effect and effect.nfv is not None else "not 0"
        return Excluded(f"flips do change the output (normalised flip variation {seen})")
    chosen = min(exact, key=lambda effect: FLIPS.index(effect.name))
    evidence = tuple(_effect(e, output) for e in exact[:3])
    return Found(0.97, evidence, where=output.name, transform=chosen.name)


def _plain(case: Case) -> tuple[OutputBehaviour, TransformEffect] | None:
    output = _living(case)
    effect = flip_of(output) if output else None
    return (output, effect) if output and effect and effect.nfv is not None else None


def _learned(output: OutputBehaviour, effect: TransformEffect) -> bool | None:
    """Has training made the output invariant? None in the grey zone where nothing decides."""
    nfv = effect.nfv
    if nfv is None or nfv >= at.SENSITIVE:
        return False
    if nfv < at.LEARNED:
        return effect.kappa is None or effect.kappa > at.KAPPA
    accuracy = output.accuracy
    if "e" in accuracy and effect.name in accuracy:
        return accuracy["e"] - accuracy[effect.name] < at.ACCURACY_LOSS
    other = next((e.nfv for e in output.transforms if e.name == "V"), None)
    if effect.name == "H" and other:
        return True if nfv / other < at.MIRROR_RATIO else None
    return None


def output_follows(case: Case) -> Answer:
    """The output is meant to change with the flip: sign, class swap or mirrored map."""
    found = _plain(case)
    if case.behaviour is None or not case.images:
        return Unknown(IMAGES)
    if found is None:
        return Unknown(NO_FLIP)
    output, effect = found
    small = effect.nfv is not None and effect.nfv < at.SENSITIVE
    if small and effect.action in {"odd", "swap"}:
        what = "changes sign" if effect.action == "odd" else "exchanges classes"
        text = (
            f"{output.name} {what} when inputs are {WORDS[effect.name]} (variation "
            f"{effect.nfv:.2g})."
        )
        evidence = Evidence(text, "", effect.nfv, at.SENSITIVE, effect.n)
        return Found(0.9, (evidence,), where=output.name, transform=effect.name)
    return Excluded("the output neither changes sign nor exchanges classes under the flip")


def learned_invariance(case: Case) -> Answer:
    """Training made the output (nearly) the same for flipped inputs."""
    if case.behaviour is None or not case.images:
        return Unknown(IMAGES)
    found = _plain(case)
    if found is None:
        return Unknown(NO_FLIP)
    output, _ = found
    learned = [e for e in output.transforms if e.nfv is not None and _learned(output, e)]
    if not learned:
        return Excluded(f"flips change the output ({_effect(found[1], output).text})")
    chosen = min(learned, key=lambda effect: FLIPS.index(effect.name))
    if chosen.name != found[1].name:
        return Excluded(f"{WORDS[found[1].name]} inputs change the output")
    names = ", ".join(WORDS[e.name] for e in learned)
    evidence = (
        *(_effect(e, output) for e in learned[:3]),
        Evidence(f"Invariant for inputs {names}."),
    )
    return Found(0.9, evidence, where=output.name, transform=chosen.name)


def _floor(output: OutputBehaviour, effect: TransformEffect) -> float | None:
    return output.floor.get(effect.name)


def sensitive_architecture(case: Case) -> Answer:
    """Even with perfectly symmetric kernels this architecture would answer differently."""
    if case.behaviour is None or not case.images:
        return Unknown(IMAGES)
    found = _plain(case)
    if found is None:
        return Unknown(NO_FLIP)
    output, effect = found
    if _learned(output, effect):
        return Excluded("the output does not change under the flip")
    floor = _floor(output, effect)
    if floor is None:
        return Unknown("a Keras model whose kernels can be symmetrised in a copy")
    assert effect.nfv is not None
    profile = case.facts.measurements.profile if case.facts.measurements else None
    uneven = [g.route for g in profile.grids if not all(g.symmetric)] if profile else []
    if floor <= at.FLOOR_SHARE * effect.nfv:
        where = f" ({', '.join(uneven[:3])} sample unevenly and contribute)" if uneven else ""
        return Excluded(
            f"with symmetrised kernels the same architecture would change by {floor:.2g} only, "
            f"against {effect.nfv:.2g} measured{where}"
        )
    text = (
        f"With every kernel made symmetric in a copy, the output still moves by {floor:.2g}, more "
        f"than half of the {effect.nfv:.2g} measured."
    )
    return Found(
        0.75,
        (_effect(effect, output), Evidence(text, "MA301", floor, effect.nfv, effect.n)),
        where=", ".join(uneven[:3]),
        transform=effect.name,
    )


def sensitive_data(case: Case) -> Answer:
    """The filters learnt one orientation because the training images had one."""
    if case.behaviour is None or not case.images:
        return Unknown(IMAGES)
    found = _plain(case)
    if found is None:
        return Unknown(NO_FLIP)
    output, effect = found
    learned = _learned(output, effect)
    if learned:
        return Excluded("the output does not change under the flip")
    floor = _floor(output, effect)
    evidence = [_effect(effect, output)]
    if floor is not None:
        text = f"The architecture alone would allow a variation of {floor:.2g}."
        evidence.append(Evidence(text, "", floor, effect.nfv, effect.n))
    profile = case.facts.measurements.profile if case.facts.measurements else None
    against: tuple[Evidence, ...] = ()
    if profile and any("flip" in route.lower() for route in profile.augmentation):
        against = (Evidence("The model contains a flip augmentation layer."),)
    belief = 0.5 if learned is None else 0.85
    return Found(belief, tuple(evidence), output.name, effect.name, against)
