"""MA718, MA720 to MA735, MA738, MA757 and MA758: the container that stores the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from modelaudit.facts import Format, Json, Problem, ProblemKind
from modelaudit.findings import Finding, Severity
from modelaudit.formats.checkpoint.state_fields import HISTORY, LATEST
from modelaudit.rules.examples import healthy, layer, model
from modelaudit.rules.file_advice import of_state_file
from modelaudit.rules.model import Check, Facts, Family, Need, Rule, rules_of
from modelaudit.rules.problem_findings import describe
from modelaudit.rules.security.container.threats import THREATS, Threat
from modelaudit.structs import replace
from modelaudit.thresholds.security import LEFT_BYTES

_LINK = re.compile(r"\ba link (?:to|out of)\b")


def covers(threat: Threat, problem: Problem) -> bool:
    """Whether a problem is this threat and not, more specifically, another one."""
    if threat.key:
        return threat.named_by(problem)
    return problem.kind is threat.kind and not any(other.named_by(problem) for other in THREATS)


def _with_link(problem: Problem) -> Problem:
    """The problem; that it is a link stands only in the words of one that ended the reading."""
    link = problem.kind is ProblemKind.UNSAFE_PATH and _LINK.search(problem.detail)
    known = "link" in problem.evidence or not link
    return problem if known else replace(problem, evidence={"link": problem.file})


def _check(threat: Threat) -> Check:
    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        for problem in map(_with_link, facts.artifact.problems):
            if covers(threat, problem):
                finding = describe(rule, problem)
                if threat.key == "path":
                    finding = of_state_file(finding, problem)
                    if not _climbs(problem):
                        finding = replace(finding, severity=Severity.MEDIUM)
                if threat.key == "tflite" and _left(problem):
                    finding = replace(finding, severity=Severity.INFO)
                if threat.key == "hdf5" and facts.artifact.format is Format.HDF5_OTHER:
                    finding = replace(finding, severity=_of_data(finding.severity))
                yield finding

    return check


def _of_data(severity: Severity) -> Severity:
    """For the HDF5 file of another program, whose data are no weights and may be of any form."""
    return Severity.MEDIUM if severity is Severity.HIGH else Severity.LOW


def _left(problem: Problem) -> bool:
    """Whether a converter may have left them: tables of a few bytes, and little else."""
    size, tables = problem.evidence.get("measured"), problem.evidence.get("tables", 0)
    if not (isinstance(size, int) and isinstance(tables, int)) or "program" in problem.evidence:
        return False
    return size - tables <= LEFT_BYTES.value


def _climbs(problem: Problem) -> bool:
    """Whether a state file's path is more than absolute, which TF1 wrote routinely."""
    names = (problem.evidence.get(key) for key in (LATEST, HISTORY))
    listed = [path for each in names if isinstance(each, list) for path in each]
    return any(_leads_up(str(path)) for path in listed or [problem.evidence.get("path")])


def _leads_up(path: str) -> bool:
    path = path.replace("\\", "/")
    elsewhere = path.startswith("//") or "://" in path  # another machine
    return elsewhere or ".." in path.split("/") or "\0" in path


def _example(threat: Threat) -> Callable[[], Facts]:
    evidence: dict[str, Json] = {}
    if threat.key:
        evidence[threat.key] = threat.values[0] if threat.values else "../elsewhere"
    problem = Problem(threat.kind, "example.keras", "what the reader saw", evidence=evidence)
    return lambda: Facts(model(layer(), problems=(problem,)))


RULES = rules_of(THREATS, Family.SECURITY, Need.ARTIFACT, check=_check, bad=_example, good=healthy)
