"""What changed between two runs, in words: one wording for mail, index page and notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from modelaudit.cli.terminal import clean, shorten
from modelaudit.facts import Json
from modelaudit.store.changes import Change, Kind

LISTED = 20  # models of one kind that are listed one by one
DETAILS = 4  # findings of one model
WIDTH = 100


def described(change: Change) -> str:
    """One change in one line, without its findings."""
    return clean(f"{change.kind.value}: {change.path} ({_how(change)})")


def listed(changes: Sequence[Change]) -> str:
    """All changes as text: a line each, and below it the findings that came (+) and went (-)."""
    lines = []
    for kind, group in groupby(changes, key=lambda change: change.kind):
        mine = list(group)
        for change in mine[:LISTED]:
            head = f"{kind.value:<12}{change.path}  {_how(change)}"
            lines += [clean(head), *_details(change)]
        if len(mine) > LISTED:
            lines.append(f"{kind.value:<12}and {len(mine) - LISTED:,} more")
    return "\n".join(lines)


def as_json(change: Change) -> dict[str, Json]:
    """One change for programs."""
    was, now = change.was, change.now
    return {
        "kind": change.kind.value,
        "path": change.path,
        "was": was["verdict"] if was else None,
        "now": now["verdict"] if now else None,
        "earlier_path": was["path"] if was else None,
        "sha256": now["sha256"] if now else None,
        "appeared": [dict(finding) for finding in change.appeared],
        "vanished": [dict(finding) for finding in change.vanished],
    }


def _how(change: Change) -> str:
    was, now = change.was, change.now
    if was is None or now is None:
        return f"was {was['verdict']}" if was else str(now["verdict"] if now else "")
    if was["verdict"] == now["verdict"]:
        how = f"still {now['verdict']}"
    else:
        how = f"{was['verdict']} -> {now['verdict']}"
    if change.kind is Kind.RENAMED:
        how = f"was {was['path']}, {how}"
    elif change.same_file:
        how += "; the file is the same, so the rules, the settings or a runtime changed"
    elif change.kind is Kind.SAVED:
        how += ", other bytes"
    return how


def _details(change: Change) -> list[str]:
    found = [("+", finding) for finding in change.appeared]
    found += [("-", finding) for finding in change.vanished]
    lines = [shorten(f"  {sign} {_finding(each)}", WIDTH) for sign, each in found[:DETAILS]]
    if len(found) > DETAILS:
        lines.append(f"    and {len(found) - DETAILS} more")
    return lines


def _finding(finding: Mapping[str, Json]) -> str:
    words = f"{finding['code']} {finding['name']} ({finding['severity']}): {finding['detail']}"
    return clean(words.replace("\n", " "))
