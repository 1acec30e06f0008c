"""The three usual suspects of a model that answers the same unless its input is flipped:
training data, filters and architecture, restoration. Each is addressed for every model."""

from __future__ import annotations

from modelaudit.diagnosis.case import IMAGES, WORDS, Case, amount, capacity, information
from modelaudit.diagnosis.model import Cause, Diagnosis, Suspect
from modelaudit.diagnosis.steps.flip import effect_text, flipped, learned, uneven_layers
from modelaudit.facts import Json
from modelaudit.measures.summary import KernelSymmetry
from modelaudit.thresholds.answers import INFORMED
from modelaudit.thresholds.flips import FLOOR_SHARE
from modelaudit.thresholds.weights import SYMMETRIC

TRAINING, FILTERS, RESTORATION = "training data", "filters and architecture", "restoration"
GUILTY, CLEARED, OPEN = "explains it", "ruled out", "open"
RESTORE_CAUSES = (
    "damaged-restore", "never-loaded", "partial-restore", "bn-statistics-lost",
    "wrong-weights-upstream",
)  # fmt: skip
# Causes under which nothing can be said about what training taught the filters.
HIDING = (
    *RESTORE_CAUSES, "bn-statistics-unsettled", "nonfinite-weights", "nondeterministic",
    "dead-units", "nonfinite-output", "not-understood", "collapse-open", "little-information",
)  # fmt: skip
# Causes that are told by what comes back when they are undone.
UNDONE = ("orientation-mismatch", "head-bias", "input-domain")


def suspects(case: Case, diagnosis: Diagnosis) -> tuple[Suspect, ...]:
    """What the procedure says of each of the three."""
    first = diagnosis.causes[0]
    return (
        Suspect(TRAINING, *_training(case, first)),
        Suspect(FILTERS, *_filters(case, first)),
        Suspect(RESTORATION, *_restoration(case, first)),
    )


def _training(case: Case, first: Cause) -> tuple[str, str]:
    """Did the training images teach the model one orientation?"""
    words = WORDS.get(first.transform, first.transform)
    if first.cause == "bn-statistics-unsettled":
        return GUILTY, (
            "Training ended before its batch statistics had settled. What its images taught about "
            "orientation does not show behind that."
        )
    if first.cause in HIDING:
        return OPEN, (
            "What the training images taught does not show while another fault stands before it "
            f"({first.title[:1].lower()}{first.title[1:]})."
        )
    if first.cause == "orientation-mismatch":
        return CLEARED, (
            f"What the model learnt is sound: {words}, the images are understood. Images of "
            "training and images fed now differ in orientation; which of the two come the wrong "
            "way round does not show in the model."
        )
    if first.cause == "input-domain":
        return CLEARED, f"The model learnt its images well: {words}, they are understood."
    if first.cause == "head-bias":
        return OPEN, (
            "Training on one-sided classes can leave such a bias, and so can damage; the file does "
            "not tell which. What the features say is sound."
        )
    if case.behaviour is None:
        return OPEN, f"What training taught shows only when the model is run ({case.not_run()})."
    found = flipped(case)
    if first.cause == "invariant-by-construction":
        return CLEARED, "The answer to this flip is the same whatever the training images were."
    if not case.images:
        return OPEN, f"What training taught shows only on real images: give {IMAGES}."
    if found is None:
        return OPEN, "The output or the input has no flip that could be judged."
    output, effect, _ = found
    seen = effect_text(effect, output)
    if first.cause == "orientation-sensitive-data":
        return GUILTY, f"{seen} Training images in one orientation leave such filters."
    if first.cause == "orientation-sensitive-architecture":
        return OPEN, f"May contribute. {seen}"
    if learned(output, effect) or first.cause == "output-follows-flip":
        return CLEARED, f"Training taught the flip. {seen}"
    return OPEN, seen


