"""Steps that only labels decide: how right the answers are, and whether classes change places."""

from __future__ import annotations

from modelaudit.diagnosis.case import (
    LABELS,
    WORDS,
    Case,
    bits_in_words,
    capacity,
    information,
    scores,
)
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, Evidence, StepResult
from modelaudit.measures.summary import OutputBehaviour
from modelaudit.thresholds.answers import ACCURACY_GAIN, RIGHT_ACCURACY, UNINFORMED


def labels_renumbered(case: Case) -> StepResult:
    """The answers are right as soon as each class may have another number."""
    seen = case.behaviour
    judged = [o for o in case.outputs if "e" in o.accuracy and o.renumbered is not None]
    if seen is None or not judged or not case.images:
        return CauseExcluded("no labels were given that could number the classes otherwise")
    for output in judged:
        given, after = output.accuracy["e"], output.renumbered or 0.0
        if after > RIGHT_ACCURACY.value and after - given > ACCURACY_GAIN.value:
            text = (
                f"On your labels the accuracy is {given:.0%}; with the classes of the model paired "
                f"with those of the labels anew, one to one, it is {after:.0%}."
            )
            evidence = Evidence(text, "", after, given, seen.inputs.n)
            return CauseFound(0.9, (evidence,), where=output.name)
    return CauseExcluded("with the classes numbered in any other order the answers get no righter")


def not_understood(case: Case) -> StepResult:
    """Labels call most answers wrong, and no orientation, scale or order of classes helps."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    if not any("e" in scores(output)[0] for output in case.outputs):
        return CauseUnknown(LABELS)
    if case.one_class:
        return CauseExcluded(
            "your labels say that the images are of one class, which tells too little"
        )
    for output in case.outputs:
        # A constant output is wrong on any labels: nothing that they say explains it.
        text = "" if output.collapse.collapsed else mostly_wrong(output)
        if text:
            given = scores(output)[0]["e"]
            evidence = Evidence(text, "", given, UNINFORMED.value, seen.inputs.n)
            return CauseFound(0.6, (evidence,), where=output.name)
    return CauseExcluded("your labels call most answers right")


def mostly_wrong(output: OutputBehaviour) -> str:
    """How wrong the answers are, in a sentence; empty where they are not."""
    found, measure, _, _ = scores(output)
    if "e" not in found:
        return ""
    room, best = capacity(output), max(found, key=lambda name: found[name])
    given = found["e"]
    if given >= (UNINFORMED.value if output.accuracy else 0.0):
        return ""
    shown = "{:.0%}" if output.accuracy else "{:.2f}"
    text = f"On your labels the {measure} is {shown.format(given)} as given"
    if best != "e":
        text += f", and at best {shown.format(found[best])}, {WORDS.get(best, best)}"
    if not room:
        return f"{text}: below 0 is worse than answering the mean."
    return f"{text}. The answers say {bits_in_words(output, information(output))}."
