"""Changes between two runs, determined by fingerprints and digests, never by wording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from modelaudit.facts import Json
from modelaudit.findings import WORST_FIRST, Verdict
from modelaudit.model_versions import unique_by_value
from modelaudit.store.records import ModelKey, ResultRow


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


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One model that changed.

    `was` and `now` are None if the model did not exist. `appeared` and `vanished` are open findings
    that only one of the two has; if a model is now worse or partially audited, findings that were
    not checked do not count as vanished. `newer` is the version that replaced it, or that it
    replaces.
    """

    kind: ModelChangeKind
    path: str
    was: ResultRow | None
    now: ResultRow | None
    appeared: tuple[ResultRow, ...] = ()
    vanished: tuple[ResultRow, ...] = ()
    newer: str = ""

    @property
    def same_file(self) -> bool:
        """Whether the bytes are known to be unchanged: rules, settings or runtimes changed."""
        return self.was is not None and self.now is not None and _same(self.was, self.now, "sha256")

    @property
    def unwaived(self) -> tuple[ResultRow, ...]:
        """Findings that were waived and are open now."""
        return _waived_in(self.appeared, self.was)

    @property
    def waived(self) -> tuple[ResultRow, ...]:
        """Findings that were open and are waived now."""
        return _waived_in(self.vanished, self.now)


def new_model(line: ResultRow) -> ModelChange:
    """A model that did not exist before."""
    return ModelChange(ModelChangeKind.NEW, _path(line), None, line, appeared=open_findings(line))


def compare_runs(
    before: Mapping[ModelKey, ResultRow],
    after: Mapping[ModelKey, ResultRow],
    newer: Mapping[ModelKey, str] | None = None,
) -> tuple[ModelChange, ...]:
    """The changed models, by kind, then by path.

    A model that disappeared and one that appeared are the same if they have the same bytes or
    weights, and no other models have them.

    Args:
        before: results of a run.
        after: results of a later run.
        newer: for models of `before` that still exist but are no longer the newest version, the
            path of the newest; for those that appeared, that of a newer version that is gone.
    """
    newer = newer or {}
    gone = {place: line for place, line in before.items() if place not in after}
    came = {place: line for place, line in after.items() if place not in before}
    changes = []
    moved = {place: line for place, line in gone.items() if place not in newer}
    fresh = {place: line for place, line in came.items() if place not in newer}
    for old, place in _renamed(moved, fresh):
        changes.append(_change(gone.pop(old), came.pop(place), renamed=True))
    for place, line in gone.items():
        kind = ModelChangeKind.OLDER if place in newer else ModelChangeKind.GONE
        changes.append(ModelChange(kind, _path(line), line, None, newer=newer.get(place, "")))
    changes += [
        replace(new_model(line), newer=newer.get(place, "")) for place, line in came.items()
    ]
    changes += [_change(before[place], after[place]) for place in after if place in before]
    order = list(ModelChangeKind)
    real = [change for change in changes if change is not None]
    return tuple(sorted(real, key=lambda change: (order.index(change.kind), change.path)))


def open_findings(line: ResultRow) -> tuple[ResultRow, ...]:
    """The open findings of one audit."""
    return tuple(each for each in _findings(line) if not each.get("waived_by"))


def _findings(line: ResultRow) -> list[ResultRow]:
    found = line.get("findings")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _waived_in(found: Iterable[ResultRow], other: ResultRow | None) -> tuple[ResultRow, ...]:
    """Those of `found` that are waived in the other audit."""
    known = {each.get("fingerprint") for each in _findings(other or {}) if each.get("waived_by")}
    return tuple(each for each in found if each.get("fingerprint") in known)


def _change(was: ResultRow, now: ResultRow, *, renamed: bool = False) -> ModelChange | None:
    before, after = ({_identity(f): f for f in open_findings(line)} for line in (was, now))
    appeared = tuple(f for key, f in after.items() if key not in before)
    step = _rank(now) - _rank(was)
    less = step < 0 or now["verdict"] == Verdict.INCOMPLETE
    unasked = unanswered_rules(now) if less else ()
    vanished = tuple(
        f for key, f in before.items() if key not in after and f.get("code") not in unasked
    )
    if renamed:
        kind = ModelChangeKind.RENAMED
    elif step < 0 or (step == 0 and appeared and not vanished):
        kind = ModelChangeKind.WORSE
    elif step > 0 or (vanished and not appeared):
        kind = ModelChangeKind.BETTER
    elif appeared:
        kind = ModelChangeKind.CHANGED
    elif was.get("sha256") != now.get("sha256"):
        kind = ModelChangeKind.SAVED
    else:
        return None
    return ModelChange(kind, _path(now), was, now, appeared, vanished)


def unanswered_rules(line: ResultRow) -> Sequence[Json]:
    """Codes of the rules that could not be answered."""
    codes = line.get("unanswered")
    return codes if isinstance(codes, list) else ()


def _identity(finding: ResultRow) -> tuple[Json, Json]:
    return finding.get("fingerprint"), finding.get("severity")


def _rank(line: ResultRow) -> int:
    return WORST_FIRST.index(Verdict(str(line["verdict"])))


def _path(line: ResultRow) -> str:
    return str(line["path"])


def _same(a: ResultRow, b: ResultRow, key: str) -> bool:
    return bool(a.get(key)) and a.get(key) == b.get(key)


def _renamed(
    gone: Mapping[ModelKey, ResultRow], new: Mapping[ModelKey, ResultRow]
) -> Sequence[tuple[ModelKey, ModelKey]]:
    pairs: dict[ModelKey, ModelKey] = {}
    for key in ("sha256", "weights"):
        left = unique_by_value((p, line.get(key)) for p, line in gone.items() if p not in pairs)
        taken = set(pairs.values())
        right = unique_by_value((p, line.get(key)) for p, line in new.items() if p not in taken)
        pairs |= {left[value]: right[value] for value in left if value in right}
    return list(pairs.items())
