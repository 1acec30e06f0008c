"""The three suspects if a model always gives the same output unless its input is flipped: training
data, filters and architecture, and restoration. Every diagnosis addresses each of them."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Cause, Diagnosis, Suspect
from modelaudit.audit_types.kernels import KernelSymmetry
from modelaudit.diagnosis.case import Case, amount, capacity, information
from modelaudit.diagnosis.directions import direction_text
from modelaudit.diagnosis.steps.flip import (
    effect_text,
    flipped,
    learned,
    treated_alike,
    uneven_layers,
)
from modelaudit.diagnosis.steps.label import recognises, still_wrong
from modelaudit.facts import Json
from modelaudit.measures.architecture.modality_words import in_words
from modelaudit.measures.input_corrections import words_of
from modelaudit.rules.grammar import counted, of_all
from modelaudit.thresholds.answers import INFORMED
from modelaudit.thresholds.flips import FLOOR_SHARE
from modelaudit.thresholds.training import SHORT_REACH
from modelaudit.thresholds.weights import SYMMETRIC

TRAINING, FILTERS, RESTORATION = "training data", "filters and architecture", "restoration"
GUILTY, CLEARED, OPEN = "explains it", "ruled out", "open"
RESTORE_CAUSES = (
    "damaged-restore", "never-loaded", "partial-restore", "bn-statistics-lost",
    "wrong-weights-upstream",
)  # fmt: skip
DESIGN_CAUSES = (
    *("constant-by-construction", "loss-without-gradient", "labels-outside-output"),
    *("loss-unsuited", "network-design"),
)
TRAINING_CAUSES = (
    *("untrained-layers", "bn-statistics-unsettled", "not-trained", "exploded-weights"),
    "prior-only",
)
UNJUDGED = "No [[flip of the input or ]]output can be judged."
# Causes that hide what training taught the filters.
HIDING = (
    *RESTORE_CAUSES, *DESIGN_CAUSES, *TRAINING_CAUSES, "nonfinite-weights", "nondeterministic",
    "dead-units", "nonfinite-output", "not-understood", "collapse-open",
    "little-information",
)  # fmt: skip
# Where the file does not show whether training is the reason, what it shows.
UNTOLD = {
    "labels-renumbered": (
        "The model learned to tell the classes apart. Whether the labels of training or yours are "
        "numbered otherwise than meant, it does not show."
    ),
    "head-bias": (
        "Training on imbalanced classes can cause such a bias, and so can damage; the file does "
        "not show which. The features are sound."
    ),
}
# Of another form of the inputs, in which most answers are still wrong.
PARTLY = "More of the predictions are correct {form}, but most are wrong even then."
# Causes that were confirmed by undoing them.
UNDONE = ("orientation-mismatch", "head-bias", "input-domain")


def suspects(case: Case, diagnosis: Diagnosis) -> tuple[Suspect, ...]:
    """The verdict of the procedure on each of the three."""
    first = diagnosis.causes[0]
    filters = Suspect(FILTERS, *_filters(case, first))
    # Inputs without sides give filters nothing to prefer.
    told = case.words.oriented or filters.state == GUILTY
    return (
        Suspect(TRAINING, *_training(case, first)),
        *((filters,) if told else ()),
        Suspect(RESTORATION, *_restoration(case, first)),
    )


def _training(case: Case, first: Cause) -> tuple[str, str]:
    """Did the training images teach the model one orientation?"""
    if first.cause in TRAINING_CAUSES:
        early = first.cause == "bn-statistics-unsettled"
        said = "Training ended before its batch statistics converged."
        return GUILTY, (
            f"{said if early else first.evidence[0].text} This hides what the training "
            f"{case.words.many} taught."
        )
    if first.cause in HIDING:
        return OPEN, (
            f"What the training {case.words.many} taught can be judged once this is put right: "
            f"{first.title[:1].lower()}{first.title[1:]}."
        )
    if first.cause in {"orientation-mismatch", "input-domain"}:
        if still_wrong(case, first.transform):
            return OPEN, PARTLY.replace("{form}", words_of(first.transform))
        return _learned(case, first)
    if first.cause in UNTOLD:
        return OPEN, UNTOLD[first.cause]
    if case.behaviour is None:
        return OPEN, f"What training taught shows only when the model runs ({case.not_run()})."
    found = None if first.cause == "sampled-output" else flipped(case)
    if first.cause == "invariant-by-construction":
        return CLEARED, "The response to this flip does not depend on the training images."
    if not case.images:
        return (
            OPEN,
            f"What training taught shows only on real {case.words.many}: provide {case.wanted}.",
        )
    if found is None or not case.words.oriented:
        sound = first.cause == "healthy" and not case.words.oriented and not case.alike
        said = "The predictions distinguish your {images}." if sound else UNJUDGED
        return CLEARED if sound else OPEN, in_words(said, case.words)
    output, effect, _ = found
    seen = effect_text(effect, output)
    if first.cause == "orientation-sensitive-data":
        return GUILTY, (
            f"{seen} Training images with a single orientation teach that, which is no fault by "
            "itself."
        )
    if first.cause == "orientation-sensitive-architecture":
        return OPEN, f"The training images may contribute. {seen}"
    if learned(case, output, effect) or first.cause == "output-follows-flip":
        which = f"Output {output.name!r}" if len(case.outputs) > 1 else "The model"
        return CLEARED, f"{which} handles the flip. {seen}"
    return OPEN, seen


def _learned(case: Case, first: Cause) -> tuple[str, str]:
    """What undoing a difference of the inputs shows about what training taught."""
    words = words_of(first.transform)
    if first.belief is None and case.columns:
        return OPEN, "What training taught can be judged once the columns are as in training."
    if any(output.accuracy or output.fit for output in case.outputs):
        said = f"The model learned to recognise the {{images}}: it recognises them {words}."
    else:
        said = f"Training taught the model another form: {words}, it tells the {{images}} apart "
        said += "better."
    if first.cause == "orientation-mismatch":
        said += " The training {images} and the {images} used now differ in orientation."
    return CLEARED, in_words(said, case.words)


def _filters(case: Case, first: Cause) -> tuple[str, str]:
    """Can the filters or the architecture be symmetric, and are they?"""
    if first.cause == "orientation-sensitive-architecture":
        return GUILTY, first.evidence[-1].text
    if first.cause in DESIGN_CAUSES:
        return GUILTY, first.evidence[0].text
    if first.cause == "dead-units":
        return GUILTY, f"{first.evidence[0].text} The filters after it cannot see the input."
    if first.cause == "invariant-by-construction":
        return CLEARED, f"They treat both orientations equally. {_symmetry(case)}"
    uneven = uneven_layers(case)
    windows = f"the windows of {', '.join(uneven[:3])} fit asymmetrically" if uneven else ""
    if first.cause == "input-domain":
        # Flips of inputs that the model does not recognise say nothing of its filters.
        if first.belief is None and case.columns:
            return OPEN, _symmetry(case)
        if still_wrong(case, first.transform):
            said = PARTLY.replace("{form}", words_of(first.transform))
            return OPEN, f"{said} {_symmetry(case)}"
        said = f"The same filters recognise {case.words.many} {words_of(first.transform)}."
        return CLEARED, f"{said} {_symmetry(case)}"
    found = flipped(case)
    if found is not None and case.images:
        output, effect, nfv = found
        floor = output.floor.get(effect.name)
        if floor is not None and floor <= FLOOR_SHARE.value * max(nfv, floor):
            preference = (
                " What preference there is, training taught, as it should where left and right "
                "differ in meaning."
            )
            taught = first.cause not in HIDING and not learned(case, output, effect)
            despite = f", although at the border {windows}" if windows else ""
            return CLEARED, (
                "The architecture hardly prefers a direction: in a copy with every kernel made "
                f"symmetric, inputs {words_of(effect.name)} change the output {amount(floor)} "
                f"times as much as other inputs do{despite}; with the kernels as they are, "
                f"{nfv:.2g} times.{preference * taught} {_symmetry(case)}"
            )
        if learned(case, output, effect):
            alike = treated_alike(output, effect, nfv)
            despite = f", although at the border {windows}" if windows else ""
            return CLEARED, (
                f"{alike[:1].upper()}{alike[1:]}, so the filters prefer no side{despite}. "
                f"{_symmetry(case)}"
            )
    profile = case.facts.measurements.profile if case.facts.measurements else None
    if profile is not None and profile.grids and not uneven:
        return CLEARED, (
            "Every window of the architecture maps onto its mirror image, so the architecture does "
            "not prefer an orientation; any preference of the filters was learned. "
            f"{_symmetry(case)}"
        )
    if uneven:
        return OPEN, f"At the border, {windows}, which can contribute. {_symmetry(case)}"
    return OPEN, f"The file does not show how its layers sample the image. {_symmetry(case)}"


def _symmetry(case: Case) -> str:
    """How symmetric the stored filters are under the flip, and which direction they prefer."""
    return f"{_mirror_symmetry(case)} {direction_text(case)}".rstrip()


def _mirror_symmetry(case: Case) -> str:
    measured = case.facts.measurements.symmetry if case.facts.measurements else ()
    scores = [score for each in measured if (score := _score(each)) is not None]
    if not scores:
        return "No filter has two sides to compare."
    exact = sum(score >= SYMMETRIC.value for score in scores)
    if exact:
        return f"{exact} of {len(scores)} spatial kernels are mirror-symmetric."
    mean = sum(scores) / len(scores)
    what = f"{len(scores)} spatial kernels averages"
    if len(scores) == 1:
        what = "the one spatial kernel is"
    return f"The symmetry score of {what} {mean:.2f} (0: as random weights, 1: mirror-symmetric)."


def _score(kernel: KernelSymmetry) -> float | None:
    return next((kernel.score[name] for name in ("H", "flip", "x2") if name in kernel.score), None)


def _restoration(case: Case, first: Cause) -> tuple[str, str]:
    """Was the saved model restored correctly?"""
    if first.cause in RESTORE_CAUSES:
        measured = case.behaviour.batchnorm if case.behaviour else ()
        inputs = first.cause == "wrong-weights-upstream" and len(first.evidence) > 1
        if inputs and case.misfit in measured[:1]:
            return OPEN, f"{first.evidence[0].text} {first.evidence[1].text}"
        return GUILTY, first.evidence[0].text
    if first.cause == "nonfinite-weights":
        return OPEN, f"{first.evidence[0].text} The file does not show whether it was saved so."
    if not case.facts.artifact.tensors:
        return OPEN, "The file contains no weights to compare."
    said = ["No stored weight is missing or damaged."]
    proof, tested = case.facts.restore, len(case.kernels)
    if proof is not None and not proof.faithful:
        changed = (*(each.tensor for each in proof.differing), *proof.missing, *proof.unexpected)
        return OPEN, (
            "The restored model does not match the file: "
            f"{counted(len(changed), 'weight differs', 'weights differ')}, first {changed[0]}."
        )
    if proof is not None:
        exact = "byte for byte" if not proof.cast else f"{len(proof.cast)} of them in another dtype"
        said.append(
            f"All {proof.compared} stored arrays are in the model that was loaded here, {exact}; "
            "code that loads the model elsewhere was not run."
        )
    if tested:
        moved = tested - len(case.fresh)
        little = any(
            each.evidence.get("unit") == SHORT_REACH.unit for each in case.findings("MA432")
        )
        said.append(
            f"{moved} of {tested} testable layers have moved away from their initial "
            f"values{', none of them far (MA432)' if little and moved > 0 else ''}."
        )
    if case.batchnorm:
        lost = sum(state.statistics_initial for state in case.batchnorm)
        said.append(
            of_all(
                *(len(case.batchnorm) - lost, len(case.batchnorm), "batch normalization layer"),
                *("has trained statistics.", "have trained statistics."),
            )
        )
    fits: list[Json] = [f.misfit for f in case.behaviour.batchnorm] if case.behaviour else []
    if fits and case.images and case.misfit is None:
        said.append("The current layer inputs match these statistics.")
    if proof is None and case.behaviour is None:
        said.append(f"The restored weights were not compared ({case.not_run()}).")
        return OPEN, " ".join(said)
    if not _in_place(case, first):
        said.append(
            "Only inputs that the model recognises show whether each weight is in the right layer."
        )
        return OPEN, " ".join(said)
    state = CLEARED if tested or proof is not None else OPEN
    return state, " ".join(said)


def _in_place(case: Case, first: Cause) -> bool:
    """Whether there is evidence that every weight is in the right layer.

    Evidence is: batch statistics that match the layer inputs, predictions that distinguish the
    user's images, or a cause that was confirmed by undoing it, which would not have helped with
    misplaced weights.
    """
    if first.cause in UNDONE:
        return not still_wrong(case, first.transform)
    if not case.images or first.cause in HIDING:
        return False
    fits = case.behaviour.batchnorm if case.behaviour else ()
    if (fits and case.misfit is None) or any(map(recognises, case.outputs)):
        return True
    said = [o for o in case.outputs if capacity(o)]
    return all(information(o) >= INFORMED.value * capacity(o) for o in said) if said else True
