"""The decision procedure: an ordered list of steps, each of which confirms, excludes or passes.

Order matters: what stands earlier can cause what later steps look for (a layer that was never
restored can make an output constant, or seem orientation-sensitive), never the other way round.
The first confirmed cause is the answer; later ones are listed with less belief, because they
were measured on a model that is already known to be faulty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from modelaudit.diagnosis import collapse_steps, flip_steps, weight_steps
from modelaudit.diagnosis.advice import ADVICE, next_steps
from modelaudit.diagnosis.answer import QUESTION, plain_answer
from modelaudit.diagnosis.case import IMAGES, Case
from modelaudit.diagnosis.model import (
    Answer,
    Cause,
    Diagnosis,
    Evidence,
    Excluded,
    Found,
    RuledOut,
    Undecidable,
    Unknown,
)
from modelaudit.diagnosis.suspects import suspects
from modelaudit.findings import RuleResult
from modelaudit.rules.model import Facts

SHADOW = 0.3  # belief left to a cause that an earlier one may be behind


@dataclass(frozen=True, slots=True)
class Step:
    """A cause and the look that confirms or excludes it.

    `fault` steps shadow all later ones; the others describe how a sound model behaves.
    """

    cause: str
    look: Callable[[Case], Answer]
    fault: bool = True


PROCEDURE: tuple[Step, ...] = (
    Step("damaged-restore", weight_steps.damaged),
    Step("never-loaded", weight_steps.never_loaded),
    Step("partial-restore", weight_steps.partial_restore),
    Step("bn-statistics-lost", weight_steps.statistics_lost),
    Step("nondeterministic", collapse_steps.nondeterministic),
    Step("dead-units", collapse_steps.dead_units),
    Step("orientation-mismatch", flip_steps.orientation_mismatch),
    Step("head-bias", collapse_steps.head_bias),
    Step("input-domain", collapse_steps.input_domain),
    Step("bn-statistics-lost", collapse_steps.unconverged_statistics),
    Step("wrong-weights-upstream", collapse_steps.wrong_weights),
    Step("collapse-open", collapse_steps.collapse_open),
    Step("invariant-by-construction", flip_steps.by_construction, fault=False),
    Step("output-follows-flip", flip_steps.output_follows, fault=False),
    Step("learned-invariance", flip_steps.learned_invariance, fault=False),
    Step("orientation-sensitive-architecture", flip_steps.sensitive_architecture, fault=False),
    Step("orientation-sensitive-data", flip_steps.sensitive_data, fault=False),
)


def _cause(name: str, found: Found) -> Cause:
    advice = ADVICE[name]
    return Cause(
        cause=name,
        title=advice.title,
        belief=found.belief,
        evidence=found.evidence,
        against=found.against,
        refute=advice.refute,
        next_steps=next_steps(name, found),
        transform=found.transform,
        where=found.where,
    )


def _fallback(case: Case, unknown: Sequence[Undecidable]) -> Cause:
    """What to say when no step confirmed a cause."""
    if case.behaviour is None:
        text = f"The model was not run: {case.not_run()}."
        name, belief = ("undecided-without-images", 0.5)
        if not case.facts.artifact.tensors:
            name, belief = "not-applicable", 1.0
        return _cause(name, Found(belief, (Evidence(text),)))
    waiting = [each for each in unknown if IMAGES in each.needs or "labelled" in each.needs]
    if waiting and not case.images:
        text = (
            "Weights, restore and output are sound as far as built-in inputs can show; whether "
            "the model is right about real images takes real images."
        )
        return _cause("undecided-without-images", Found(0.9, (Evidence(text),)))
    return _cause("healthy", Found(0.8, (Evidence("No step of the procedure confirmed a cause."),)))


def diagnose(facts: Facts, results: tuple[RuleResult, ...]) -> Diagnosis:
    """Walk the procedure and say what explains the model's behaviour.

    Args:
        facts: everything known about the model.
        results: how the rules ended, whose findings are evidence.
    """
    case = Case(facts, results)
    causes: list[Cause] = []
    ruled_out: dict[str, RuledOut] = {}
    unknown: dict[str, Undecidable] = {}
    shadowed = False
    for step in PROCEDURE:
        title = ADVICE[step.cause].title
        answer = step.look(case)
        if isinstance(answer, Found):
            if any(cause.cause == step.cause for cause in causes):
                continue
            cause = _cause(step.cause, answer)
            if shadowed:
                cause = replace(cause, belief=round(cause.belief * SHADOW, 3))
            causes.append(cause)
            shadowed = True
        elif isinstance(answer, Excluded):
            ruled_out.setdefault(step.cause, RuledOut(step.cause, title, answer.by))
        elif isinstance(answer, Unknown):
            unknown.setdefault(step.cause, Undecidable(step.cause, title, answer.needs))
    confirmed = {cause.cause for cause in causes}
    out = tuple(each for name, each in ruled_out.items() if name not in confirmed)
    open_ = tuple(
        each for name, each in unknown.items() if name not in confirmed and name not in ruled_out
    )
    if not causes:
        causes.append(_fallback(case, open_))
    diagnosis = Diagnosis(QUESTION, "", tuple(causes), out, open_)
    diagnosis = replace(diagnosis, suspects=suspects(case, diagnosis))
    return replace(diagnosis, answer=plain_answer(case, diagnosis))
