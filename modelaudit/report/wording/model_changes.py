"""Changes between two runs as text, for mail, index page and notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING

from modelaudit.audit_types.json_form import jsonable
from modelaudit.changes.models import ModelChange, ModelChangeKind
from modelaudit.facts import Json
from modelaudit.findings import Severity, Verdict
from modelaudit.result_row import RowFinding
from modelaudit.terminal_text import clean, elided, shorten_path, wrapped

if TYPE_CHECKING:
    from modelaudit.report.pages.index import IndexChange

SERIOUS = (Severity.CRITICAL, Severity.HIGH)
LISTED = 20  # models listed per kind of change
DETAILS = 4  # findings listed per model
WIDTH, PATH = 100, 160
WRAPPED = 2  # lines for a finding that fails a model; others get one


def change_counts(changes: Sequence[ModelChange], before: int, now: int) -> str:
    """The number of models before and now, and of each kind of change."""
    kinds = [change.kind for change in changes]
    new, gone, older = (
        kinds.count(kind)
        for kind in (ModelChangeKind.NEW, ModelChangeKind.GONE, ModelChangeKind.OLDER)
    )
    changed = len(kinds) - new - gone - older
    if new or gone or older:
        told = [(new, "new"), (gone, "gone"), (older, "superseded"), (changed, "changed")]
        what = ", ".join(f"{count:,} {word}" for count, word in told if count)
        return f"{count_models(before)} before, {f'{now:,}' if now else 'none'} now: {what}"
    return f"{f'{changed:,}' if changed else 'none'} of {count_models(now)} changed"


def count_models(count: int) -> str:
    """A number of models in words."""
    return f"{count:,} model{'s' if count != 1 else ''}" if count else "no models"


def describe_change(change: ModelChange) -> str:
    """One change on one line, without its findings, with machine-readable verdicts."""
    return clean(f"{change.kind.value}: {change.path} ({_how(change, str)})")


def verdict_words(verdict: str) -> str:
    """A verdict as shown in the badges of all pages."""
    from modelaudit.report.wording import vocabulary

    return vocabulary.mark(verdict).said


def index_change(change: ModelChange) -> IndexChange:
    """A change for the index."""
    from modelaudit.report.pages.index import IndexChange

    said = _how(change, arrow="→")
    return IndexChange(describe_change(change), change.kind.value, change.path, clean(said))


def list_changes(changes: Sequence[ModelChange], width: int = WIDTH) -> str:
    """All changes as text: one line each, with new (+) and gone (-) findings below.

    `width` is the largest number of characters of a line.
    """
    lines = []
    for kind, group in groupby(changes, key=lambda change: change.kind):
        mine = list(group)
        for change in mine[:LISTED]:
            path = shorten_path(clean(change.path), PATH)
            lines += [*_head(kind, path, clean(_how(change)), width), *_details(change, width)]
        if len(mine) > LISTED:
            lines.append(f"{kind.value:<12}and {len(mine) - LISTED:,} more")
    return "\n".join(lines)


def _head(kind: ModelChangeKind, path: str, how: str, width: int) -> Iterator[str]:
    """A model and what happened to it, on two lines if they do not fit on one."""
    head = f"{kind.value:<12}{path}"
    if len(head) + len(how) + 2 <= width:
        yield f"{head}  {how}"
    else:
        yield from (head, *wrapped(how, width, "    ").splitlines())


def list_first_run(new: Sequence[ModelChange], width: int = WIDTH) -> str:
    """Models of a first run as text: the verdict of each, with its findings below."""
    lines = []
    for change in new[:LISTED]:
        path = shorten_path(change.path, PATH)
        lines += [clean(f"{_how(change):<12}{path}"), *_details(change, width)]
    if len(new) > LISTED:
        lines.append(f"and {len(new) - LISTED:,} more")
    return "\n".join(lines)


def change_json(change: ModelChange) -> dict[str, Json]:
    """One change as JSON."""
    was, now = change.was, change.now
    return {
        "kind": change.kind.value,
        "path": change.path,
        "was": was.verdict.value if was else None,
        "now": now.verdict.value if now else None,
        "earlier_path": was.path if was else None,
        "sha256": now.sha256 if now else None,
        "appeared": [jsonable(finding) for finding in change.appeared],
        "vanished": [jsonable(finding) for finding in change.vanished],
    }


def _how(change: ModelChange, word: Callable[[str], str] = verdict_words, arrow: str = "->") -> str:
    """The old and new state of a model; `word` formats a verdict."""
    was, now = (None if row is None else word(row.verdict) for row in (change.was, change.now))
    newer = PurePath(change.newer).name
    if change.kind is ModelChangeKind.OLDER:
        return f"{newer} is the newest, was {was or ''}"
    if change.was is None and newer:
        return f"{now}, the newest version again: {newer} is gone"
    if change.was is None or was is None or now is None:
        return f"was {was}" if was else now or ""
    said = f"still {now}" if was == now else f"{was} {arrow} {now}"
    if change.kind is ModelChangeKind.RENAMED:
        said = f"was {change.was.path}, {said}"
    elif change.same_file:
        said += f"; same file, {_why(change)}"
    elif change.kind is ModelChangeKind.SAVED:
        said += ", different bytes"
    return said


def _why(change: ModelChange) -> str:
    """What may have changed if the file did not."""
    found = change.findings
    for mine, what in ((found.reopened, "no longer waived"), (found.waived, "now waived")):
        if mine:
            return f"{', '.join(dict.fromkeys(each.code for each in mine))} is {what}"
    for row, how in ((change.now, "partially audited"), (change.was, "now fully audited")):
        if row and row.verdict is Verdict.INCOMPLETE:
            return how
    return "so the rules, the settings, a runtime or files next to it changed"


def _details(change: ModelChange, width: int) -> list[str]:
    """Findings that are new (+) or gone (-), changed severity (~) or were not checked (?).

    Informational ones are only shown if there are no others.
    """
    before = {now.fingerprint: was for was, now in change.findings.regraded}
    found = [
        ("~", each, f"{was.severity} -> {each.severity}")
        if (was := before.get(each.fingerprint))
        else ("+", each, str(each.severity))
        for each in change.appeared
    ]
    unchecked = change.findings.unchecked
    found += [
        ("?" if each in unchecked else "-", each, str(each.severity))
        for each in change.vanished
        if each.fingerprint not in before
    ]
    shown = [each for each in found if each[1].severity is not Severity.INFO] or found
    lines = [line for told in shown[:DETAILS] for line in _finding(*told, width)]
    if change.now and change.now.verdict is Verdict.INCOMPLETE and not change.appeared:
        lines += _cut(change.now.reason, "    ", WRAPPED, width)
    more, notes = len(shown[DETAILS:]), len(found) - len(shown)
    rest = [f"{more} more"] * bool(more) + [f"{notes} note{'s' if notes > 1 else ''}"] * bool(notes)
    if rest:
        lines.append(f"    and {' and '.join(rest)}")
    return lines


def _finding(sign: str, finding: RowFinding, severity: str, width: int) -> list[str]:
    detail = "not checked this time" if sign == "?" else finding.detail
    text = f"{finding.code} {finding.name} ({severity}): {detail}"
    most = WRAPPED if finding.severity in SERIOUS and sign != "-" else 1
    return _cut(text, f"  {sign} ", most, width)


def _cut(text: str, first: str, most: int, width: int) -> list[str]:
    """`text` in at most `most` lines; an ellipsis marks a cut."""
    lines = wrapped(text.replace("\n", " "), width, first).splitlines()
    if len(lines) > most:
        lines[most - 1] = elided(lines[most - 1], width)
    return lines[:most]
