"""Steps about training itself: none, diverged, or one that learnt only the labels' frequencies."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import Case, capacity
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.label import never_predicted, unlearned, weakly_right
from modelaudit.diagnosis.steps.weight import LISTED, evidence_of
from modelaudit.findings import Severity
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.grammar import counted
from modelaudit.rules.network.learning_rates import rate_of
from modelaudit.rules.training.extent import steps_without_effect
from modelaudit.thresholds.answers import ONE_CLASS, SAME_SCORE, TOP_SHARE
from modelaudit.thresholds.training import ALIVE, PRIOR


def not_trained(case: Case) -> StepResult:
    """The optimizer shows that no step changed the weights."""
    found = case.findings("MA430")
    if found:
        return CauseFound(tuple(map(evidence_of, found)))
    state = optimizer_state(case.facts.artifact)
    if state is None or state.steps is None:
        return CauseExcluded("no optimizer in the file counts steps without effect")
    initial = case.findings("MA404")
    if initial and (steps := steps_without_effect(case.facts)):
        made = counted(steps, "step", "steps")
        rate = rate_of(state)
        said = "is" if state.rate is not None else "starts with"
        text = f"The learning rate {said} {rate or 0.0:g}: {made} changed nothing."
        evidence = (Evidence(text, "", rate, None, state.steps), evidence_of(initial[0]))
        return CauseFound(evidence, where=initial[0].location.route)
    return CauseExcluded(f"the optimizer counts {counted(state.steps, 'step', 'steps')}")


def exploded(case: Case) -> StepResult:
    """Weights are far larger than training makes them."""
    found = [each for each in case.findings("MA435") if each.severity is not Severity.LOW]
    if not found:
        return CauseExcluded("no kernel is far larger than its initializer draws it")
    evidence = tuple(map(evidence_of, (*found, *case.findings("MA431"))))
    if case.behaviour is not None and case.collapsed is None:
        return CauseExcluded("the output depends on the input in spite of enormous weights")
    return CauseFound(evidence, where=found[0].location.route)


def prior_only(case: Case) -> StepResult:
    """Every answer is the labels' frequencies or mean, or the bias behind a kernel of nearly 0."""
    shrunk = case.findings("MA436")
    silent = case.findings("MA433", "MA434")
    alike = case.findings("MA439")
    output = case.collapsed
    if alike and (case.behaviour is None or output is not None or unlearned(case)):
        # From inputs that are all the same, nothing but the frequencies can be learnt.
        return CauseFound(tuple(map(evidence_of, alike)), where=alike[0].location.route)
    if output is None and case.behaviour is not None:
        return _majority(case) or CauseExcluded("the output depends on the input")
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
        share = case.behaviour.inputs.largest_class if case.behaviour else None
        if share is not None and capacity(output):
            text += f" The commonest label has {share:.0%}."
        evidence.insert(0, Evidence(text, "", output.prior, PRIOR.value))
        evidence += never_predicted(output)
        return CauseFound(tuple(evidence), where=output.name)
    if not shrunk and case.behaviour is None:
        return CauseUnknown(case.unfed())
    if not shrunk:
        return CauseUnknown(f"{case.labelled}: they show whether the output is their mean")
    return CauseFound(tuple(evidence), where=shrunk[0].location.route)


def _majority(case: Case) -> CauseFound | None:
    """Nearly one answer for all inputs, right as often as the commonest label occurs."""
    share = case.behaviour.inputs.largest_class if case.behaviour else None
    if share is None or share <= TOP_SHARE.value or not case.images or case.one_class:
        return None
    for output in case.outputs:
        given, top = output.accuracy.get("e"), output.collapse.top_share or 0.0
        if given is None or top < ONE_CLASS.value or abs(given - share) > SAME_SCORE.value:
            continue
        text = (
            f"One class is predicted for {top:.0%} of the inputs, although your labels differ. The "
            f"accuracy is {given:.0%}: the commonest label has {share:.0%}."
        )
        evidence = (Evidence(text, "", given, share), *never_predicted(output))
        return CauseFound(evidence, where=output.name)
    return None


def few_steps(case: Case) -> StepResult:
    """Training was so short that the output is still constant or wrong."""
    found = case.findings("MA432")
    if not found:
        return CauseExcluded("no optimizer counts only a few training steps")
    if not unlearned(case) and not any(map(weakly_right, case.outputs)):
        return CauseExcluded("the output depends on the input after few training steps")
    return CauseFound((evidence_of(found[0]),))


def still_trained(state: OptimizerState | None, route: str) -> bool:
    """Whether gradients reached the kernel of a layer until the end of training."""
    for each in state.moments if state else ():
        if each.route == route and each.role == "kernel" and each.first and each.second:
            return bool(each.first > ALIVE.value * each.second**0.5)
    return False
