"""Steps about mistakes in the design: heads that cannot learn, whatever the weights are."""

from __future__ import annotations

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.label import unlearned, weakly_right
from modelaudit.diagnosis.steps.weight import LISTED, evidence_of
from modelaudit.findings import Finding, Severity
from modelaudit.rules.training.never_learned import without_gradient


def constant_head(case: Case) -> StepResult:
    """Every output is the same for every input, or its loss is, whatever the weights."""
    architecture = case.facts.artifact.architecture
    if architecture is None:
        return CauseUnknown("the saved architecture")
    findings = case.findings("MA305")
    constant = sum(_outputs(each) for each in findings)
    if findings and constant >= len(architecture.outputs):
        where = findings[0].location.route
        return CauseFound(tuple(map(evidence_of, findings[:LISTED])), where=where)
    unsuited = [f for f in case.findings("MA306") if f.severity is Severity.HIGH]
    if unsuited and without_gradient(case.facts):
        return CauseFound(
            tuple(map(evidence_of, unsuited[:LISTED])),
            where=unsuited[0].location.route,
            cause="loss-without-gradient",
        )
    return CauseExcluded("no output is constant by construction")


def _outputs(finding: Finding) -> int:
    """The number of outputs that a finding is about."""
    count = finding.evidence.get("measured") if "places" in finding.evidence else 1
    return count if isinstance(count, int) else 1


def unsuited_loss(case: Case) -> StepResult:
    """The loss that the model was compiled with gave its output little or no gradient."""
    return _unlearned(case, "the compiled loss does not contradict the output", "MA306")


def unsuited_design(case: Case) -> StepResult:
    """Layers or compile settings let through little of the input or of the gradient."""
    sound = "no layer or compile setting keeps it from learning"
    return _unlearned(case, sound, *DESIGN, "MA613")


def labels_outside(case: Case) -> StepResult:
    """The output cannot give most of the labels, whatever the weights are."""
    found = [f for f in case.findings("MA609") if f.severity is Severity.HIGH]
    if not found:
        return CauseExcluded("no labels are known that the output cannot give")
    head = found[0].fix.partition("\n")[2]
    return CauseFound((evidence_of(found[0]),), where=found[0].location.route, head=head)


# What keeps a network from learning, of the rules about its layers and compile settings.
DESIGN = (
    *("MA307", "MA308", "MA310", "MA311", "MA312", "MA314", "MA315", "MA319", "MA322", "MA323"),
    *("MA327", "MA328", "MA329"),
)


def likely_mistakes(case: Case) -> tuple[Finding, ...]:
    """Findings that only a run could turn into a cause, the gravest first."""
    codes = ("MA305", "MA306", "MA309", "MA313", "MA321", "MA436", "MA439", *DESIGN)
    found = [f for f in case.findings(*codes) if f.severity.rank >= Severity.MEDIUM.rank]
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))


def _unlearned(case: Case, sound: str, *codes: str) -> StepResult:
    """Findings, if the output does not depend on the input or is mostly wrong by labels."""
    found = [f for f in case.findings(*codes) if f.severity.rank >= Severity.LOW.rank]
    if not found:
        return CauseExcluded(sound)
    found.sort(key=lambda finding: -finding.severity.rank)
    # Many sound networks have a finding of low severity, and some of them are weak.
    weak = found[0].severity is not Severity.LOW and any(map(weakly_right, case.outputs))
    if not weak and not unlearned(case):
        return CauseExcluded("the output depends on the input in spite of it")
    where = found[0].location.route
    return CauseFound(tuple(map(evidence_of, found[:LISTED])), where=where)
