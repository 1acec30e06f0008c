"""MA603, MA621 to MA628: what the diagnosis found and no other rule reports.

These rules run after the diagnosis, so that its causes show in the verdict and the exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelaudit.audit_types.diagnosis import (
    Cause,
    CauseProbability,
    Diagnosis,
    DiagnosisOdds,
    Evidence,
)
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.odds.posterior import HALF
from modelaudit.rules import examples_behaviour
from modelaudit.rules.model import (
    Check,
    Facts,
    Family,
    Need,
    NotApplicable,
    NotRelevant,
    Rule,
    RuleTexts,
    rules_of,
)
from modelaudit.structs import replace
from modelaudit.thresholds.answers import SURE_FAULT


class CauseTexts(RuleTexts, frozen=True, kw_only=True):
    """A rule for one cause of the diagnosis.

    Attributes:
        cause: the cause.
        unsure: severity if the evidence is less certain.
        sides: whether it is about inputs with sides.
    """

    cause: str
    unsure: Severity
    sides: bool = False


def _check(row: CauseTexts) -> Check:
    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        diagnosis = facts.diagnosis
        assert diagnosis is not None
        if row.sides and not facts.words.oriented:
            raise NotRelevant(f"the model takes {facts.words.many}, which have no left and right")
        for cause in diagnosis.causes:
            if cause.cause == row.cause:
                likely = cause.belief is None or cause.belief > HALF
                told = _finding(rule, row, cause, sure=likely and _sure(facts, diagnosis))
                yield replace(told, severity=Severity.LOW) if _on_guessed_values(facts) else told
                return
        for other in diagnosis.consequences:
            if other.cause == row.cause:
                raise NotRelevant(f"undecidable, because another cause was found ({other.of})")
        for unknown in diagnosis.undecidable:
            if unknown.cause == row.cause and unknown.suspected:
                yield rule.finding(
                    f"Undecided without {unknown.needs}.",
                    key="suspected",
                    title=f"Suspected: {unknown.what[:1].lower()}{unknown.what[1:]}",
                    severity=Severity.LOW,
                    confidence=Confidence.LOW,
                )
            elif unknown.cause == row.cause:
                raise NotApplicable(f"undecidable without {unknown.needs}")

    return check


def _sure(facts: Facts, diagnosis: Diagnosis) -> bool:
    """Whether a fault is probable enough; made-up inputs do not suffice, whatever they show."""
    seen = facts.behaviour
    own = seen is not None and seen.inputs.kind == "user"
    return own and diagnosis.odds.fault >= SURE_FAULT.value


def _on_guessed_values(facts: Facts) -> bool:
    """Whether made-up rows or series were run, whose usual values no file shows.

    Answers to values that are far too small are as constant as those of a faulty model.
    """
    seen = facts.behaviour
    return seen is not None and seen.inputs.kind != "user" and not facts.words.oriented


def _finding(rule: Rule, row: CauseTexts, cause: Cause, *, sure: bool) -> Finding:
    first = cause.evidence[0]
    if first.code not in {"", rule.code}:
        raise NotRelevant(f"reported by {first.code}")
    return rule.finding(
        first.text,
        route=cause.where,
        evidence={"n": first.n, "form": cause.transform} if cause.transform else {"n": first.n},
        key=cause.transform,
        title=cause.title or rule.summary,
        severity=row.severity if sure else row.unsure,
        confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
    )


def _bad(row: CauseTexts) -> Callable[[], Facts]:
    def facts() -> Facts:
        found = Cause(
            cause=row.cause,
            title=row.summary,
            belief=0.97,
            evidence=(
                Evidence("On your 128 labels the accuracy is 8% as given and 71% otherwise."),
            ),
            next_steps=(),
        )
        return replace(_good(), diagnosis=Diagnosis(causes=(found,), odds=_odds(0.03)))

    return facts


def _odds(sound: float) -> DiagnosisOdds:
    return DiagnosisOdds(
        causes=(CauseProbability("sound", "No fault", sound),), cases=1, networks=1
    )


def _good() -> Facts:
    """A diagnosis in which every cause was ruled out."""
    healthy = Cause(cause="healthy", belief=0.8, evidence=(), next_steps=())
    return replace(examples_behaviour.sound_behaviour(), diagnosis=Diagnosis(causes=(healthy,)))


_COMPARE = (
    "Compare the arrays that reach the model in training and in serving, for one input. "
    "`modelaudit explain` shows the code that undoes the difference."
)
TABLE = (
    CauseTexts(
        code="MA603",
        name="orientation-mismatch",
        cause="orientation-mismatch",
        severity=Severity.HIGH,
        unsure=Severity.MEDIUM,
        sides=True,
        summary="The model recognises the images only in another orientation",
        pass_title="The model recognises the images best in the orientation given",
        why="The images that reach the model are mirrored or rotated compared with its training "
        "images, so its predictions are poor or always the same.",
        fix="Compare how training and serving decode images (camera mounting, EXIF rotation, order "
        "of width and height). Correct the difference before the model, not inside it.",
    ),
    CauseTexts(
        code="MA621",
        name="input-scale-mismatch",
        cause="input-domain",
        severity=Severity.HIGH,
        unsure=Severity.MEDIUM,
        summary="The input values have another scale or channel order than in training",
        pass_title="No other scale or channel order of the inputs is recognised better",
        why="The model was trained with another preprocessing. It still answers, but poorly, or "
        "always the same.",
        fix=_COMPARE,
    ),
    CauseTexts(
        code="MA622",
        name="labels-numbered-differently",
        cause="labels-renumbered",
        severity=Severity.HIGH,
        unsure=Severity.MEDIUM,
        summary="The model numbers the classes in another order than your labels",
        pass_title="No other order of the classes makes your labels more likely",
        why="The predictions are right, but read with the wrong class names.",
        fix="Store the list of class names with the model, and read its outputs with it. Folders "
        "are numbered in alphabetical order, in which 10 precedes 2.",
    ),
    CauseTexts(
        code="MA623",
        name="predictions-contradict-labels",
        cause="not-understood",
        severity=Severity.MEDIUM,
        unsure=Severity.MEDIUM,
        summary="Most predictions contradict your labels, for an unknown reason",
        pass_title="The predictions do not contradict your labels",
        why="The model does not do on your inputs what it was trained for, and none of the usual "
        "differences between training and serving explains it.",
        fix="Run the same inputs in the training code. If they are as wrong there, the model was "
        "trained poorly; if not, weights or inputs differ.",
    ),
    CauseTexts(
        code="MA624",
        name="dominant-head-bias",
        cause="head-bias",
        severity=Severity.HIGH,
        unsure=Severity.MEDIUM,
        summary="The bias of the last layer dominates the output",
        pass_title="The bias of the last layer does not dominate the output",
        why="One class wins whatever the input is, although the features before it vary.",
        fix="Centre the bias and measure the accuracy, or restore the layer from a checkpoint.",
    ),
    CauseTexts(
        code="MA625",
        name="unsettled-batch-statistics",
        cause="bn-statistics-unsettled",
        severity=Severity.HIGH,
        unsure=Severity.MEDIUM,
        summary="The moving statistics of batch normalization have not converged",
        pass_title="No moving statistics of batch normalization are on the way from their "
        "initial values",
        why="In inference the model normalises with statistics that its activations do not have, "
        "although its accuracy in training looked right.",
        fix="Recompute the statistics on training inputs, or train longer.",
    ),
    CauseTexts(
        code="MA626",
        name="weights-out-of-place",
        cause="wrong-weights-upstream",
        severity=Severity.MEDIUM,
        unsure=Severity.MEDIUM,
        summary="The activations of a layer do not match its stored statistics",
        pass_title="The activations match the stored statistics of every batch normalization",
        why="The weights before it are those of another layer, epoch or model, or the inputs are "
        "unlike the training inputs.",
        fix="Compare the outputs with reference outputs saved during training: they distinguish "
        "wrong weights from wrong inputs.",
    ),
    CauseTexts(
        code="MA627",
        name="mismatched-batch-statistics",
        cause="bn-statistics-lost",
        severity=Severity.HIGH,
        unsure=Severity.MEDIUM,
        summary="Recomputed batch statistics restore the output",
        pass_title="Recomputed batch statistics would not restore the output",
        why="The stored moving statistics are not those of the training inputs.",
        fix="Restore a checkpoint that contains all of model.weights, or recompute the statistics "
        "on training inputs.",
    ),
    CauseTexts(
        code="MA628",
        name="little-information",
        cause="little-information",
        severity=Severity.LOW,
        unsure=Severity.LOW,
        summary="The predictions are nearly the same for all inputs given",
        pass_title="The predictions differ between the inputs given",
        why="The inputs are of one kind, or weights are out of place; only labels can decide.",
        fix="Audit with labelled inputs of different classes (`--probe-data`).",
    ),
)
RULES = rules_of(
    TABLE,
    Family.BEHAVIOUR,
    Need.BEHAVIOUR,
    Need.DIAGNOSIS,
    check=_check,
    bad=_bad,
    good=_good,
    confidence=Confidence.HIGH,
)
