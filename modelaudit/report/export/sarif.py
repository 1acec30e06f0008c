"""SARIF 2.1.0 (OASIS standard, 2020): findings for code-scanning services."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from modelaudit.audit_types.json_form import jsonable
from modelaudit.facts import Json
from modelaudit.findings import Finding, Outcome, RuleResult, Severity
from modelaudit.report.export.file_paths import file_of, path_below, path_of
from modelaudit.report.rule_info import RuleInfo, Rules
from modelaudit.report.wording import evidence, text
from modelaudit.schema import Audit

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
# Scores by which code-scanning services sort, in the bands of CVSS 3.1 (FIRST 2019).
SCORES: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}
# GitHub stores 5,000 results of a run, and refuses a run with over 25,000 ("SARIF results exceed
# limits", GitHub documentation, 2026).
MOST_RESULTS = 5_000
MOST_NOTIFICATIONS = 1_000
PRECISION = {"certain": "very-high", "high": "high", "medium": "medium", "low": "low"}


def _message(value: str) -> dict[str, Json]:
    return {"text": text.printable(value) or "–"}


def _rule(info: RuleInfo) -> dict[str, Json]:
    properties: dict[str, Json] = {"tags": [info.family], "problem.severity": LEVELS[info.severity]}
    if info.family == "security":
        properties["security-severity"] = SCORES[info.severity]
    described: dict[str, Json] = {
        "id": info.code,
        "name": info.name,
        "shortDescription": _message(info.summary),
        "fullDescription": _message(info.why or info.summary),
        "help": _message(info.fix or info.summary),
        "defaultConfiguration": {"level": LEVELS[info.severity]},
        "properties": properties,
    }
    links = (info.page, *info.references)
    if link := next((each for each in links if each.startswith(("https://", "http://"))), None):
        described["helpUri"] = link
    return described


def _file(audit: Audit, finding: Finding, base: str) -> dict[str, Json]:
    """The file of a finding, relative to the repository if the model is inside it.

    Code-hosting services resolve relative addresses against the repository's root and ignore
    `originalUriBaseIds` (see issue 2215 of github/codeql-action).
    """
    below = path_below(base, audit)
    path = file_of(path_of(audit) if below is None else below, audit, finding.location.file)
    return {"uri": _quoted(path), "uriBaseId": OUTSIDE if below is None else REPOSITORY}


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "backslashreplace"), safe="/")


def _address(root: str) -> str:
    """The address of a directory: a path of this machine, or a URL."""
    place = f"{root.rstrip('/')}/"
    return f"file://{_quoted(place)}" if root.startswith("/") else quote(place, safe="/:@")


# Names of the two base directories of relative addresses.
REPOSITORY, OUTSIDE = "%SRCROOT%", "MODELROOT"


def _result(
    audit: Audit, finding: Finding, indices: Mapping[str, int], base: str
) -> dict[str, Json]:
    numbers = evidence.short(finding)
    said = f"{finding.title}. {finding.detail}"
    if str(finding.location):
        said += f" Where: {finding.location}."
    if numbers:
        said += f" Evidence: {numbers}."
    place: dict[str, Json] = {
        "physicalLocation": {
            "artifactLocation": _file(audit, finding, base),
            "region": {"startLine": 1},
        }
    }
    if finding.location.route:
        route = text.printable(finding.location.route)
        place["logicalLocations"] = [{"fullyQualifiedName": route, "kind": "member"}]
    result: dict[str, Json] = {
        "ruleId": finding.code,
        "level": LEVELS[finding.severity],
        "message": _message(said),
        "locations": [place],
        "partialFingerprints": {
            "modelaudit/v1": finding.fingerprint,
            "modelaudit/model/v1": f"{audit.model.slug}:{finding.fingerprint}",
        },
        "properties": {
            "severity": finding.severity.value,
            "confidence": finding.confidence.value,
            "precision": PRECISION[finding.confidence.value],
            "evidence": jsonable(finding.evidence),
        },
    }
    if finding.code in indices:
        result["ruleIndex"] = indices[finding.code]
    if finding.outcome is Outcome.WAIVED:
        reason = text.printable(finding.waived_by or "")
        result["suppressions"] = [{"kind": "external", "justification": reason}]
    return result


class _Unanswered:
    """What was not answered: of each model or, if these are too many, of each rule and reason."""

    def __init__(self) -> None:
        self._each: list[Json] = []
        self._alike: dict[tuple[str, str], tuple[str, RuleResult]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self.crashed = False

    def add(self, audit: Audit) -> None:
        for each in audit.skipped:
            self.crashed = self.crashed or each.outcome is Outcome.ERROR
            if each.moot:
                continue
            key = (each.code, each.reason)
            self._alike.setdefault(key, (audit.model.path, each))
            self._counts[key] += 1
            if len(self._each) <= MOST_NOTIFICATIONS:
                self._each.append(_notification(each, audit.model.path))

    def notifications(self) -> list[Json]:
        if len(self._each) <= MOST_NOTIFICATIONS:
            return self._each
        ordered = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        notes = []
        for key, count in ordered[:MOST_NOTIFICATIONS]:
            path, skipped = self._alike[key]
            where = f"{count:,} models, such as {path}" if count > 1 else path
            notes.append(_notification(skipped, where))
        rest = sum(count for _, count in ordered[MOST_NOTIFICATIONS:])
        if rest:
            notes.append({"level": "note", "message": _message(f"{rest:,} more were not answered")})
        return notes


def _notification(skipped: RuleResult, where: str) -> Json:
    said = f"{where}: {skipped.code} was not answered: {skipped.reason}"
    return {
        "level": "error" if skipped.outcome is Outcome.ERROR else "note",
        "message": _message(said),
        "associatedRule": {"id": skipped.code},
    }


class _MostSevere:
    """As many results as services store, the open and severe ones first if there are more."""

    def __init__(self) -> None:
        self._found: list[tuple[bool, int, dict[str, Json]]] = []
        self.left_out = 0

    def add(self, finding: Finding, result: dict[str, Json]) -> None:
        waived = finding.outcome is Outcome.WAIVED
        self._found.append((waived, -finding.severity.rank, result))
        if len(self._found) > 2 * MOST_RESULTS:
            self._cut()

    def results(self) -> list[dict[str, Json]]:
        if self.left_out or len(self._found) > MOST_RESULTS:
            self._cut()
        return [result for *_, result in self._found]

    def _cut(self) -> None:
        self._found.sort(key=lambda each: each[:2])  # stable: in the order of the models
        self.left_out += max(len(self._found) - MOST_RESULTS, 0)
        del self._found[MOST_RESULTS:]


def render(audits: Sequence[Audit], rules: Rules, base: str = "") -> str:
    """One SARIF run over all audits.

    All rules are listed, not only those that failed. Of more than `MOST_RESULTS` findings, the most
    severe are listed, and a notification counts the rest. Unanswered questions that apply to a
    model become tool notifications. A binary model has no lines, so every result points at line 1
    and gives the location inside the model as its logical location.

    Args:
        rules: texts of the rules, by code.
        base: absolute directory of the repository. Paths of models inside it are relative to it,
            others to the audited directory.
    """
    ordered = sorted(rules.values(), key=lambda info: info.code)
    indices = {info.code: index for index, info in enumerate(ordered)}
    first = audits[0].tool if audits else None
    roots: set[str] = set()
    found, unanswered = _MostSevere(), _Unanswered()
    for audit in audits:  # once: a run may have more audits than fit into memory
        roots |= {audit.model.root} - {""}
        unanswered.add(audit)
        for finding in audit.findings:
            found.add(finding, _result(audit, finding, indices, base))
    results, notes = found.results(), unanswered.notifications()
    if found.left_out:
        said = f"{found.left_out:,} findings of lower severity are not listed here; see audit.json"
        notes.insert(0, {"level": "warning", "message": _message(said)})
    run: dict[str, Json] = {
        "tool": {
            "driver": {
                "name": first.name if first else "modelaudit",
                "version": first.version if first else "unknown",
                "rules": [_rule(info) for info in ordered],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not unanswered.crashed,
                "toolExecutionNotifications": notes,
            }
        ],
        "results": [*results],
        "columnKind": "unicodeCodePoints",
    }
    bases = {REPOSITORY: base} if base else {}
    if len(roots) == 1:
        bases[OUTSIDE] = roots.pop()
    run["originalUriBaseIds"] = {name: {"uri": _address(root)} for name, root in bases.items()}
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
