"""Why the same bytes were judged otherwise."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from modelaudit.findings import Finding, Verdict
from modelaudit.schema import Audit

# Only at the start of the finding's detail: the rest may contain text from the model file.
EXPIRED = re.compile(r"A waiver for this expired on (\d{4}-\d\d-\d\d)\. ")


class ReasonKind(StrEnum):
    """What changed, other than the model's files."""

    WAIVER_EXPIRED = "waiver-expired"
    RULES = "rules"
    TOOL = "tool"
    RUN = "run"
    NOT_RUN = "not-run"
    RUNTIME = "runtime"
    RUN_RESULT = "run-result"
    PARTIAL = "partially-audited"
    FULL = "fully-audited"
    OTHER = "other"  # the settings, files that they name, or files next to the model


class RejudgedReason(Struct, frozen=True):
    """One reason. `day` is that on which a waiver expired, "" for other reasons."""

    kind: ReasonKind
    day: str = ""


def rejudged_reasons(old: Audit, new: Audit, *, same_tool: bool) -> tuple[RejudgedReason, ...]:
    """Why the result for the same bytes changed, as far as known; () for different bytes.

    Args:
        same_tool: whether the same code made both.
    """
    if not old.model.sha256 or old.model.sha256 != new.model.sha256:
        return ()
    before, after = ({_expiry(each) for each in audit.findings} for audit in (old, new))
    expired = sorted(after - before - {""})
    found = [RejudgedReason(ReasonKind.WAIVER_EXPIRED, day) for day in expired]
    if old.tool.rules_digest != new.tool.rules_digest:
        found.append(RejudgedReason(ReasonKind.RULES))
    elif not same_tool:
        found.append(RejudgedReason(ReasonKind.TOOL))
    if bool(old.observations) != bool(new.observations):
        found.append(RejudgedReason(ReasonKind.RUN if new.observations else ReasonKind.NOT_RUN))
    elif _versions(old) != _versions(new):
        found.append(RejudgedReason(ReasonKind.RUNTIME))
    elif not found and _statuses(old) != _statuses(new):
        found.append(RejudgedReason(ReasonKind.RUN_RESULT))
    elif not found and Verdict.INCOMPLETE in (old.verdict, new.verdict):
        partial = new.verdict is Verdict.INCOMPLETE
        found.append(RejudgedReason(ReasonKind.PARTIAL if partial else ReasonKind.FULL))
    return tuple(found) or (RejudgedReason(ReasonKind.OTHER),)


def _expiry(finding: Finding) -> str:
    """The day on which a waiver of the finding expired, "" if none did."""
    said = EXPIRED.match(finding.detail)
    return said[1] if said else ""


def _versions(audit: Audit) -> list[tuple[str, list[tuple[str, str]]]]:
    return sorted((each.runtime, sorted(each.versions.items())) for each in audit.observations)


def _statuses(audit: Audit) -> list[tuple[str, str]]:
    return sorted((each.runtime, each.status.value) for each in audit.observations)
