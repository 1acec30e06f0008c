"""GitLab's code quality report: a JSON array of issues as Code Climate's specification has them.

GitLab reads only some fields of an issue; the others are for other readers of the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.findings import Outcome, Severity, Verdict
from modelaudit.report.export.file_paths import file_of, path_below, path_of
from modelaudit.report.rule_info import Rules
from modelaudit.report.wording import text
from modelaudit.schema import Audit

SEVERITIES: Mapping[Severity, str] = {
    Severity.INFO: "info",
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
}
# Code Climate's category for a rule family; all other families are a bug risk.
CATEGORIES: Mapping[str, str] = {"security": "Security", "compatibility": "Compatibility"}
RISK = "Bug Risk"


def render(audits: Sequence[Audit], rules: Rules, base: str = "") -> str:
    """All open findings as one array; an incomplete audit is an entry of its own.

    Waived findings are omitted, because the format cannot mark them as waived.

    Args:
        rules: the rule catalogue, for the category of a finding.
        base: absolute directory that paths are relative to (the repository's root); for a model
            outside of it, the path in the audited directory is given.
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
            where = text.printable(file_of(model, audit, finding.location.file))
            info = rules.get(finding.code)
            category = CATEGORIES.get(info.family, RISK) if info else RISK
            own = _fingerprint(f"{path}\0{finding.fingerprint}", seen)
            entries.append(_entry(said, finding.name, finding.severity, category, where, own))
        if audit.verdict is Verdict.INCOMPLETE:
            said = f"The audit is incomplete: {audit.reason}"
            own = _fingerprint(f"{path}\0", seen)
            entries.append(_entry(said, "incomplete", Severity.MEDIUM, RISK, path, own))
    return json.dumps(entries, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _entry(
    said: str, name: str, severity: Severity, category: str, path: str, fingerprint: str
) -> dict[str, Json]:
    """One issue. The rule's code starts the description: GitLab does not show `check_name`."""
    return {
        "type": "issue",
        "description": text.cut(said, 1000),
        "check_name": text.printable(name),
        "categories": [category],
        "fingerprint": fingerprint,
        "severity": SEVERITIES[severity],
        "location": {"path": path, "lines": {"begin": 1, "end": 1}},
    }


def _fingerprint(key: str, seen: dict[str, int]) -> str:
    """Hash of `key`, salted for repeated keys, because GitLab drops duplicates."""
    seen[key] = seen.get(key, 0) + 1
    salted = key if seen[key] == 1 else f"{key}\0{seen[key]}"
    return hashlib.sha256(salted.encode("utf-8", "surrogatepass")).hexdigest()
