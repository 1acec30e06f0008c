"""Steps about training itself: none, diverged, or one that learnt only the labels' frequencies."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.weight import LISTED, evidence_of
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.grammar import counted
from modelaudit.thresholds.training import ALIVE, PRIOR


def not_trained(case: Case) -> StepResult:
    """The optimizer shows that no step changed the weights."""
    found = case.findings("MA430")
    if found:
        return CauseFound(0.95, tuple(map(evidence_of, found)))
    state = optimizer_state(case.facts.artifact)
    if state is None or state.steps is None:
        return CauseExcluded("no optimizer in the file counts steps without effect")
    initial = case.findings("MA404")
    if state.steps and state.rate == 0 and initial:
        text = f"The learning rate is 0: {counted(state.steps, 'step', 'steps')} changed nothing."
        evidence = (Evidence(text, "", state.rate, None, state.steps), evidence_of(initial[0]))
        return CauseFound(0.98, evidence, where=initial[0].location.route)
    return CauseExcluded(f"the optimizer counts {counted(state.steps, 'step', 'steps')}")


def exploded(case: Case) -> StepResult:
    """Weights are far larger than training makes them."""
    found = case.findings("MA435")
    if not found:
        return CauseExcluded("no kernel is far larger than its initializer draws it")
    evidence = tuple(map(evidence_of, (*found, *case.findings("MA431"))))
    if case.behaviour is not None and case.collapsed is None:
        return CauseExcluded("the output depends on the input in spite of enormous weights")
    belief = 0.9 if case.collapsed else 0.6
    return CauseFound(belief, evidence, where=found[0].location.route)


def prior_only(case: Case) -> StepResult:
    """Every answer is the labels' frequencies or mean, or the bias behind a kernel of nearly 0."""
    shrunk = case.findings("MA436")
    silent = case.findings("MA433", "MA434")
    output = case.collapsed
    if output is None and case.behaviour is not None:
        return CauseExcluded("the output depends on the input")
    evidence = [evidence_of(each) for each in (*shrunk, *silent)[:LISTED]]
    if output is not None and output.prior is not None and not case.one_class:
        if output.prior > PRIOR.value:
            return CauseExcluded(
                f"the constant output is not what your labels say on average (distance "
                f"{output.prior:.2f})"
            )
        text = (
            f"The constant output is what your labels say on average (distance {output.prior:.2g})."
        )
        evidence.insert(0, Evidence(text, "", output.prior, PRIOR.value))
        return CauseFound(0.9, tuple(evidence), where=output.name)
    if not shrunk and case.behaviour is None:
        return CauseUnknown(case.unfed())
    if not shrunk:
        return CauseUnknown(f"{case.labelled}: they show whether the output is their mean")
    return CauseFound(0.85 if output else 0.6, tuple(evidence), where=shrunk[0].location.route)


def still_trained(state: OptimizerState | None, route: str) -> bool:
    """Whether gradients reached the kernel of a layer until the end of training."""
    for each in state.moments if state else ():
        if each.route == route and each.role == "kernel" and each.first and each.second:
            return bool(each.first > ALIVE.value * each.second**0.5)
    return False
