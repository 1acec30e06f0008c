"""The history of one model: its audits over the runs, what changed between them, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from modelaudit import schema
from modelaudit.errors import UsageError
from modelaudit.facts import Format
from modelaudit.findings import Finding, Verdict
from modelaudit.report.wording.vocabulary import transform
from modelaudit.restore.audit_diff import audit_changes, compare_audited, weight_changes
from modelaudit.runs.model_moves import ModelMoves, model_moves
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from modelaudit.facts import Json
    from modelaudit.result_row import ResultRow
    from modelaudit.schema import Audit
    from modelaudit.store.records import ModelKey, StoredRun
    from modelaudit.store.store import Store

FIRST = ("findings", "versions")  # sections of changes that are listed first
# Only at the start of the finding's detail: the rest may contain text from the model file.
EXPIRED = re.compile(r"A waiver for this expired on (\d{4}-\d\d-\d\d)\. ")


def audits_of(store: Store, model: str, last: int) -> list[dict[str, Json]]:
    """The last audits of a model that differ from the previous one, as JSON.

    Raises:
        UsageError: there are none.
    """
    found: list[dict[str, Json]] = []
    # Printed names may contain escapes for characters that terminals cannot show.
    results = store.timeline(model) or [
        each for name in store.names() if clean(name) == model for each in store.timeline(name)
    ]
    for place, group in groupby(results, key=lambda each: each[1]):
        before: tuple[int, StoredRun, Audit] | None = None
        mine = [*group]
        where = model_moves(store, place, [each[0] for each in mine])
        for run, _, number, row in mine:
            came = run.id in where.came
            if before and number == before[0] and not came:
                _lasted(found[-1], run, where)
                continue
            audit = schema.loads(store.document(number))
            why = rejudged_reasons(before[2], audit, before[1], run) if before else []
            told = changes_between(before[2], audit) if before else []
            alike = before and not told and before[2].verdict is audit.verdict
            if alike and not came and found[-1]["sha256"] == row.sha256:
                _lasted(found[-1], run, where)
            else:
                found.append(_audit(run, place, row, audit, told, why, where))
            before = (number, run, audit)
    if not found:
        raise UsageError(f"no run has audited a model called '{clean(model)}'")
    return found[-last:]


def changes_between(old: Audit, new: Audit) -> list[str]:
    """What changed from one audit to the next: findings first, then versions, then the rest.

    [] if one of them could not read the model.
    """
    if Format.UNREADABLE.value in (old.model.format, new.model.format):
        return []
    found = [*audit_changes(old, new, transform), *weight_changes(compare_audited(old, new))]
    told = [f"{each.section}: {each.what}" for each in found]
    told += [f"findings: {each}" for each in _reconsidered(old, new)]
    return sorted(told, key=place_in_order)


def place_in_order(text: str) -> int:
    """Sort key of a change: those of the first sections come first."""
    section = text.partition(":")[0]
    return FIRST.index(section) if section in FIRST else len(FIRST)


def _reconsidered(old: Audit, new: Audit) -> Iterator[str]:
    """Findings of both audits whose severity or waiver changed."""
    before = {finding.fingerprint: finding for finding in old.findings}
    for now in new.findings:
        was = before.get(now.fingerprint)
        name = f"{now.code} {now.name}"
        if was and was.severity is not now.severity:
            yield f"{name}: {was.severity.value} -> {now.severity.value}"
        if was and bool(was.waived_by) != bool(now.waived_by):
            yield f"now waived: {name}" if now.waived_by else f"no longer waived: {name}"


def rejudged_reasons(old: Audit, new: Audit, then: StoredRun, now: StoredRun) -> list[str]:
    """Why the result for the same bytes changed, as far as known; [] for different bytes.

    Args:
        old: the earlier audit.
        new: the later one.
        then: the run that made the earlier one.
        now: the run that made the later one.
    """
    if not old.model.sha256 or old.model.sha256 != new.model.sha256:
        return []
    before, after = ({_expiry(each) for each in audit.findings} for audit in (old, new))
    told = [f"a waiver expired on {day}" for day in sorted(after - before - {""})]
    if old.tool.rules_digest != new.tool.rules_digest:
        told.append("the rules changed")
    elif then.rules != now.rules:
        told.append("modelaudit changed")
    if bool(old.observations) != bool(new.observations):
        told.append("the model was run" if new.observations else "the model was not run")
    elif _versions(old) != _versions(new):
        told.append("a runtime changed")
    elif not told and _statuses(old) != _statuses(new):
        told.append("running the model had a different result")
    elif not told and Verdict.INCOMPLETE in (old.verdict, new.verdict):
        how = "partially" if new.verdict is Verdict.INCOMPLETE else "fully"
        told.append(f"the model was {how} audited")
    return told or ["the settings, files that they name, or files next to the model changed"]


def _expiry(finding: Finding) -> str:
    """The day on which a waiver of the finding expired, "" if none did."""
    said = EXPIRED.match(finding.detail)
    return said[1] if said else ""


def _versions(audit: Audit) -> list[tuple[str, list[tuple[str, str]]]]:
    return sorted((each.runtime, sorted(each.versions.items())) for each in audit.observations)


def _statuses(audit: Audit) -> list[tuple[str, str]]:
    return sorted((each.runtime, each.status.value) for each in audit.observations)


def _audit(
    run: StoredRun,
    place: ModelKey,
    row: ResultRow,
    audit: Audit,
    told: Sequence[str],
    why: Sequence[str],
    where: ModelMoves,
) -> dict[str, Json]:
    worst = next((finding for finding in audit.findings if not finding.waived_by), None)
    return {
        "run": run.id,
        "runs": 1,
        "started": run.started,
        "until": run.started,
        "root": place.root,
        "path": place.path,
        "verdict": row.verdict.value,
        "reason": row.reason,
        "worst": {
            "code": worst.code,
            "name": worst.name,
            "severity": worst.severity.value,
            "detail": worst.detail,
        }
        if worst
        else None,
        "sha256": row.sha256,
        "severities": {**row.severities},
        "changes": [*told],
        "because": [*why],
        "renamed_from": where.came.get(run.id) or None,
        "left": _left(run, where),
    }


def _left(run: StoredRun, where: ModelMoves) -> Json:
    """What happened to the model after its last run; None if it is still there."""
    left = where.left.get(run.id)
    if left is None:
        return None
    return {"kind": left.kind.value, "path": left.path or None, "since": left.since}


def _lasted(found: dict[str, Json], run: StoredRun, where: ModelMoves) -> None:
    """Count one more run with this audit."""
    found["runs"] = int(str(found["runs"])) + 1
    found["until"] = run.started
    found["left"] = _left(run, where)