def _filters(case: Case, first: Cause) -> tuple[str, str]:
    """Could filters or architecture be symmetric, and are they?"""
    if first.cause == "orientation-sensitive-architecture":
        return GUILTY, first.evidence[-1].text
    if first.cause == "dead-units":
        return GUILTY, f"{first.evidence[0].text} No filter behind it can see the input."
    if first.cause == "invariant-by-construction":
        return CLEARED, f"They treat both orientations alike. {_symmetry(case)}"
    uneven = uneven_layers(case)
    sampling = (
        f" {', '.join(uneven[:3])} sample unevenly at the border, which can contribute."
        if uneven
        else ""
    )
    found = flipped(case)
    if found is not None and case.images:
        output, effect, nfv = found
        floor = output.floor.get(effect.name)
        if floor is not None and floor <= FLOOR_SHARE.value * max(nfv, floor):
            return CLEARED, (
                "The architecture asks for no direction: in a copy with every kernel made "
                f"symmetric, the flip changes the output {amount(floor)} times as much as another "
                f"input does; as trained, {nfv:.2g} times. The filters learnt that from the "
                "images, as they must where left and right mean something."
                f"{sampling} {_symmetry(case)}"
            )
        if learned(output, effect):
            return CLEARED, (
                f"The output hardly changes under the flip ({nfv:.2g}), so they do not stand in "
                f"the way.{sampling} {_symmetry(case)}"
            )
    profile = case.facts.measurements.profile if case.facts.measurements else None
    if profile is not None and profile.grids and not uneven:
        return CLEARED, (
            "Every window of the architecture maps onto its mirror image, so it does not prefer "
            f"an orientation; what the filters prefer, they learnt. {_symmetry(case)}"
        )
    if uneven:
        return OPEN, f"{sampling.strip()} {_symmetry(case)}"
    return OPEN, f"The file does not tell how its layers sample the image. {_symmetry(case)}"


def _symmetry(case: Case) -> str:
    """How symmetric the stored filters are under the flip."""
    measured = case.facts.measurements.symmetry if case.facts.measurements else ()
    scores = [score for each in measured if (score := _score(each)) is not None]
    if not scores:
        return "No filter has two sides that could be compared."
    exact = sum(score >= SYMMETRIC.value for score in scores)
    if exact:
        return f"{exact} of {len(scores)} spatial kernels are mirror images of themselves."
    mean = sum(scores) / len(scores)
    what = f"{len(scores)} spatial kernels averages"
    if len(scores) == 1:
        what = "the one spatial kernel is"
    return (
        f"The symmetry of {what} {mean:.2f} (0 as random weights, 1 mirror images of themselves)."
    )


def _score(kernel: KernelSymmetry) -> float | None:
    return next((kernel.score[name] for name in ("H", "flip", "x2") if name in kernel.score), None)


def _restoration(case: Case, first: Cause) -> tuple[str, str]:
    """Is what was loaded what was saved?"""
    if first.cause in RESTORE_CAUSES:
        return GUILTY, first.evidence[0].text
    if first.cause == "nonfinite-weights":
        return OPEN, f"{first.evidence[0].text} The file does not tell whether it was saved so."
    if not case.facts.artifact.tensors:
        return OPEN, "The file holds no weights that could be compared."
    said = ["The stored weights are whole."]
    proof, tested = case.facts.restore, len(case.kernels)
    if proof is not None and not proof.faithful:
        changed = (*(each.tensor for each in proof.differing), *proof.missing, *proof.unexpected)
        return OPEN, (
            f"The restored model does not hold just what the file does. Weights that differ: "
            f"{len(changed)}, first {changed[0]}."
        )
    if proof is not None:
        exact = "byte for byte" if not proof.cast else f"{len(proof.cast)} of them in another type"
        said.append(
            f"All {proof.compared} stored arrays are in the model as it was loaded here, {exact}; "
            "code that loads it elsewhere was not run."
        )
    if tested:
        moved = tested - len(case.fresh)
        said.append(
            f"{moved} of {tested} layers that can be tested have moved from their initial values."
        )
    if case.batchnorm:
        lost = sum(state.statistics_initial for state in case.batchnorm)
        said.append(
            f"{len(case.batchnorm) - lost} of {len(case.batchnorm)} batch normalisations hold "
            "statistics of training."
        )
    fits: list[Json] = [f.misfit for f in case.behaviour.batchnorm] if case.behaviour else []
    if fits and case.images and case.misfit is None:
        said.append("What flows in now fits these statistics.")
    if proof is None and case.behaviour is None:
        said.append(f"Whether a load puts them back was not compared ({case.not_run()}).")
        return OPEN, " ".join(said)
    if not _in_place(case, first):
        said.append("Whether each stands in its place shows only on inputs that are understood.")
        return OPEN, " ".join(said)
    state = CLEARED if tested or proof is not None else OPEN
    return state, " ".join(said)


def _in_place(case: Case, first: Cause) -> bool:
    """Something speaks for every weight standing where it belongs.

    Batch statistics that fit what flows in, answers that tell images of the user's apart, or
    another cause that was confirmed by undoing it: weights in each other's place would have
    left nothing to come back.
    """
    if first.cause in UNDONE:
        return True
    if not case.images or first.cause in HIDING:
        return False
    fits = case.behaviour.batchnorm if case.behaviour else ()
    if fits and case.misfit is None:
        return True
    said = [o for o in case.outputs if capacity(o)]
    return all(information(o) >= INFORMED.value * capacity(o) for o in said) if said else True
