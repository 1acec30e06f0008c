"""The history of one model as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from modelaudit.changes.models import ModelChangeKind
from modelaudit.cli.terminal import columns, verdict_mark
from modelaudit.facts import Json
from modelaudit.findings import Verdict
from modelaudit.report.wording.audit_changes import describe, reason_words
from modelaudit.runs.model_moves import ModelDisappearance
from modelaudit.runs.timeline import FIRST, HistoryEntry
from modelaudit.terminal_text import clean, shorten

# Changes shown for one audit: of the first sections, and of the others.
MOST_FIRST = 60
MOST_OTHERS = 8


def as_text(entries: Sequence[HistoryEntry]) -> str:
    """The history as text: one line per audit, with the changes below it."""
    lines = []
    for root, group in groupby(entries, key=lambda each: each.model.root):
        mine = list(group)
        words = max(len(each.row.verdict) for each in mine)
        lines.append(clean(f"{root}/{mine[0].model.path}"))
        for each in mine:
            digest = (each.row.sha256 or "not hashed")[:12]
            word = verdict_mark(each.row.verdict, words)
            lines.append(f"{_moment(each.started)}  {word}  sha256 {digest}  {_worst(each)}")
            lines += _details(each)
            more = each.runs - 1
            if more:
                runs = f"{more} more run{'s' if more > 1 else ''}"
                lines.append(f"    unchanged in {runs}, until {_moment(each.until)}")
            lines += _ended(each.left)
    return "\n".join(lines)


def _ended(left: ModelDisappearance | None) -> Iterator[str]:
    if left is None:
        return
    since = _moment(left.since)
    if left.kind is ModelChangeKind.RENAMED:
        yield clean(f"    renamed to {left.path} on {since}")
    elif left.kind is ModelChangeKind.OLDER:
        newer = PurePath(left.path).name
        yield clean(f"    superseded: not audited since {since}, {newer} is a newer version")
    else:
        yield f"    gone since {since}"


def _details(entry: HistoryEntry) -> Iterator[str]:
    if entry.renamed_from:
        yield clean(f"    renamed from {entry.renamed_from}")
    if entry.because:
        yield f"    same file; {', '.join(map(reason_words, entry.because))}"
    if entry.row.verdict is Verdict.INCOMPLETE:
        yield shorten(clean(f"    {entry.row.reason}"), columns() - 1)
    first = [change for change in entry.changes if change.section in FIRST]
    shown = first[:MOST_FIRST] + [*entry.changes[len(first) :]][:MOST_OTHERS]
    for change in shown:
        yield shorten(clean(f"    {change.section}: {describe(change)}"), columns() - 1)
    if len(entry.changes) > len(shown):
        yield f"    and {len(entry.changes) - len(shown)} more (--json lists them all)"


def _worst(entry: HistoryEntry) -> str:
    for finding in entry.row.open_findings[:1]:
        return f"{finding.code} {finding.name} ({finding.severity})"
    return "no findings"


def _moment(started: str) -> str:
    return started.replace("T", " ").rstrip("Z")


def entry_json(entry: HistoryEntry) -> dict[str, Json]:
    """One audit for programs."""
    worst = next(iter(entry.row.open_findings), None)
    left = entry.left
    return {
        "run": entry.run,
        "runs": entry.runs,
        "started": entry.started,
        "until": entry.until,
        "root": entry.model.root,
        "path": entry.model.path,
        "verdict": entry.row.verdict.value,
        "reason": entry.row.reason,
        "worst": {
            "code": worst.code,
            "name": worst.name,
            "severity": worst.severity.value,
            "detail": worst.detail,
        }
        if worst
        else None,
        "sha256": entry.row.sha256,
        "severities": {**entry.row.severities},
        "changes": [f"{each.section}: {describe(each)}" for each in entry.changes],
        "because": [*map(reason_words, entry.because)],
        "renamed_from": entry.renamed_from or None,
        "left": {"kind": left.kind.value, "path": left.path or None, "since": left.since}
        if left
        else None,
    }
