"""Comparison of two runs: which models changed, and which findings are new or gone."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from modelaudit.changes.judgement import (
    AnyFinding,
    FindingChanges,
    audit_findings,
    compare_findings,
    verdict_step,
)
from modelaudit.changes.models import renamed
from modelaudit.findings import Finding, Severity, Verdict
from modelaudit.model_versions import RootAndPath, newer_versions
from modelaudit.report.pages.index import IndexRow, RunIndex
from modelaudit.report.pages.model_diff import VerdictInRun
from modelaudit.report.rule_info import Rules
from modelaudit.report.wording import text, vocabulary
from modelaudit.result_row import RowFinding
from modelaudit.schema import Audit
from modelaudit.structs import replace

VERDICTS = frozenset(Verdict)
UNREACHED = "not reached: "  # prefix of the notes on them in an index
LISTED = 8  # findings of one model


class RunDiffKind(StrEnum):
    """What happened to a model between two runs."""

    VERDICT = "verdict"
    FINDINGS = "findings"  # the verdict is the same
    NEW = "new"
    GONE = "gone"


WORSE, BETTER = "Worse verdict", "Better verdict"
HEADINGS = {
    RunDiffKind.FINDINGS: "Same verdict, different findings",
    RunDiffKind.NEW: "New models",
    RunDiffKind.GONE: "Removed models",
}


class KeptAudit(Struct, frozen=True):
    """What is left of a model's audit in a run: a later run may have replaced it."""

    audit: Audit | None = None
    report: str = ""


class ComparedRun(Struct, frozen=True):
    """One of the two runs.

    `index` is the content of its `index.json`, `name` distinguishes it from the other run, and
    `kept` finds what is left of the model in a row of it.
    """

    index: RunIndex
    name: str = ""
    kept: Callable[[IndexRow], KeptAudit] = lambda _: KeptAudit()

    @property
    def rows(self) -> dict[str, IndexRow]:
        """The models by slug: models of two roots can share a path, but not a slug."""
        return {row.slug: row for row in self.index.models}

    @property
    def unreached(self) -> frozenset[str]:
        """Paths of models that an interrupted run did not reach."""
        notes = self.index.notes
        return frozenset(n.removeprefix(UNREACHED) for n in notes if n.startswith(UNREACHED))

    def __str__(self) -> str:
        """The run in words."""
        when = text.instant(self.index.created)
        told = f"{when}, {text.plural(len(self.rows), 'model')}"
        if self.index.missing:
            told += f" (interrupted, {text.number(self.index.missing)} not reached)"
        # A run's directory is named after its start time.
        stamp = self.index.created.replace(":", "")
        named = self.name and self.name != stamp
        return f"{text.shorten(self.name, 60)}: {told}" if named else told


class RunDiffEntry(Struct, frozen=True):
    """A model that differs between the runs.

    `appeared`, `vanished` and `unchecked` are open findings, by rule and (if the audits still
    exist) by location. `other` is a sentence on what else changed.
    """

    kind: RunDiffKind
    path: str
    old: VerdictInRun | None
    new: VerdictInRun | None
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    other: str = ""
    sha256: str = ""  # of a model that is new or gone, if its audit still exists
    unchecked: tuple[str, ...] = ()  # open before, and not checked now

    @property
    def said(self) -> tuple[str, ...]:
        """What changed, as sentences."""
        found = [
            f"{what}: {text.listing(list(each), LISTED)}"
            for what, each in (
                ("new", self.appeared),
                ("gone", self.vanished),
                ("not checked", self.unchecked),
            )
            if each
        ]
        return tuple([*found, self.other] if self.other else found)

    @property
    def one_sided(self) -> bool:
        """Whether only one of the runs has the model."""
        return self.kind in {RunDiffKind.NEW, RunDiffKind.GONE}

    @property
    def heading(self) -> str:
        """The heading of models with this kind of change."""
        if self.kind in HEADINGS or self.old is None or self.new is None:
            return HEADINGS[self.kind]
        old, new = self.old.verdict, self.new.verdict
        if new in VERDICTS and (
            old not in VERDICTS or verdict_step(Verdict(old), Verdict(new)) < 0
        ):
            return WORSE
        return BETTER

    @property
    def why(self) -> str:
        """The reason for the later verdict."""
        last = self.new or self.old
        return last.reason if last else ""


class RunDiff(Struct, frozen=True):
    """All changed models, and the number of unchanged ones."""

    old: ComparedRun
    new: ComparedRun
    changes: tuple[RunDiffEntry, ...]
    same: int

    @property
    def summary(self) -> str:
        """How much changed, in a few words."""
        count = len(self.changes)
        return f"{text.plural(count, 'model')} changed" if count else "no models changed"

    def groups(self) -> Iterator[tuple[str, list[RunDiffEntry]]]:
        """The changes by heading, worst first."""
        for heading in (WORSE, BETTER, *HEADINGS.values()):
            if mine := [each for each in self.changes if each.heading == heading]:
                yield heading, mine


