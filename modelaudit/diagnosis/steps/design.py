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
    findings = [f for f in case.findings("MA306") if f.severity.rank >= Severity.MEDIUM.rank]
    if not findings:
        return CauseExcluded("the compiled loss does not contradict the output")
    collapsed = case.collapsed
    if collapsed is None or not case.images:
        return CauseExcluded("the output depends on the input in spite of its loss")
    where = findings[0].location.route
    return CauseFound(0.85, tuple(map(evidence_of, findings[:LISTED])), where=where)
