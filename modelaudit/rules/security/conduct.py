"""MA759: what a model did while it was run."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.structs import replace


def check_changed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Files that changed between the moments before and after the model was run, twice."""
    if facts.changed_while_run:
        name = facts.artifact.root.name
        yield rule.finding(
            f"Files of {name} were modified while it was run, and again during a second attempt.",
            key="changed",
        )


CHANGED = Rule(
    code="MA759",
    name="changed-while-run",
    family=Family.SECURITY,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    needs=(Need.ARTIFACT,),
    summary="The model's files were modified while the model was run",
    pass_title="The model's files were not modified while the model was run",
    why="Either another program writes to them, or the model itself does: then the sandbox did not "
    "contain it, and what was audited is not what is there now. Findings on security that were "
    "made before it ran are reported here all the same.",
    fix="Make sure that no program writes to the model, and audit it again. If it still changes, "
    "keep the file for an investigation and load it nowhere.",
    check=check_changed,
    bad=lambda: replace(healthy(), changed_while_run=True),
    good=healthy,
)

RULES = (CHANGED,)
