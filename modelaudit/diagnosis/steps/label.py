"""Steps that only labels decide: accuracy, and whether classes are permuted."""

from __future__ import annotations

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import (
    WORDS,
    Case,
    bits_in_words,
    capacity,
    information,
    scores,
)
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.thresholds.answers import ACCURACY_GAIN, RIGHT_ACCURACY, UNINFORMED


def labels_renumbered(case: Case) -> StepResult:
    """The predictions become correct if the classes are renumbered."""
    seen = case.behaviour
    judged = [o for o in case.outputs if "e" in o.accuracy and o.renumbered is not None]
    if seen is None or not judged or not case.images:
        return CauseExcluded("there are no labels that could be numbered differently")
    for output in judged:
        given, after = output.accuracy["e"], output.renumbered or 0.0
        if after > RIGHT_ACCURACY.value and after - given > ACCURACY_GAIN.value:
            text = (
                f"On your labels the accuracy is {given:.0%}. With the best one-to-one assignment "
                f"of the model's classes to your labels it is {after:.0%}."
            )
            evidence = Evidence(text, "", after, given, seen.inputs.n)
            return CauseFound(0.9, (evidence,), where=output.name)
    return CauseExcluded("no other numbering of the classes makes the predictions more accurate")


def not_understood(case: Case) -> StepResult:
    """Most predictions contradict the labels, and no orientation, scale or class order helps."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    if not any("e" in scores(output)[0] for output in case.outputs):
        return CauseUnknown(case.labelled)
    if case.one_class:
        return CauseExcluded(
            f"your labels say that the {case.words.many} have one class, which is not enough to "
            "decide"
        )
    for output in case.outputs:
        # A constant output is wrong for any labels, so labels do not explain it.
        text = "" if output.collapse.collapsed else mostly_wrong(output)
        if text:
            given = scores(output)[0]["e"]
            evidence = Evidence(text, "", given, UNINFORMED.value, seen.inputs.n)
            return CauseFound(0.6, (evidence,), where=output.name)
    return CauseExcluded("most predictions match your labels")


def mostly_wrong(output: OutputBehaviour) -> str:
    """How wrong the predictions are, in a sentence; empty if they are not."""
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
        return f"{text}: below 0 is worse than predicting the mean."
    return f"{text}. The predictions carry {bits_in_words(output, information(output))}."
