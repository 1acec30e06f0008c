"""What a reader reported, as a sentence and as a finding."""

from __future__ import annotations

from modelaudit.facts import Problem
from modelaudit.findings import Finding
from modelaudit.rules.model import Rule

VERBS = ("is ", "has ", "ends ", "names ")


def sentence(problem: Problem) -> str:
    """What a reader reported, after the name of the file."""
    # A detail that begins with a verb is a sentence whose subject is the file.
    gap = " " if problem.detail.startswith(VERBS) else ": "
    return f"{problem.file}{gap}{problem.detail}" if problem.file else problem.detail


def describe(rule: Rule, problem: Problem) -> Finding:
    """The finding for a problem that a reader reported."""
    return rule.finding(
        f"`{problem.file}`{sentence(problem).removeprefix(problem.file)}"
        if problem.file
        else problem.detail,
        file=problem.file,
        route=problem.route,
        evidence=problem.evidence,
        key=problem.kind.value,
    )
