"""Changes between two runs, determined by fingerprints and digests, never by wording."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct, field

from modelaudit.changes.judgement import FindingChanges, compare_findings, verdict_step
from modelaudit.findings import Verdict
from modelaudit.model_versions import unique_by_value
from modelaudit.result_row import ResultRow, RowFinding
from modelaudit.structs import replace

Key = TypeVar("Key", bound=Hashable)


class ModelChangeKind(StrEnum):
    """Kind of change of one model."""

    WORSE = "worse"
    NEW = "new"
    CHANGED = "changed"  # different findings, same verdict
    GONE = "gone"
    OLDER = "superseded"  # still exists, but is no longer the newest version
    RENAMED = "renamed"
    BETTER = "better"
    SAVED = "saved again"  # different bytes, same findings


ORDER = tuple(ModelChangeKind)


class ModelChange(Struct, frozen=True):
    """One model that changed.

    Attributes:
        kind: what changed.
        path: of the model; the later one if it was renamed.
        was: the earlier result, None if the model did not exist.
        now: the later result, None if the model no longer exists.
        findings: the changes of its findings.
        newer: the version that replaced it, or that it replaces; "" for none.
    """

    kind: ModelChangeKind
    path: str
    was: ResultRow | None
    now: ResultRow | None
    findings: FindingChanges[RowFinding] = field(default_factory=FindingChanges)
    newer: str = ""

    @property
    def same_file(self) -> bool:
        """Whether the bytes are known to be unchanged: rules, settings or runtimes changed."""
        if self.was is None or self.now is None:
            return False
        return bool(self.was.sha256) and self.was.sha256 == self.now.sha256

    @property
    def appeared(self) -> tuple[RowFinding, ...]:
        """Open findings of the later result that are new or have a different severity."""
        found = self.findings
        return _of(self.now, (*found.new, *found.reopened, *(now for _, now in found.regraded)))

    @property
    def vanished(self) -> tuple[RowFinding, ...]:
        """Open findings of the earlier result that are gone or have a different severity.

        If the model is now worse or partially audited, findings that were not checked do not count.
        """
        found = self.findings
        went = (*found.fixed, *found.waived, *(was for was, _ in found.regraded))
        return _of(self.was, went if self._less_was_seen else (*went, *found.unchecked))

    @property
    def _less_was_seen(self) -> bool:
        if self.was is None or self.now is None:
            return False
        worse = verdict_step(self.was.verdict, self.now.verdict) < 0
        return worse or self.now.verdict is Verdict.INCOMPLETE


def _of(row: ResultRow | None, some: Iterable[RowFinding]) -> tuple[RowFinding, ...]:
    """Some findings of a row, in the order of the row."""
    chosen = {each.fingerprint for each in some}
    return tuple(each for each in (row.findings if row else ()) if each.fingerprint in chosen)


def new_model(row: ResultRow) -> ModelChange:
    """A model that did not exist before."""
    return ModelChange(ModelChangeKind.NEW, row.path, None, row, compare_findings((), row.findings))


def compare_runs(
    before: Mapping[Key, ResultRow],
    after: Mapping[Key, ResultRow],
    newer: Mapping[Key, str] | None = None,
) -> tuple[ModelChange, ...]:
    """The changed models, by kind, then by path.

    A model that disappeared and one that appeared are the same if they have the same bytes or
    weights, and no other models have them.

    Args:
        before: results of a run, by a key that identifies each model.
        after: results of a later run.
        newer: for models of `before` that still exist but are no longer the newest version, the
            path of the newest; for those that appeared, that of a newer version that is gone.
    """
    newer = newer or {}
    gone = {key: row for key, row in before.items() if key not in after}
    came = {key: row for key, row in after.items() if key not in before}
    changes: list[ModelChange | None] = []
    moved = {key: row.digests for key, row in gone.items() if key not in newer}
    fresh = {key: row.digests for key, row in came.items() if key not in newer}
    for old, new in renamed(moved, fresh).items():
        was, now = gone.pop(old), came.pop(new)
        found = _findings(was, now)
        changes.append(ModelChange(ModelChangeKind.RENAMED, now.path, was, now, found))
    for key, row in gone.items():
        kind = ModelChangeKind.OLDER if key in newer else ModelChangeKind.GONE
        changes.append(ModelChange(kind, row.path, row, None, newer=newer.get(key, "")))
    changes += [replace(new_model(row), newer=newer.get(key, "")) for key, row in came.items()]
    changes += [_change(before[key], row) for key, row in after.items() if key in before]
    found_changes = [change for change in changes if change is not None]
    return tuple(sorted(found_changes, key=lambda each: (ORDER.index(each.kind), each.path)))


def _findings(was: ResultRow, now: ResultRow) -> FindingChanges[RowFinding]:
    return compare_findings(was.findings, now.findings, now.unanswered)


def _change(was: ResultRow, now: ResultRow) -> ModelChange | None:
    if was is now:  # two runs share the row of an audit
        return None
    change = ModelChange(ModelChangeKind.SAVED, now.path, was, now, _findings(was, now))
    step = verdict_step(was.verdict, now.verdict)
    appeared, vanished = change.appeared, change.vanished
    if step < 0 or (step == 0 and appeared and not vanished):
        return replace(change, kind=ModelChangeKind.WORSE)
    if step > 0 or (vanished and not appeared):
        return replace(change, kind=ModelChangeKind.BETTER)
    if appeared:
        return replace(change, kind=ModelChangeKind.CHANGED)
    return change if was.sha256 != now.sha256 else None


def renamed(
    gone: Mapping[Key, Sequence[str | None]], came: Mapping[Key, Sequence[str | None]]
) -> dict[Key, Key]:
    """Disappeared models, each with the new model that is the same.

    They are the same if they share a digest that no other disappeared or new model has.

    Args:
        gone: models in the earlier run only, each with its digests, the most specific first.
        came: models in the later run only, with digests of the same kinds.
    """
    pairs: dict[Key, Key] = {}
    kinds = max((len(digests) for digests in gone.values()), default=0)
    for kind in range(kinds):
        taken = set(pairs.values())
        left = unique_by_value((key, each[kind]) for key, each in gone.items() if key not in pairs)
        right = unique_by_value((key, each[kind]) for key, each in came.items() if key not in taken)
        pairs |= {left[digest]: right[digest] for digest in left if digest in right}
    return pairs
