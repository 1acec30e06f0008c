"""GitLab's code quality report: a JSON array of the Code Climate properties that GitLab reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.findings import Outcome, Severity, Verdict
from modelaudit.report import text
from modelaudit.report.places import file_of, path_below, path_of
from modelaudit.report.ruleinfo import Rules
from modelaudit.schema import Audit

SEVERITIES: Mapping[Severity, str] = {
    Severity.INFO: "info",
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
}


def render(audits: Sequence[Audit], _rules: Rules, base: str = "") -> str:
    """All open findings as one array; an incomplete audit is an entry of its own.

    Waived findings are left out, for the format has no way to say that they are waived.

    Args:
        audits: what to report on.
        base: absolute directory that paths are given relative to (the repository's root); where
            a model lies outside of it, its path in the audited directory is given.
    """
    entries: list[Json] = []
    seen: dict[str, int] = {}
    for audit in audits:
        model = path_below(base, audit) or path_of(audit)
        path = text.printable(model)
        for finding in audit.findings:
            if finding.outcome is Outcome.WAIVED:
                continue
            place = f" ({finding.location})" if str(finding.location) else ""
            said = f"{finding.code} {finding.title}{place}: {finding.detail}"
            key = f"{path}\0{finding.fingerprint}"
            where = text.printable(file_of(model, audit, finding.location.file))
            entries.append(_entry(said, finding.name, finding.severity, where, key, seen))
        if audit.verdict is Verdict.INCOMPLETE:
            said = f"The audit is incomplete: {audit.reason}"
            entries.append(_entry(said, "incomplete", Severity.MEDIUM, path, f"{path}\0", seen))
    return json.dumps(entries, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _entry(
    said: str, name: str, severity: Severity, path: str, key: str, seen: dict[str, int]
) -> dict[str, Json]:
    """One entry; of two with one key the second gets a fingerprint of its own, or GitLab drops it.

    The rule's code starts the description, because GitLab does not show `check_name`.
    """
    seen[key] = seen.get(key, 0) + 1
    salted = key if seen[key] == 1 else f"{key}\0{seen[key]}"
    return {
        "description": text.cut(said, 1000),
        "check_name": text.printable(name),
        "fingerprint": hashlib.sha256(salted.encode("utf-8", "surrogatepass")).hexdigest(),
        "severity": SEVERITIES[severity],
        "location": {"path": path, "lines": {"begin": 1}},
    }
