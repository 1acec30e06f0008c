"""Answers the central question for one model in plain sentences."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Cause, Diagnosis
from modelaudit.diagnosis.case import Case, r2_in_words, scores
from modelaudit.diagnosis.odds_text import DESCRIPTIONS, percent
from modelaudit.diagnosis.steps.design import likely_mistakes
from modelaudit.diagnosis.steps.label import still_wrong
from modelaudit.measures.architecture.modality_words import ModalityWords, in_words
from modelaudit.measures.column_forms import column_words
from modelaudit.measures.input_corrections import parts, words_of
from modelaudit.rules.absent_values import variables_without_values

QUESTION = (
    "Why does a restored TensorFlow model consistently predict the same output unless the input "
    "is flipped?"
)

QUESTION_WITHOUT_SIDES = "Why does the model give the same answer for every input?"

NO_CAUSE = (
    "The file, its weights and its restore are sound as far as they can be judged without {images}."
)

OPEN = frozenset({"undecided-without-images", "not-run"})
"""What is said of a model whose outputs were not measured, or on built-in inputs only."""


ONE_WAY = "The input values are encoded differently than in training"
TWO_WAYS = "The inputs differ from those of training in two ways"
EXCHANGED = "Two layers hold each other's weights"
OTHER_STATISTICS = (
    "The moving statistics of batch normalization do not belong to these {images}. {evidence}"
)
# Causes that another form of the inputs shows, and what is said if that form does not meet labels.
UNDONE = frozenset({"orientation-mismatch", "input-domain"})
WEAK = "Most answers are wrong even then: something else is wrong as well, or the model is weak."

# What happened, by cause. Placeholders such as `{flip}` and `{where}` are filled in.
SENTENCES = {
    "damaged-restore": "The file itself is damaged: {evidence}",
    "nonfinite-weights": (
        "The outputs are meaningless because weights are not finite: {evidence} As a rule, "
        "diverged training leaves such values in every layer, file damage in few."
    ),
    "constant-by-construction": (
        "The model gives the same answer to every input: {evidence} No weights and no input can "
        "change that."
    ),
    "loss-without-gradient": (
        "Nothing could be learnt, whatever the inputs and labels were: {evidence} What else the "
        "weights show follows from that."
    ),
    "labels-outside-output": "The labels and the output do not fit together: {evidence}",
    "loss-unsuited": (
        "The output is the same for every input, or wrong, and the loss that it was trained with "
        "explains it: {evidence}"
    ),
    "network-design": (
        "The output is the same for every input, or wrong, and the design of the network or its "
        "compile settings explain it: {evidence}"
    ),
    "not-trained": (
        "The model was never effectively trained: {evidence} For inputs on a usual scale, its "
        "outputs are those of random weights, or close to them."
    ),
    "exploded-weights": (
        "The weights are far too large, as after training that diverged: {evidence} Such weights "
        "saturate or silence the layers behind them, so the output hardly depends on the input."
    ),
    "prior-only": (
        "The model learnt little but how frequent its labels are, and gives nearly the same answer "
        "for every input: {evidence}"
    ),
    "never-loaded": (
        "The model still has the random values that it was initialised with: it was never "
        "trained, or without effect, or its weights were not loaded before it was saved. Its "
        "outputs are meaningless[[ in every orientation]]."
    ),
    "partial-restore": (
        "Part of the model still has the random values that it was initialised with ({where}), "
        "while the other layers are trained. Either the restore skipped it, or no training reached "
        "it; until it has trained values, the answers are arbitrary[[, and so is their reaction to "
        "a flip]]."
    ),
    "untrained-layers": (
        "{where}: still at initial values, because training did not change them. The file shows "
        "that they were frozen, or that no gradient reached them, so no restore lost anything. The "
        "output may be arbitrary[[, and its reaction to a flip accidental]]."
    ),
    "bn-statistics-lost": (
        "The moving statistics of batch normalization were lost when the model was saved or "
        "restored. The following layers therefore receive values on the wrong scale, and the "
        "output may hardly depend on the input."
    ),
    "bn-statistics-unsettled": (
        "Training was too short for the moving statistics of batch normalization to converge. "
        "During training the statistics of each batch are used, so training accuracy does not show "
        "the problem. At inference the following layers receive values on the wrong scale, and the "
        "output may hardly depend on the input."
    ),
    "nondeterministic": "{evidence} Until that is put right, no [[flip ]]test is meaningful.",
    "sampled-output": (
        "The model draws random numbers for its output, as a sampling policy or a generator does "
        "on purpose. {evidence} Single answers to one input differ, so what was measured on them "
        "holds on average only."
    ),
    "dead-units": (
        "Layer '{where}' is never active, so the layers after it receive a constant: the output "
        "cannot depend on the input[[, flipped or not]]."
    ),
    "orientation-mismatch": (
        "The input {images} have another orientation than the training {images}. When they are "
        "{flip}, the model recognises {more}them{right}. The model does not show which side has "
        "the wrong orientation, training or serving."
    ),
    "head-bias": (
        "The bias of the last layer is so large that one class is predicted regardless of the "
        "features. The features themselves are sound."
    ),
    "input-domain": "{difference}: {flip}, the model recognises {more}the same {images}{right}.",
    "nonfinite-output": (
        "The weights are finite, but the output is not: {evidence} Code that picks the largest "
        "score then returns the same class for every {image}."
    ),
    "labels-renumbered": (
        "The model distinguishes the classes, but numbers them in a different order than your "
        "labels. {evidence}"
    ),
    "not-understood": (
        "The model does not recognise these {images}[[ in any tested orientation or scale]]. "
        "{evidence} Possible reasons are weights in the wrong layer, a channel or column in "
        "another unit or order[[, other axes]], labels of another meaning, and poor training; they "
        "cannot be distinguished here."
    ),
    "wrong-weights-upstream": (
        "What reaches '{where}' does not match the statistics that it learned in training. "
        "{meaning}"
    ),
    "little-information": (
        "The predictions for these {images} are nearly all the same. Either the {images} are all "
        "of one kind, or misplaced weights keep the model from distinguishing them; without labels "
        "the two cases look alike."
    ),
    "collapse-open": (
        "The answer is the same, or nearly the same, for every input, and no single measurement "
        "explains it[[: no orientation or scale restores the dependence on the input]]. Possible "
        "reasons are training that never converged, training on one class, or weights in the wrong "
        "layer."
    ),
    "invariant-by-construction": (
        "The model's response to inputs {flip} is exact by construction, regardless of its "
        "training. {evidence}"
    ),
    "learned-invariance": (
        "The model does not give one output for all inputs, and {which} treats inputs {flip} like "
        "the others. {evidence}"
    ),
    "output-follows-flip": (
        "The output changes with the flip as its meaning requires, so nothing is wrong: {evidence}"
    ),
    "orientation-sensitive-architecture": (
        "The model's layers sample the two orientations of an {image} differently, even with "
        "perfectly symmetric filters."
    ),
    "orientation-sensitive-data": (
        "No fault was found: the weights are intact, and the architecture permits symmetry. The "
        "output for inputs {flip} differs, as training on {images} of one orientation teaches. "
        "Whether that is wrong depends on what the flip means: a mirrored letter or a left turn "
        "means something else, a mirrored cat does not."
    ),
    "undecided-without-images": (
        "Undecided: provide about 64 real {images} (--probe-data). [[Orientation, scale and ]]the "
        "effect of training can be judged only on real {images}. " + NO_CAUSE
    ),
    "not-run": (
        "Undecided. {evidence} {sound} How the outputs depend on the input shows only when the "
        "model runs."
    ),
    "healthy": "Nothing was found that would cause wrong outputs.",
    "not-applicable": "There is no readable model whose behaviour could be explained.",
}


def plain_answer(case: Case, diagnosis: Diagnosis) -> str:
    """One or two sentences that answer the question for this model."""
    first = diagnosis.causes[0]
    text = fill_sentence(first, case.words, several=len(case.outputs) > 1)
    text = text.replace("{right}", _right(case, first))
    weak = still_wrong(case, first.transform)
    text = text.replace("{more}", "more of " if weak else "") + (
        f" {WEAK}" if weak and first.cause in UNDONE else ""
    )
    text = text.replace("{sound}", _soundness(case))
    if first.cause in DESCRIPTIONS:
        text += _score(case) * (" labels the " not in text)
    if first.cause == "undecided-without-images" and case.unused:
        text = f"Undecided: {case.unused}. {in_words(NO_CAUSE, case.words)}"
    if first.cause == "undecided-without-images" and case.wants_pixels:
        text = f"{case.wants_pixels} {text}"
    mistakes = likely_mistakes(case) if first.cause in OPEN else ()
    if mistakes:
        # Details begin with the name of a layer, which keeps its case.
        text += f" The file, however, shows a likely mistake ({mistakes[0].code}): "
        text += mistakes[0].detail
    text += _also(diagnosis) + _doubted(diagnosis)
    if case.behaviour is None and first.cause not in {
        "damaged-restore",
        "not-applicable",
        "not-run",
    }:
        text += f" The model was not run ({case.not_run()})."
    return text


def _soundness(case: Case) -> str:
    """What the file alone shows of weights and restore."""
    artifact = case.facts.artifact
    held = any(t.role == "weight" for t in artifact.tensors)
    if not held or variables_without_values(artifact):
        return "The file holds no weights."
    if case.findings("MA221"):
        return "The file is intact as far as it shows, but see MA221."
    return "Weights and restore are sound as far as the file shows."


def _score(case: Case) -> str:
    """The accuracy or R2 as given, if there are labels; starts with a space."""
    for found, measure in map(scores, case.outputs):
        if "e" in found:
            shown = r2_in_words(found["e"]) if measure == "R2" else f"{found['e']:.0%}"
            return f" On your labels the {measure} is {shown}."
    return ""


def _also(diagnosis: Diagnosis) -> str:
    """The further causes that are named beside the first; starts with a space."""
    others = [each for each in diagnosis.causes[1:] if each.cause not in DESCRIPTIONS]
    if not others or diagnosis.causes[0].cause in DESCRIPTIONS:
        return ""
    titles = " and: ".join(f"{each.title[:1].lower()}{each.title[1:]}" for each in others)
    if all(parts(diagnosis.causes[0].transform)) and all(
        each.transform == diagnosis.causes[0].transform for each in others
    ):
        return f" Neither change alone fits your labels as well: at the same time, {titles}."
    unsure = all(each.belief is None for each in others) and diagnosis.causes[0].belief is not None
    if unsure:
        return f" A second fault is likely, which the answers cannot show before: {titles}."
    return f" This is not the only fault. At the same time, {titles}."


def _doubted(diagnosis: Diagnosis) -> str:
    """What was found although no fault is likelier; starts with a space."""
    first, sound = diagnosis.causes[0], 1 - diagnosis.odds.fault
    doubted = [each for each in diagnosis.undecidable if each.suspected]
    if first.cause not in DESCRIPTIONS or first.belief is None or not doubted:
        return ""
    what, needs = doubted[0].what, doubted[0].needs
    return (
        f" This is not certain: if half of all models are sound, the odds of "
        f"{diagnosis.odds.networks} small networks give {percent(sound)} for no fault. Still open: "
        f"{what[:1].lower()}{what[1:]} ({needs})."
    )


def _right(case: Case, cause: Cause) -> str:
    """How much the accuracy improves; without labels, that they are missing."""
    for output in case.outputs:
        given, undone = output.accuracy.get("e"), output.accuracy.get(cause.transform)
        better = output.better
        if given is not None and undone is not None:
            if better is not None and better.name == cause.transform and undone <= given:
                return (
                    f", but numbers the classes in another order: {better.score:.0%} of the "
                    f"predictions are correct with both changes, {better.given:.0%} with that "
                    "order alone"
                )
            return f": {undone:.0%} of the predictions are then correct, {given:.0%} as given"
        given, undone = output.fit.get("e"), output.fit.get(cause.transform)
        if given is not None and undone is not None:
            given_r2, undone_r2 = map(r2_in_words, (given, undone))
            return f": the R2 on your targets is then {undone_r2}, {given_r2} as given"
    return " better, as far as can be told without labels"


def fill_sentence(cause: Cause, words: ModalityWords, *, several: bool = False) -> str:
    """The sentence for a cause with its flip, layer and evidence, of one or `several` outputs."""
    flip = words_of(cause.transform or "H")
    evidence = cause.evidence[0].text if cause.evidence else ""
    said = SENTENCES[cause.cause]
    if cause.cause == "bn-statistics-lost" and not any(each.code for each in cause.evidence):
        said = OTHER_STATISTICS
    form = cause.transform
    if cause.cause == "input-domain" and cause.belief is None and (not form or column_words(form)):
        said = f"{ONE_WAY}. {{evidence}} Labelled {{images}} would show whether that is all."
    if cause.form == "exchanged-layers":
        said = (
            f"{EXCHANGED}. {{evidence}} A restore that matches layers by order or shape does that."
        )
    template = in_words(said, words)
    meaning = cause.evidence[1].text if len(cause.evidence) > 1 else ""
    filled = {
        "flip": flip, "where": cause.where or "it", "evidence": evidence, "meaning": meaning,
        "difference": TWO_WAYS if all(parts(cause.transform)) else ONE_WAY,
        "which": f"its output {cause.where!r}" if several and cause.where else "it",
    }  # fmt: skip
    for key, value in filled.items():
        template = template.replace("{" + key + "}", value)
    return template
