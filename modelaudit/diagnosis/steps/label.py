"""Steps that only labels decide: accuracy, and whether classes are permuted."""

from __future__ import annotations

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import (
    Case,
    better_by_labels,
    bits_in_words,
    capacity,
    information,
    p_in_words,
    r2_in_words,
    scores,
    times_in_words,
)
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.weight import LISTED, untouched_head
from modelaudit.measures.behaviour.numbering import PATTERNS
from modelaudit.measures.input_corrections import words_of
from modelaudit.thresholds.answers import CHANCE_P, NUMBERING_ODDS, SCORE_GAIN, UNINFORMED

NUMBERED = 4  # labels that are named with their class


def labels_renumbered(case: Case) -> StepResult:
    """The predictions become correct if the classes are renumbered."""
    seen = case.behaviour
    judged = [o for o in case.outputs if "e" in o.accuracy]
    if seen is None or not judged or not case.images:
        return CauseExcluded("there are no labels that could be numbered differently")
    if untouched_head(case):
        return CauseUnknown(f"trained values in {untouched_head(case)}, the last layer")
    for output in judged:
        given, other = output.accuracy["e"], output.numbering
        if (
            other is not None
            and other.log_odds > NUMBERING_ODDS.value
            and other.accuracy - given >= SCORE_GAIN.value
        ):
            how = PATTERNS.get(other.pattern, "the one that fits these labels best")
            form = other.variant if other.variant != "e" else ""
            text = (
                f"On your {seen.inputs.n} labels the accuracy is {given:.0%}. With another "
                f"numbering ({how}){f', for inputs {words_of(form)}' if form else ''} it is "
                f"{other.accuracy:.0%}, which makes your labels {times_in_words(other.log_odds)} "
                "times as likely."
            )
            evidence = [Evidence(text, "", other.accuracy, given, seen.inputs.n)]
            classes = output.collapse.classes or len(other.order)
            moved = [
                f"{at} is the model's class {to}"
                for at, to in enumerate(other.order)
                if at != to and to < classes
            ]
            if moved:
                more = f" and {len(moved) - NUMBERED} more" if len(moved) > NUMBERED else ""
                text = f"Your label {', '.join(moved[:NUMBERED])}{more}."
                evidence.append(Evidence(text, "", list(other.order)))
            # Another form is compared in that order of the classes, so it does not explain it.
            both = bool(form) or better_by_labels(output) is not None
            known = max(other.order, default=0) < (output.collapse.classes or 0)
            return CauseFound(
                tuple(evidence),
                where=output.name,
                transform=form,
                together=both,
                order=other.order if known else (),
            )
    return CauseExcluded("no other numbering of the classes makes the labels more likely")


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
            return CauseFound((evidence, *never_predicted(output)), where=output.name)
    weak = next(filter(None, map(weakly_right, case.outputs)), "")
    rated = next(output for output in case.outputs if "e" in scores(output)[0])
    if not rated.accuracy:
        return CauseExcluded(f"the R2 on your targets is {r2_in_words(rated.fit['e'])}")
    return CauseExcluded(weak or f"{rated.accuracy['e']:.0%} of the predictions match your labels")


def unlearned(case: Case) -> bool:
    """Whether an output is constant, or no better on labels than a constant answer."""
    if not case.images:
        return False
    wrong = not case.one_class and any(map(mostly_wrong, case.outputs))
    return case.collapsed is not None or wrong


def restored(output: OutputBehaviour) -> bool:
    """Whether labels are met in another form of the inputs, not just less badly."""
    found = better_by_labels(output)
    least = UNINFORMED.value if output.accuracy else 0.0
    return found is not None and found.score >= least


def still_wrong(case: Case, form: str) -> bool:
    """Whether most predictions are wrong by labels in another form of the inputs, too."""
    found = [o.accuracy[form] for o in case.outputs if form in o.accuracy]
    found += [o.better.score for o in case.outputs if o.better and o.better.name == form]
    return any(o.accuracy for o in case.outputs) and bool(found) and max(found) < UNINFORMED.value


def never_predicted(output: OutputBehaviour) -> tuple[Evidence, ...]:
    """The classes that labels have and the model never predicts, in a sentence."""
    classes = output.unpredicted
    if not classes:
        return ()
    named = ", ".join(map(str, classes[:LISTED])) + (" and others" if len(classes) > LISTED else "")
    text = (
        f"Your labels have {'class' if len(classes) == 1 else 'classes'} {named} (counted from 0), "
        "which no input is predicted as: training may have had few or no such labels."
    )
    return (Evidence(text, "", list(classes)),)


def recognises(output: OutputBehaviour) -> bool:
    """Whether an output meets labels better than the commonest label does, whatever its score."""
    return output.chance_p is not None and output.chance_p < CHANCE_P.value


def weakly_right(output: OutputBehaviour) -> str:
    """That an output recognises labels, but is mostly wrong; empty if it is not so."""
    given = output.accuracy.get("e", 1.0)
    if given >= UNINFORMED.value or not recognises(output):
        return ""
    return (
        f"{given:.0%} of the predictions match your labels, which is clearly more than a constant "
        f"answer could (p {p_in_words(output.chance_p or 0.0)}): the model is weak, and no other "
        "form of the inputs or order of the classes was found to be better"
    )


def mostly_wrong(output: OutputBehaviour) -> str:
    """How wrong predictions are that are no better than a constant answer; empty if they are."""
    found, measure = scores(output)
    if "e" not in found or recognises(output):
        return ""
    room, best = capacity(output), max(found, key=lambda name: found[name])
    given = found["e"]
    if given >= (UNINFORMED.value if output.accuracy else 0.0):
        return ""
    shown = "{:.0%}".format if output.accuracy else r2_in_words
    text = f"On your labels the {measure} is {shown(given)} as given"
    if best != "e":
        text += f", and at best {shown(found[best])}, {words_of(best)}"
    if not room:
        return f"{text}: below 0 is worse than predicting the mean."
    return f"{text}. The predictions carry {bits_in_words(output, information(output))}."
