"""What changed since an earlier audit of the same model, told by finding fingerprints."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.findings import Finding, Outcome
from modelaudit.report import text
from modelaudit.report.values import as_map
from modelaudit.schema import Audit


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts by fingerprint, the new ones' titles, and whether the file itself changed.

    `waived` were open and are still found, but a waiver covers them now; `reopened` (among the new
    ones) were waived before.
    """

    since: str
    new: int
    fixed: int
    unchanged: int
    waived: int
    reopened: int
    titles: tuple[str, ...]
    remark: str


def _found(audit: Audit, *, waived: bool) -> dict[str, Finding]:
    found = (f for f in audit.findings if (f.outcome is Outcome.WAIVED) is waived)
    return {finding.fingerprint: finding for finding in found}


def build(audit: Audit, previous: Audit) -> Changes:
    """The comparison of two audits."""
    now, before = _found(audit, waived=False), _found(previous, waived=False)
    waived_now, waived_before = _found(audit, waived=True), _found(previous, waived=True)
    new = [finding for key, finding in now.items() if key not in before]
    gone = [key for key in before if key not in now]
    waived = sum(key in waived_now for key in gone)
    digest, old = as_map(audit.model).get("sha256"), as_map(previous.model).get("sha256")
    same_file = digest is not None and digest == old
    remark = "The model file is the same as then." if same_file else "The model file has changed."
    if digest is None or old is None:
        remark = "Whether the model file changed is not known: it could not be hashed."
    elif same_file and (new or gone):
        remark = (
            "The model file is the same as then, so the difference comes from the rules, "
            "the settings or the runtime."
        )
    return Changes(
        since=text.instant(previous.created),
        new=len(new),
        fixed=len(gone) - waived,
        unchanged=len(now) - len(new),
        waived=waived,
        reopened=sum(finding.fingerprint in waived_before for finding in new),
        titles=tuple(text.cut(finding.title.replace("`", ""), 90) for finding in new[:2]),
        remark=remark,
    )
