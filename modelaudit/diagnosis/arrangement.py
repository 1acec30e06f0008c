"""How the results of all steps become causes, consequences, and what is ruled out or open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from modelaudit.audit_types.diagnosis import Consequence, RuledOut, Undecidable
from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.beliefs import BEHIND, TRAINING, Beliefs
from modelaudit.diagnosis.case import Case, better_by_labels
from modelaudit.diagnosis.features import NAMED, NEED_INPUTS
from modelaudit.diagnosis.model import (
    CauseExcluded,
    CauseFound,
    CauseUnknown,
    StepResult,
    StepResults,
)
from modelaudit.diagnosis.named import named
from modelaudit.diagnosis.steps.label import restored
from modelaudit.measures.architecture.modality_words import in_words
from modelaudit.odds.posterior import SOUND
from modelaudit.structs import replace
from modelaudit.terminal_text import plain


class DiagnosisStep(Struct, frozen=True):
    """A cause and the check that confirms or excludes it.

    The observation is only a consequence if a cause in `explained_by` was confirmed before: a
    constant output says nothing new about a model whose weights were never loaded. If the step
    is undecidable then, or after a cause in `skipped_after`, it is not reported as open. After a
    cause in `moot_after` the measurements are meaningless, so they rule nothing out either.
    """

    cause: str
    decide: Callable[[Case], StepResult]
    explained_by: frozenset[str] = frozenset()
    skipped_after: frozenset[str] = frozenset()
    moot_after: frozenset[str] = frozenset()


# Causes that are about the sides, colours or pixel values of an input.
OF_SIDES = frozenset(
    {
        *("orientation-mismatch", "input-domain", "invariant-by-construction"),
        *("output-follows-flip", "learned-invariance", "orientation-sensitive-architecture"),
        "orientation-sensitive-data",
    }
)
FORMS = frozenset({"orientation-mismatch", "input-domain", "labels-renumbered"})
UNTOUCHED = frozenset({"partial-restore", "untrained-layers"})
# Labels that are met by chance only, or in another order of the classes: no sound model of the
# population is like that, so the odds of one rest on nothing there.
BY_LABELS = frozenset({"not-understood", "labels-renumbered"})
Decided = Sequence[tuple[DiagnosisStep, StepResult]]


def decided(case: Case, steps: Sequence[DiagnosisStep]) -> Decided:
    """The result of every step that applies, in order."""
    left_out = frozenset() if case.words.oriented else OF_SIDES
    if case.columns:
        left_out -= {"input-domain"}
    return [(step, _result(step, case)) for step in steps if step.cause not in left_out]


def _result(step: DiagnosisStep, case: Case) -> StepResult:
    """What a step decides. An exception in it is open, and never ends the audit, as of a rule."""
    try:
        return step.decide(case)
    except Exception as error:
        detail = plain(f"{type(error).__name__}: {error}")[:500]
        return CauseUnknown(f"a version in which this step does not end in an error ({detail})")


def _found(results: Decided) -> set[str]:
    return {step.cause for step, answer in results if isinstance(answer, CauseFound)}


def _proven(results: Decided) -> frozenset[str]:
    """The causes of the population behind what undoing it in a copy has proven."""
    shown = (step for step, answer in results if isinstance(answer, CauseFound) and answer.proven)
    return frozenset(name for step in shown for name in BEHIND[step.cause])


def present(case: Case, results: Decided, known: Beliefs) -> frozenset[str]:
    """The causes of the population that are present, as far as the odds and the steps say.

    Those that the odds are for. If another form restores the answers, that form in place of poor
    training, for which poor answers speak alone.
    """
    if proven := _proven(results):
        return proven
    forms = {name for cause in _found(results) & FORMS for name in BEHIND[cause]}
    shown = case.collapsed is not None or any(map(better_by_labels, case.outputs))
    if not forms or not shown or not known.chosen or not known.chosen <= NEED_INPUTS:
        return known.chosen
    return (known.chosen - TRAINING) | forms


def judged(case: Case, results: Decided, known: Beliefs) -> Decided:
    """The results as the odds have them: what they are not for is doubted, what is missing added.

    What no odds are known of is proven by its step, and stays. So do differences of the inputs or
    labels that were found together, if one of them does: labels need each.
    """
    if known.found is None:
        return results
    chosen = present(case, results, known)
    told = chosen | {SOUND}
    found = _found(results)
    has = {name for cause in found for name in BEHIND.get(cause, ())}
    extra = {NAMED[name]: told for name, told in named(case, known).items() if name not in has}
    extra = {} if _proven(results) else extra
    if found & FORMS and any(map(restored, case.outputs)):
        # Another form restores the answers, so what no step found does not explain them.
        told |= {name for cause in found & FORMS for name in BEHIND[cause] if extra}
        extra = {}

    def likely(step: DiagnosisStep) -> bool:
        behind = BEHIND.get(step.cause)
        by_labels = step.cause in BY_LABELS and not known.chosen
        return behind is None or by_labels or bool(told & {*behind})

    forms = [
        (step, answer)
        for step, answer in results
        if isinstance(answer, CauseFound) and step.cause in FORMS
    ]
    linked = any(answer.together for _, answer in forms) and any(likely(step) for step, _ in forms)

    def one(step: DiagnosisStep, answer: StepResult) -> StepResult:
        if not isinstance(answer, CauseFound):
            return extra.get(step.cause, answer)
        stays = likely(step) or answer.upstream or answer.stated
        stays |= linked and step.cause in FORMS
        return replace(answer, doubted=not stays)

    return [(step, one(step, answer)) for step, answer in results]


def arranged(case: Case, results: Decided, chosen: frozenset[str] = frozenset()) -> StepResults:
    """Which causes are found, which follow from them, which are ruled out, and which stay open.

    Args:
        results: what each step says.
        chosen: causes of the population that are present, so that none explains another.
    """
    causes: list[tuple[str, CauseFound]] = []
    consequences: list[Consequence] = []
    ruled_out: dict[str, RuledOut] = {}
    unknown: dict[str, Undecidable] = {}
    for step, answer in results:
        cause = (answer.cause if isinstance(answer, CauseFound) else "") or step.cause
        title = in_words(ADVICE[cause].title, case.words)
        before = [name for name, _ in causes]
        explained = [name for name in before if name in step.explained_by]
        open_ = Undecidable(cause=cause, what=title, needs=case.deciding, suspected=True)
        if isinstance(answer, CauseFound):
            if cause in before:
                continue
            of = next((name for name in explained if not _apart(step, answer, name, chosen)), None)
            if of is not None:
                text = answer.evidence[0].text
                consequences.append(Consequence(cause, title, of, text))
            elif answer.doubted:
                unknown.setdefault(cause, open_)
            else:
                causes.append((cause, answer))
        elif any(name in step.moot_after for name in before):
            continue
        elif isinstance(answer, CauseExcluded):
            ruled_out.setdefault(step.cause, RuledOut(step.cause, title, answer.by))
        elif not explained and not any(name in step.skipped_after for name in before):
            open_ = replace(open_, needs=answer.needs, suspected=answer.suspected)
            unknown.setdefault(step.cause, open_)
    seen = {name for name, _ in causes} | {each.cause for each in consequences}
    return StepResults(
        tuple(causes),
        tuple(consequences),
        tuple(o for name, o in ruled_out.items() if name not in seen and name not in unknown),
        tuple(each for name, each in unknown.items() if name not in seen),
    )


def _apart(step: DiagnosisStep, found: CauseFound, other: str, chosen: frozenset[str]) -> bool:
    """Whether a cause is present beside another that could explain what was seen."""
    if (found.together and other in FORMS) or (found.upstream and other in UNTOUCHED):
        return True
    own = chosen & {*BEHIND.get(step.cause, ())}
    return bool(own) and not own & {*BEHIND.get(other, ())} and other in BEHIND