def build_run_diff(old: ComparedRun, new: ComparedRun, rules: Rules) -> RunDiff:
    """What changed between two runs.

    Findings are identified by the rules in the two indexes, and by location if both audits still
    exist. `rules` gives the rules' names. Models that one run did not reach are skipped.
    """
    before, after = old.rows, new.rows
    found, same = [], 0
    for slug in dict.fromkeys((*after, *before)):
        was, now = before.get(slug), after.get(slug)
        if was is not None and now is not None and _stands(was) == _stands(now):
            same += 1
        elif not _unknown(was, new) and not _unknown(now, old):
            found.append(_change(old, new, was, now, rules))
    moved = dict(_moves(found, {("", row.path) for row in after.values()}))
    changes = [replace(c, other=moved.get(c.path, "")) if c.one_sided else c for c in found]
    return RunDiff(old, new, tuple(changes), same)


def _moves(
    found: Sequence[RunDiffEntry], present: Collection[RootAndPath]
) -> Iterator[tuple[str, str]]:
    """Paths of models that are new or gone, each with where it moved to or from."""
    gone, came = (
        {each.path: (each.sha256,) for each in found if each.kind is kind}
        for kind in (RunDiffKind.GONE, RunDiffKind.NEW)
    )
    for (_, path), newest in newer_versions((("", path) for path in gone), present).items():
        del gone[path]
        yield path, f"superseded: {posixpath.basename(newest)} is a newer version"
    for old, new in renamed(gone, came).items():
        yield new, f"renamed from {old}"
        yield old, f"renamed to {new}"


def _unknown(row: IndexRow | None, other: ComparedRun) -> bool:
    """Whether the other run did not reach the model of a row."""
    return row is not None and row.path in other.unreached


def _stands(row: IndexRow) -> tuple[object, ...]:
    """The parts of a row that count as a change."""
    return row.verdict, _codes(row), _counts(row)


def _codes(row: IndexRow) -> tuple[str, ...]:
    return tuple(sorted({*row.codes}))


def _counts(row: IndexRow) -> dict[str, int]:
    return {s.value: n for s in reversed(Severity) if (n := row.counts.get(s.value, 0))}


def _change(
    old: ComparedRun, new: ComparedRun, was: IndexRow | None, now: IndexRow | None, rules: Rules
) -> RunDiffEntry:
    before_kept = None if was is None else old.kept(was)
    after_kept = None if now is None else new.kept(now)
    standings = _standing(was, before_kept), _standing(now, after_kept)
    row = now or was
    path = row.path if row else ""
    if was is None or now is None:
        kept = before_kept or after_kept
        digest = (kept.audit.model.sha256 or "") if kept and kept.audit else ""
        return RunDiffEntry(
            RunDiffKind.GONE if now is None else RunDiffKind.NEW, path, *standings, sha256=digest
        )
    kind = RunDiffKind.FINDINGS if was.verdict is now.verdict else RunDiffKind.VERDICT
    if before_kept and before_kept.audit and after_kept and after_kept.audit:
        said = _said(audit_findings(before_kept.audit, after_kept.audit), _finding)
    else:
        said = _said_of_codes(_codes(was), _codes(now), rules)
    other = ""
    if not any(said) and _counts(was) != _counts(now):
        other = f"open findings of the same rules: {_tally(was)} → {_tally(now)}"
    appeared, vanished, unchecked = said
    return RunDiffEntry(kind, path, *standings, appeared, vanished, other, unchecked=unchecked)


def _standing(row: IndexRow | None, kept: KeptAudit | None) -> VerdictInRun | None:
    if row is None or kept is None:
        return None
    return VerdictInRun(row.verdict.value, row.reason, kept.report)


Said = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]  # appeared, vanished, unchecked


def _said_of_codes(before: Iterable[str], after: Iterable[str], rules: Rules) -> Said:
    """The same, if only the rules with open findings are known."""
    old, new = (
        [RowFinding(c, "", Severity.INFO, c, "") for c in codes] for codes in (before, after)
    )
    return _said(compare_findings(old, new), lambda each: _rule(each.code, rules))


def _said(found: FindingChanges[AnyFinding], word: Callable[[AnyFinding], str]) -> Said:
    return (
        tuple(map(word, (*found.new, *found.reopened))),
        tuple(map(word, (*found.fixed, *found.waived))),
        tuple(map(word, found.unchecked)),
    )


def _finding(finding: Finding) -> str:
    place = str(finding.location)
    return f"{finding.code} {finding.name}" + (f" at {text.shorten(place, 60)}" if place else "")


def _rule(code: str, rules: Rules) -> str:
    return f"{code} {rules[code].name}" if code in rules else text.shorten(code, 40)


def _tally(row: IndexRow) -> str:
    counts = _counts(row).items()
    return ", ".join(f"{n:,} {vocabulary.mark(severity).said}" for severity, n in counts) or "0"


def as_json(found: RunDiff) -> Mapping[str, object]:
    """The comparison as JSON, for programs."""
    return {
        "old": _run_json(found.old),
        "new": _run_json(found.new),
        "equal": not found.changes,
        "models": found.changes,
        "same": found.same,
    }


def _run_json(run: ComparedRun) -> Mapping[str, object]:
    return {
        "name": run.name,
        "root": run.index.root,
        "created": run.index.created,
        "models": len(run.rows),
    }
