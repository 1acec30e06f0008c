"""The history of one model as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from modelaudit.changes.models import ModelChangeKind
from modelaudit.cli.terminal import columns, verdict_mark
from modelaudit.facts import Json
from modelaudit.findings import Verdict
from modelaudit.runs.timeline import FIRST, place_in_order
from modelaudit.terminal_text import clean, shorten

# Changes shown for one audit: of the first sections, and of the others.
MOST_FIRST = 60
MOST_OTHERS = 8


def as_text(audits: Sequence[dict[str, Json]]) -> str:
    """The history as text: one line per audit, with the changes below it."""
    lines = []
    for root, group in groupby(audits, key=lambda each: each["root"]):
        mine = list(group)
        words = max(len(str(each["verdict"])) for each in mine)
        lines.append(clean(f"{root}/{mine[0]['path']}"))
        for each in mine:
            digest = str(each["sha256"] or "not hashed")[:12]
            worst = _worst(each["worst"])
            word = verdict_mark(str(each["verdict"]), words)
            lines.append(f"{_moment(each['started'])}  {word}  sha256 {digest}  {worst}")
            lines += _told(each)
            more = int(str(each["runs"])) - 1
            if more:
                runs = f"{more} more run{'s' * (more > 1)}"
                lines.append(f"    unchanged in {runs}, until {_moment(each['until'])}")
            lines += _ended(each["left"])
    return "\n".join(lines)


def _ended(left: Json) -> Iterator[str]:
    if not isinstance(left, dict):
        return
    path, since = str(left["path"]), _moment(left["since"])
    if left["kind"] == ModelChangeKind.RENAMED:
        yield clean(f"    renamed to {path} on {since}")
    elif left["kind"] == ModelChangeKind.OLDER:
        newer = PurePath(path).name
        yield clean(f"    superseded: not audited since {since}, {newer} is a newer version")
    else:
        yield f"    gone since {since}"


def _told(audit: dict[str, Json]) -> Iterator[str]:
    if audit["renamed_from"]:
        yield clean(f"    renamed from {audit['renamed_from']}")
    because, changed = (audit[key] for key in ("because", "changes"))
    if isinstance(because, list) and because:
        yield f"    same file; {', '.join(map(str, because))}"
    if audit["verdict"] == Verdict.INCOMPLETE:
        yield shorten(clean(f"    {audit['reason']}"), columns() - 1)
    texts = [clean(str(text)) for text in changed] if isinstance(changed, list) else []
    first = [text for text in texts if place_in_order(text) < len(FIRST)]
    shown = first[:MOST_FIRST] + texts[len(first) :][:MOST_OTHERS]
    yield from (shorten(f"    {text}", columns() - 1) for text in shown)
    if len(texts) > len(shown):
        yield f"    and {len(texts) - len(shown)} more (--json lists them all)"


def _worst(finding: Json) -> str:
    if not isinstance(finding, dict):
        return "no findings"
    return f"{finding['code']} {finding['name']} ({finding['severity']})"


def _moment(started: Json) -> str:
    return str(started).replace("T", " ").rstrip("Z")
