"""The decision procedure: an ordered list of steps that each find, exclude or leave open a cause.

Order matters: an earlier cause can produce what later steps look for (a layer that was never
restored can make an output constant, or seem orientation-sensitive), never the other way round.
A later observation is listed as a consequence if an earlier cause explains it.

The steps measure and word the evidence. Which causes are named, and in which order, the odds of a
population of networks decide (`beliefs`): what a step found is only suspected if a sound model or
another cause is more probable, and what no step found is named if it is the most probable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.diagnosis import (
    Cause,
    Diagnosis,
    Evidence,
    NextStep,
    RuledOut,
    Undecidable,
)
from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.answer import (
    EXCHANGED,
    OPEN,
    QUESTION,
    QUESTION_WITHOUT_SIDES,
    plain_answer,
)
from modelaudit.diagnosis.arrangement import (
    Decided,
    DiagnosisStep,
    arranged,
    decided,
    judged,
    present,
)
from modelaudit.diagnosis.augmentation import with_augmentation
from modelaudit.diagnosis.beliefs import Beliefs, beliefs
from modelaudit.diagnosis.case import Case, capacity
from modelaudit.diagnosis.loading_code import loading_code
from modelaudit.diagnosis.model import CauseFound, StepResults
from modelaudit.diagnosis.next_steps import next_steps, step_of
from modelaudit.diagnosis.odds_text import DESCRIPTIONS
from modelaudit.diagnosis.steps import (
    collapse as collapse_steps,
)
from modelaudit.diagnosis.steps import (
    design as design_steps,
)
from modelaudit.diagnosis.steps import (
    flip as flip_steps,
)
from modelaudit.diagnosis.steps import (
    input as input_steps,
)
from modelaudit.diagnosis.steps import (
    label as label_steps,
)
from modelaudit.diagnosis.steps import (
    statistics as statistics_steps,
)
from modelaudit.diagnosis.steps import (
    training as training_steps,
)
from modelaudit.diagnosis.steps import (
    weight as weight_steps,
)
from modelaudit.diagnosis.suspects import suspects
from modelaudit.findings import Finding, RuleResult
from modelaudit.measures.architecture.modality_words import in_words
from modelaudit.measures.input_corrections import parts
from modelaudit.measures.value_transforms import JOIN, SWAPS
from modelaudit.rules.catalogue import all_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.unsafe_advice import loading_danger
from modelaudit.structs import replace

WEIGHTS = frozenset({"damaged-restore", "nonfinite-weights"})
RESTORE = WEIGHTS | {
    *("never-loaded", "partial-restore", "untrained-layers", "bn-statistics-lost"),
}
UNDONE_ABOVE = NextStep(
    "The code above undoes this as well: use it once, and look for where each difference comes "
    "from."
)
NOISE = frozenset({"nondeterministic"})
DRAWN = NOISE | {"sampled-output"}
BUILT_IN = frozenset({"invariant-by-construction"})
DESIGN = frozenset({"constant-by-construction", "loss-without-gradient"})
UNTRAINED = frozenset({"not-trained"})
NO_ANSWER = RESTORE | NOISE | DESIGN | UNTRAINED
SILENT = NO_ANSWER | {"dead-units", "exploded-weights"}
UNSETTLED = SILENT | {"bn-statistics-unsettled"}
MISFED = UNSETTLED | {"orientation-mismatch", "head-bias"}
UNFIT = MISFED | {"input-domain", "nonfinite-output"}
FIT_LABELS = UNFIT | {"labels-renumbered", "wrong-weights-upstream"}
OUTSIDE = frozenset({"labels-outside-output"})
UNLEARNED = OUTSIDE | {"loss-unsuited", "network-design"}
EXPLAINED = UNFIT | UNLEARNED | {"wrong-weights-upstream", "prior-only"}
OF_STATISTICS = frozenset(
    {"bn-statistics-lost", "bn-statistics-unsettled", "wrong-weights-upstream"}
)
FAULTS = EXPLAINED | {"not-understood", "collapse-open", "little-information"}

PROCEDURE: tuple[DiagnosisStep, ...] = (
    DiagnosisStep("damaged-restore", weight_steps.damaged),
    DiagnosisStep("nonfinite-weights", weight_steps.nonfinite_weights),
    DiagnosisStep("constant-by-construction", design_steps.constant_head, WEIGHTS),
    DiagnosisStep("not-trained", training_steps.not_trained, WEIGHTS | DESIGN),
    DiagnosisStep("never-loaded", weight_steps.never_loaded, UNTRAINED),
    DiagnosisStep("partial-restore", weight_steps.partial_restore),
    DiagnosisStep("bn-statistics-lost", weight_steps.statistics_lost),
    DiagnosisStep("nondeterministic", collapse_steps.nondeterministic),
    DiagnosisStep("exploded-weights", training_steps.exploded, NO_ANSWER),
    DiagnosisStep("dead-units", collapse_steps.dead_units, NO_ANSWER | {"exploded-weights"}),
    DiagnosisStep(
        "bn-statistics-unsettled", statistics_steps.unsettled_statistics, SILENT - DESIGN
    ),
    DiagnosisStep("orientation-mismatch", input_steps.orientation_mismatch, UNSETTLED),
    DiagnosisStep("head-bias", collapse_steps.head_bias, UNSETTLED | {"orientation-mismatch"}),
    DiagnosisStep("input-domain", input_steps.input_domain, MISFED),
    DiagnosisStep("nonfinite-output", collapse_steps.nonfinite_output, MISFED | {"input-domain"}),
    DiagnosisStep("labels-renumbered", label_steps.labels_renumbered, UNFIT),
    DiagnosisStep("bn-statistics-lost", statistics_steps.unconverged_statistics, UNFIT),
    DiagnosisStep("wrong-weights-upstream", statistics_steps.wrong_weights, UNFIT - DESIGN),
    DiagnosisStep("labels-outside-output", design_steps.labels_outside, FIT_LABELS),
    DiagnosisStep("loss-unsuited", design_steps.unsuited_loss, FIT_LABELS | OUTSIDE),
    DiagnosisStep(
        "network-design", design_steps.unsuited_design, FIT_LABELS | OUTSIDE | {"loss-unsuited"}
    ),
    DiagnosisStep("not-trained", training_steps.few_steps, FIT_LABELS | UNLEARNED),
    DiagnosisStep("prior-only", training_steps.prior_only, FIT_LABELS | UNLEARNED),
    DiagnosisStep("not-understood", label_steps.not_understood, EXPLAINED | {"labels-renumbered"}),
    DiagnosisStep("collapse-open", collapse_steps.collapse_open, EXPLAINED),
    DiagnosisStep(
        "little-information",
        collapse_steps.little_information,
        EXPLAINED | {"not-understood", "collapse-open"},
    ),
    DiagnosisStep(
        "invariant-by-construction", flip_steps.by_construction, NO_ANSWER, FAULTS, NOISE
    ),
    DiagnosisStep(
        "output-follows-flip",
        flip_steps.output_follows,
        FAULTS | BUILT_IN,
        moot_after=DRAWN,
    ),
    DiagnosisStep(
        "learned-invariance",
        flip_steps.learned_invariance,
        FAULTS | BUILT_IN,
        moot_after=DRAWN,
    ),
    DiagnosisStep(
        "orientation-sensitive-architecture",
        flip_steps.sensitive_architecture,
        FAULTS,
        moot_after=DRAWN,
    ),
    DiagnosisStep(
        "orientation-sensitive-data",
        flip_steps.sensitive_data,
        FAULTS | BUILT_IN | {"output-follows-flip"},
        moot_after=DRAWN,
    ),
)


def _title(name: str, found: CauseFound) -> str:
    """The title of a cause; of other values or statistics, which of them it is about."""
    values = parts(found.transform)[1]
    if found.proven:
        return f"{EXCHANGED}: {found.where}"
    if name == "bn-statistics-lost" and not any(each.code for each in found.evidence):
        return "The moving statistics of batch normalization do not belong to these {images}"
    if name != "input-domain" or not values or JOIN in values:
        return ADVICE[name].title
    other = "channel order" if values in SWAPS else "scale"
    return f"The input values have another {other} than in training"


def _cause(name: str, found: CauseFound, case: Case, known: Beliefs) -> Cause:
    advice, seen = ADVICE[name], case.behaviour
    told = found.upstream or found.proven or found.stated
    values = seen.inputs.value_range if seen else (0.0, 1.0)
    return Cause(
        cause=name,
        title=in_words(_title(name, found), case.words),
        belief=None if told else known.of(name),
        interval=None if told else known.interval(name),
        evidence=found.evidence,
        against=found.against,
        refute=in_words(advice.refute, case.words),
        next_steps=(
            *(map(step_of, design_steps.likely_mistakes(case)[:1]) if name in OPEN else ()),
            *next_steps(
                *(name, found, loading_code(case.facts), case.words, values),
                classes=not case.outputs or any(map(capacity, case.outputs)),
                single=len(case.outputs) < 2,
            ),
        ),
        form="exchanged-layers" if found.proven else "",
        transform=found.transform,
        where=found.where,
    )


def _fallback(case: Case, unknown: Sequence[Undecidable], known: Beliefs) -> Cause:
    """The result if no step confirmed a cause."""
    seen = case.behaviour
    if seen is None and not case.facts.artifact.tensors:
        text = f"The model was not run: {case.not_run()}."
        return _cause("not-applicable", CauseFound((Evidence(text),)), case, known)
    if seen is None:
        text = f"The model was not run: {case.not_run()}."
        return _cause("not-run", CauseFound((Evidence(text),)), case, known)
    waiting = [each for each in unknown if case.wanted in each.needs]
    if waiting and not case.images:
        given = "Weights, restore and output are sound as far as built-in inputs can show."
        if case.collapsed:
            given = (
                "Weights and restore are sound as far as they can be judged. The output is nearly "
                "the same for all built-in inputs, which can be correct for inputs without meaning "
                "to the model."
            )
        given = case.wants_pixels or given
        if seen.inputs.kind == "user":
            given = f"Only {seen.inputs.n} {case.words.many} were given, which is too few."
        evidence = [Evidence(given), *(Evidence(f"{note}.") for note in seen.inputs.notes[:2])]
        return _cause("undecided-without-images", CauseFound(tuple(evidence)), case, known)
    if case.alike:
        kind = (
            f"the {case.words.many} seem to be of one kind. To measure what the outputs depend on, "
            f"provide {case.wanted}"
        )
        if seen.inputs.labelled and not case.one_class:
            kind = "your labels differ, so it tells their classes apart poorly"
        text = (
            f"Most {case.words.many} get the same prediction, and the other measurements "
            f"show no fault: {kind}."
        )
        return _cause("healthy", CauseFound((Evidence(text),)), case, known)
    text = "No step of the procedure confirmed a cause"
    if unknown:
        return _cause(
            "healthy", CauseFound((Evidence(f"{text}; some steps are undecided."),)), case, known
        )
    return _cause("healthy", CauseFound((Evidence(f"{text}."),)), case, known)


def _rank(cause: Cause) -> tuple[bool, bool, float]:
    """Faults before descriptions, what is proven (without a belief) first, then by belief.

    Other values beside an untouched layer come after it: no answer shows what they cost.
    """
    beside = cause.cause == "input-domain" and cause.belief is None
    return cause.cause in DESCRIPTIONS, beside, -1.0 if cause.belief is None else -cause.belief


def concluded(
    case: Case, answers: Decided, known: Beliefs
) -> tuple[StepResults, tuple[Cause, ...]]:
    """What the results of the steps mean with the odds, and the causes as they are shown."""
    steps = arranged(case, judged(case, answers, known), present(case, answers, known))
    causes = [_cause(name, found, case, known) for name, found in steps.found]
    causes = causes or [_fallback(case, steps.open, known)]
    return steps, tuple(_once(sorted(causes, key=_rank)))


def _once(causes: Sequence[Cause]) -> Iterator[Cause]:
    """The causes, without code that an earlier one has: one form undoes several differences."""
    told: set[str] = set()
    for cause in causes:
        steps = tuple(step for step in cause.next_steps if not step.code or step.code not in told)
        told |= {step.code for step in steps}
        yield replace(cause, next_steps=steps or (cause.next_steps and (UNDONE_ABOVE,)))


def _lacked(case: Case, each: Undecidable) -> RuledOut | None:
    """An open question about something that the model has not, as ruled out."""
    without = case.facts.measurements is not None and not case.batchnorm
    if not without or each.cause not in OF_STATISTICS:
        return None
    return RuledOut(each.cause, each.what, "the model has no batch normalization")


def diagnose(facts: Facts, results: tuple[RuleResult, ...]) -> Diagnosis:
    """Run the procedure and determine what explains the model's behaviour.

    Args:
        results: the results of the rules; their findings are evidence.
    """
    case = Case(facts, results)
    answers = decided(case, PROCEDURE)
    known = beliefs(case, arranged(case, answers))
    steps, causes = concluded(case, answers, known)
    diagnosis = Diagnosis(
        *(
            QUESTION if case.words.oriented else QUESTION_WITHOUT_SIDES,
            "",
            causes,
            (*steps.ruled_out, *(r for each in steps.open if (r := _lacked(case, each)))),
            tuple(each for each in steps.open if not _lacked(case, each)),
        ),
        consequences=steps.consequences,
        odds=known.section(),
    )
    diagnosis = replace(diagnosis, suspects=suspects(case, diagnosis))
    diagnosis = replace(diagnosis, answer=plain_answer(case, diagnosis))
    diagnosis = with_augmentation(case, diagnosis)
    found = loading_danger(results, all_rules())
    return diagnosis if found is None else forbid(diagnosis, found)


STEPS = (
    NextStep("Do not load this file, and inform whoever you got it from."),
    NextStep(
        "Get a clean copy from whoever trained the model, and audit the copy before anything loads "
        "it.",
        "modelaudit audit COPY",
    ),
)


def forbid(diagnosis: Diagnosis, danger: Finding) -> Diagnosis:
    """`diagnosis` without steps that load the file or help to load it.

    The explanation of the weights stays: it may show where the file comes from.
    """
    first, *others = diagnosis.causes
    why = danger.detail.rstrip(".")
    return replace(
        diagnosis,
        answer=f"Do not load this file: {why} ({danger.code}). {diagnosis.answer}",
        causes=(
            replace(first, next_steps=STEPS),
            *(replace(other, next_steps=()) for other in others),
        ),
    )
