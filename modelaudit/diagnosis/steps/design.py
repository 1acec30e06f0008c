"""Steps about mistakes in the design: heads that cannot learn, whatever the weights are."""

from __future__ import annotations

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.weight import LISTED, evidence_of
from modelaudit.findings import Severity


def constant_head(case: Case) -> StepResult:
    """Every output is the same for every input, whatever the weights."""
    architecture = case.facts.artifact.architecture
    if architecture is None:
        return CauseUnknown("the saved architecture")
    findings = case.findings("MA305")
    if findings and len(findings) >= len(architecture.outputs):
        where = findings[0].location.route
        return CauseFound(0.99, tuple(map(evidence_of, findings[:LISTED])), where=where)
    return CauseExcluded("no output is constant by construction")


def unsuited_loss(case: Case) -> StepResult:
    """The loss that the model was compiled with gave its output little or no gradient."""
    return _unlearned(case, 0.85, "the compiled loss does not contradict the output", "MA306")


def unsuited_design(case: Case) -> StepResult:
    """Layers or compile settings let through little of the input or of the gradient."""
    return _unlearned(case, 0.75, "no layer or compile setting keeps it from learning", *DESIGN)


# What keeps a network from learning, of the rules about its layers and compile settings.
DESIGN = (
    *("MA307", "MA308", "MA310", "MA311", "MA312", "MA314", "MA319", "MA322", "MA323", "MA327"),
)


def _unlearned(case: Case, belief: float, sound: str, *codes: str) -> StepResult:
    """Findings of medium severity or above, if the output does not depend on the input."""
    found = [f for f in case.findings(*codes) if f.severity.rank >= Severity.MEDIUM.rank]
    if not found:
        return CauseExcluded(sound)
    if case.collapsed is None or not case.images:
        return CauseExcluded("the output depends on the input in spite of it")
    found.sort(key=lambda finding: -finding.severity.rank)
    where = found[0].location.route
    return CauseFound(belief, tuple(map(evidence_of, found[:LISTED])), where=where)
