"""The founding question, answered for one model in plain sentences."""

from __future__ import annotations

from modelaudit.diagnosis.case import WORDS, Case
from modelaudit.diagnosis.model import Cause, Diagnosis

QUESTION = (
    "Why does a restored TensorFlow model consistently predict the same output unless the input "
    "is flipped?"
)

NO_CAUSE = (
    "The file itself, its weights and its restore are sound as far as they can be judged without."
)

# What happened, by cause. `{flip}` and `{where}` are filled in.
SENTENCES = {
    "damaged-restore": "The file itself is damaged: {evidence}",
    "nonfinite-weights": (
        "No answer means anything, because weights are no numbers: {evidence} Training that "
        "diverged leaves this in every layer; damage of the file, in few."
    ),
    "never-loaded": (
        "These are the random numbers that the model was built with. Its weights were never "
        "loaded before it was saved, so its answers mean nothing in any orientation."
    ),
    "partial-restore": (
        "Most likely the restore left out {where}: the random values that a layer is built with "
        "are still there, while the rest is trained. What comes out is arbitrary, and that a flip "
        "changes it is chance."
    ),
    "bn-statistics-lost": (
        "The moving averages of batch normalisation were lost in saving or restoring, so numbers "
        "of the wrong size reach the layers behind, and the answer hardly depends on the input."
    ),
    "bn-statistics-unsettled": (
        "Training took too few steps for the moving averages of batch normalisation to settle. "
        "Training itself works with those of each batch, so its accuracy does not show it; used "
        "for predictions, the layers behind get numbers of the wrong size, and the answer hardly "
        "depends on the input."
    ),
    "nondeterministic": "The model answers differently each time, so no flip test means anything.",
    "dead-units": (
        "Layer {where} never becomes active, so everything behind it sees a constant: the answer "
        "cannot depend on the input, flipped or not."
    ),
    "orientation-mismatch": (
        "The model is sound, but the images it gets now are {flip} compared with those it was "
        "trained on. When this is undone, it understands them{right}. Which side has them the "
        "wrong way round, training or serving, does not show in the model."
    ),
    "head-bias": (
        "The bias of the last layer is so large that one class wins whatever the features say. "
        "The features themselves are sound."
    ),
    "input-domain": (
        "The values arrive in another form than in training: {flip}, the same images are "
        "understood{right}."
    ),
    "nonfinite-output": (
        "The weights are numbers, but what comes out is none: {evidence} Code that takes the "
        "largest score answers the same class then, whatever the image."
    ),
    "labels-renumbered": (
        "The model tells the classes apart, but numbers them in another order than your labels. "
        "{evidence} How it answers to a flip has nothing to do with that."
    ),
    "not-understood": (
        "The model does not understand these images, whichever way they are turned or scaled. "
        "{evidence} Weights in each other's place, axes or channels in another order, labels of "
        "other classes and poor training all look like this."
    ),
    "wrong-weights-upstream": (
        "Weights that belong elsewhere stand before {where}, so what reaches it is not what the "
        "model was trained on."
    ),
    "little-information": (
        "The answers to these images are nearly all the same. Either the images are all of one "
        "kind, or weights that belong elsewhere make the model blind to what tells them apart; "
        "without labels the two look alike."
    ),
    "collapse-open": (
        "The output is the same for every input, and nothing that was measured explains it: no "
        "orientation and no scale brings it back. Training that never got anywhere or saw one "
        "class looks like this, and so do weights in each other's place."
    ),
    "invariant-by-construction": (
        "The way this model treats inputs {flip} is built in exactly, whatever it was trained on. "
        "{evidence}"
    ),
    "learned-invariance": (
        "This model does not give one answer to all inputs, and those {flip} get the answers that "
        "they should, because it was trained that way."
    ),
    "output-follows-flip": (
        "The output follows the flip as its meaning asks for, so nothing is wrong: {evidence}"
    ),
    "orientation-sensitive-architecture": (
        "The way its layers sample the image treats the two orientations differently, even with "
        "perfectly symmetric filters."
    ),
    "orientation-sensitive-data": (
        "The weights are whole and the architecture would allow symmetry. The model answers "
        "differently to inputs {flip} because its training images came in one orientation. "
        "Whether that is wrong depends on what the flip means: a mirrored letter or a left turn "
        "is another thing than a mirrored cat."
    ),
    "undecided-without-images": (
        "Not decided yet: give some 64 real images (--probe-data), for orientation, scale and "
        f"what training taught show only on those. {NO_CAUSE}"
    ),
    "not-run": (
        "Not decided. {evidence} Weights and restore are sound as far as the file shows; what the "
        "model answers, and to what, shows only when it runs."
    ),
    "healthy": "Nothing was found that would make it answer wrongly.",
    "not-applicable": "There is no readable model here whose behaviour could be explained.",
}


# Causes that say how a sound model is.
DESCRIPTIONS = frozenset(
    {
        *("healthy", "invariant-by-construction", "learned-invariance", "output-follows-flip"),
        *("orientation-sensitive-architecture", "orientation-sensitive-data"),
    }
)


def plain_answer(case: Case, diagnosis: Diagnosis) -> str:
    """One or two sentences that answer the question for this model."""
    first = diagnosis.causes[0]
    text = fill_sentence(first).replace("{right}", _right(case, first))
    if first.cause in DESCRIPTIONS:
        text += _accuracy(case)
    if first.cause == "undecided-without-images" and case.unused:
        text = f"Not decided: {case.unused}. {NO_CAUSE}"
    if case.behaviour is None and first.cause not in {
        "damaged-restore",
        "not-applicable",
        "not-run",
    }:
        text += f" The model was not run ({case.not_run()})."
    return text


def _accuracy(case: Case) -> str:
    """How right the answers are, where labels tell; with a blank before it."""
    known = next((o.accuracy["e"] for o in case.outputs if "e" in o.accuracy), None)
    return "" if known is None else f" On your labels {known:.0%} of the answers are right."


def _right(case: Case, cause: Cause) -> str:
    """How much righter the answers get, where labels tell; with a colon before it."""
    for output in case.outputs:
        given, undone = output.accuracy.get("e"), output.accuracy.get(cause.transform)
        if given is not None and undone is not None:
            return f": {undone:.0%} of the answers are right then, {given:.0%} as given"
    return ""


def fill_sentence(cause: Cause) -> str:
    """The sentence for a cause with its flip, place and evidence filled in."""
    flip = WORDS.get(cause.transform or "H", cause.transform)
    evidence = cause.evidence[0].text if cause.evidence else ""
    template = SENTENCES[cause.cause]
    for key, value in (("flip", flip), ("where", cause.where or "it"), ("evidence", evidence)):
        template = template.replace("{" + key + "}", value)
    return template
