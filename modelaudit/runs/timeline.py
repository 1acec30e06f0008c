"""The history of one model: its audits over the runs, what changed between them, and why."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from msgspec import Struct

from modelaudit import schema
from modelaudit.changes.audit_change import AuditChange, ChangedSection
from modelaudit.changes.audits import compare_audits
from modelaudit.changes.reasons import RejudgedReason, rejudged_reasons
from modelaudit.errors import UsageError
from modelaudit.facts import Format
from modelaudit.result_row import ResultRow
from modelaudit.runs.model_moves import ModelDisappearance, ModelMoves, model_moves
from modelaudit.schema import Audit
from modelaudit.store.records import ModelKey, StoredRun
from modelaudit.store.store import Store
from modelaudit.structs import replace
from modelaudit.terminal_text import clean

FIRST = (ChangedSection.FINDINGS, ChangedSection.VERSIONS)  # listed before other changes


class HistoryEntry(Struct, frozen=True):
    """One audit of a model that differs from the previous one.

    Attributes:
        run: number of the first run with this audit.
        runs: number of runs in which the model was unchanged.
        started: when the first of them began.
        until: when the last of them began.
        model: which model it is.
        row: its result.
        changes: what changed since the previous audit, the most telling first.
        because: why the result changed, if the model's files did not.
        renamed_from: its previous path, "" if it was not renamed.
        left: what became of the model after the last of the runs, None if it stayed.
    """

    run: int
    runs: int
    started: str
    until: str
    model: ModelKey
    row: ResultRow
    changes: tuple[AuditChange, ...]
    because: tuple[RejudgedReason, ...]
    renamed_from: str
    left: ModelDisappearance | None


def audits_of(store: Store, model: str, last: int) -> list[HistoryEntry]:
    """The last audits of a model that differ from the previous one.

    Raises:
        UsageError: there are none.
    """
    found: list[HistoryEntry] = []
    # Printed names may contain escapes for characters that terminals cannot show.
    results = store.timeline(model) or [
        each for name in store.names() if clean(name) == model for each in store.timeline(name)
    ]
    for key, group in groupby(results, key=lambda each: each[1]):
        before: tuple[int, StoredRun, Audit] | None = None
        mine = [*group]
        moves = model_moves(store, key, [each[0] for each in mine])
        for run, _, number, row in mine:
            came = run.id in moves.came
            if before and number == before[0] and not came:
                found[-1] = _lasted(found[-1], run, moves)
                continue
            audit = schema.loads(store.document(number))
            changes: tuple[AuditChange, ...] = ()
            because: tuple[RejudgedReason, ...] = ()
            if before:
                changes = changes_between(before[2], audit)
                same_tool = before[1].rules == run.rules
                because = rejudged_reasons(before[2], audit, same_tool=same_tool)
            alike = before and not changes and before[2].verdict is audit.verdict
            if alike and not came and found[-1].row.sha256 == row.sha256:
                found[-1] = _lasted(found[-1], run, moves)
            else:
                found.append(_entry(run, key, row, changes, because, moves))
            before = (number, run, audit)
    if not found:
        raise UsageError(f"no run has audited a model called '{clean(model)}'")
    return found[-last:]


def changes_between(old: Audit, new: Audit) -> tuple[AuditChange, ...]:
    """What changed from one audit to the next: findings first, then versions, then the rest.

    () if one of them could not read the model.
    """
    if Format.UNREADABLE.value in (old.model.format, new.model.format):
        return ()
    return first_sections(compare_audits(old, new))


def first_sections(changes: Iterable[AuditChange]) -> tuple[AuditChange, ...]:
    """The changes, those of the first sections before the others."""
    order = {section: place for place, section in enumerate(FIRST)}
    return tuple(sorted(changes, key=lambda each: order.get(each.section, len(FIRST))))


def _entry(
    run: StoredRun,
    key: ModelKey,
    row: ResultRow,
    changes: tuple[AuditChange, ...],
    because: tuple[RejudgedReason, ...],
    moves: ModelMoves,
) -> HistoryEntry:
    return HistoryEntry(
        run=run.id,
        runs=1,
        started=run.started,
        until=run.started,
        model=key,
        row=row,
        changes=changes,
        because=because,
        renamed_from=moves.came.get(run.id, ""),
        left=moves.left.get(run.id),
    )


def _lasted(entry: HistoryEntry, run: StoredRun, moves: ModelMoves) -> HistoryEntry:
    """The entry with one more run in which the model was unchanged."""
    left = moves.left.get(run.id)
    return replace(entry, runs=entry.runs + 1, until=run.started, left=left)
