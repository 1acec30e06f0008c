"""What became of one model: its audits over the runs, what changed between them, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING

from modelaudit import schema
from modelaudit.cli.runs.model_moves import Whereabouts, whereabouts
from modelaudit.cli.terminal import clean, columns, mark, shorten
from modelaudit.errors import UsageError
from modelaudit.facts import Format
from modelaudit.findings import Finding, Verdict
from modelaudit.report.wording.vocabulary import transform
from modelaudit.restore.audit_diff import changes, compare_audited, weight_changes
from modelaudit.store.run_changes import Kind

if TYPE_CHECKING:
    from modelaudit.facts import Json
    from modelaudit.schema import Audit
    from modelaudit.store.records import Line, Place, Run
    from modelaudit.store.store import Store

# What is told of an audit: this first, and so much of the rest.
FIRST = ("findings", "versions")
MOST_FIRST = 60
MOST_OTHERS = 8
# In front of what the finding says: further on, the words may be those of the model's file.
EXPIRED = re.compile(r"A waiver for this expired on (\d{4}-\d\d-\d\d)\. ")


def audits_of(store: Store, model: str, last: int) -> list[dict[str, Json]]:
    """The last audits of a model that differ from the one before, as JSON.

    Raises:
        UsageError: there is none.
    """
    found: list[dict[str, Json]] = []
    # What is printed of a name may stand for characters that no terminal takes.
    rows = store.timeline(model) or [
        row for name in store.names() if clean(name) == model for row in store.timeline(name)
    ]
    for place, group in groupby(rows, key=lambda row: row[1]):
        before: tuple[int, Run, Audit] | None = None
        mine = [*group]
        where = whereabouts(store, place, [row[0] for row in mine])
        for run, _, number, line in mine:
            came = run.id in where.came
            if before and number == before[0] and not came:
                _lasted(found[-1], run, where)
                continue
            audit = schema.loads(store.document(number))
            why = reasons(before[2], audit, before[1], run) if before else []
            told = between(before[2], audit) if before else []
            alike = before and not told and before[2].verdict is audit.verdict
            if alike and not came and found[-1]["sha256"] == line["sha256"]:
                _lasted(found[-1], run, where)
            else:
                found.append(_audit(run, place, line, audit, told, why, where))
            before = (number, run, audit)
    if not found:
        raise UsageError(f"no run has audited a model called '{clean(model)}'")
    return found[-last:]


def between(old: Audit, new: Audit) -> list[str]:
    """What changed from one audit to the next: findings first, then versions, then the rest.

    [] where one of them saw nothing of the model.
    """
    if Format.UNREADABLE.value in (old.model.get("format"), new.model.get("format")):
        return []
    found = [*changes(old, new, transform), *weight_changes(compare_audited(old, new))]
    told = [f"{each.section}: {each.what}" for each in found]
    told += [f"findings: {each}" for each in _reconsidered(old, new)]
    return sorted(told, key=_place)


def _place(text: str) -> int:
    section = text.partition(":")[0]
    return FIRST.index(section) if section in FIRST else len(FIRST)


def _reconsidered(old: Audit, new: Audit) -> Iterator[str]:
    """Findings that both have and that count otherwise now."""
    before = {finding.fingerprint: finding for finding in old.findings}
    for now in new.findings:
        was = before.get(now.fingerprint)
        name = f"{now.code} {now.name}"
        if was and was.severity is not now.severity:
            yield f"{name} is {now.severity.value} now, was {was.severity.value}"
        if was and bool(was.waived_by) != bool(now.waived_by):
            yield f"waived now: {name}" if now.waived_by else f"no longer waived: {name}"


def reasons(old: Audit, new: Audit, then: Run, now: Run) -> list[str]:
    """Why the same bytes were judged otherwise, as far as the audits tell; [] for other bytes.

    Args:
        old: the earlier audit.
        new: the later one.
        then: the run that made the earlier one.
        now: the run that made the later one.
    """
    if not old.model.get("sha256") or old.model.get("sha256") != new.model.get("sha256"):
        return []
    before, after = ({_expiry(each) for each in audit.findings} for audit in (old, new))
    told = [f"a waiver expired on {day}" for day in sorted(after - before - {""})]
    if old.tool.get("rules_digest") != new.tool.get("rules_digest"):
        told.append("the rules changed")
    elif then.rules != now.rules:
        told.append("modelaudit itself changed")
    if bool(old.observations) != bool(new.observations):
        told.append("it was run" if new.observations else "it was not run")
    elif _observed(old, "versions") != _observed(new, "versions"):
        told.append("a runtime changed")
    elif not told and _observed(old, "status") != _observed(new, "status"):
        told.append("running it ended otherwise")
    elif not told and Verdict.INCOMPLETE in (old.verdict, new.verdict):
        seen = "not " * (new.verdict is Verdict.INCOMPLETE)
        told.append(f"it was {seen}looked at in full")
    return told or ["the settings changed, what they name, or what lies beside it"]


def _expiry(finding: Finding) -> str:
    """The day on which a waiver of the finding expired, "" where none did."""
    said = EXPIRED.match(finding.detail)
    return said[1] if said else ""


def _observed(audit: Audit, key: str) -> list[tuple[str, str]]:
    return sorted((str(each.get("runtime")), str(each.get(key))) for each in audit.observations)


def _audit(
    run: Run,
    place: Place,
    line: Line,
    audit: Audit,
    told: Sequence[str],
    why: Sequence[str],
    where: Whereabouts,
) -> dict[str, Json]:
    worst = next((finding for finding in audit.findings if not finding.waived_by), None)
    return {
        "run": run.id,
        "runs": 1,
        "started": run.started,
        "until": run.started,
        "root": place.root,
        "path": place.path,
        "verdict": line["verdict"],
        "reason": line["reason"],
        "worst": {
            "code": worst.code,
            "name": worst.name,
            "severity": worst.severity.value,
            "detail": worst.detail,
        }
        if worst
        else None,
        "sha256": line["sha256"],
        "severities": line["severities"],
        "changes": [*told],
        "because": [*why],
        "renamed_from": where.came.get(run.id) or None,
        "left": _left(run, where),
    }


def _left(run: Run, where: Whereabouts) -> Json:
    """What became of the model after its last run; None where it stayed."""
    left = where.left.get(run.id)
    if left is None:
        return None
    return {"kind": left.kind.value, "path": left.path or None, "since": left.since}


def _lasted(found: dict[str, Json], run: Run, where: Whereabouts) -> None:
    """Note one more run in which a model was as this audit says."""
    found["runs"] = int(str(found["runs"])) + 1
    found["until"] = run.started
    found["left"] = _left(run, where)


def as_text(audits: Sequence[dict[str, Json]]) -> str:
    """The same for people: a line for each audit, and below it what changed."""
    lines = []
    for root, group in groupby(audits, key=lambda each: each["root"]):
        mine = list(group)
        words = max(len(str(each["verdict"])) for each in mine)
        lines.append(clean(f"{root}/{mine[0]['path']}"))
        for each in mine:
            digest = str(each["sha256"] or "not hashed")[:12]
            worst = _worst(each["worst"])
            word = mark(str(each["verdict"]), words)
            lines.append(f"{_moment(each['started'])}  {word}  sha256 {digest}  {worst}")
            lines += _told(each)
            more = int(str(each["runs"])) - 1
            if more:
                runs = f"{more} more run{'s' * (more > 1)}"
                lines.append(f"    the same in {runs}, until {_moment(each['until'])}")
            lines += _ended(each["left"])
    return "\n".join(lines)


def _ended(left: Json) -> Iterator[str]:
    if not isinstance(left, dict):
        return
    path, since = str(left["path"]), _moment(left["since"])
    if left["kind"] == Kind.RENAMED:
        yield clean(f"    renamed to {path} on {since}")
    elif left["kind"] == Kind.OLDER:
        newer = PurePath(path).name
        yield clean(f"    older now: not audited since {since}, {newer} is a newer version")
    else:
        yield f"    gone since {since}"


def _told(audit: dict[str, Json]) -> Iterator[str]:
    if audit["renamed_from"]:
        yield clean(f"    renamed from {audit['renamed_from']}")
    because, changed = (audit[key] for key in ("because", "changes"))
    if isinstance(because, list) and because:
        yield f"    the file is the same; {', '.join(map(str, because))}"
    if audit["verdict"] == Verdict.INCOMPLETE:
        yield shorten(clean(f"    {audit['reason']}"), columns() - 1)
    texts = [clean(str(text)) for text in changed] if isinstance(changed, list) else []
    first = [text for text in texts if _place(text) < len(FIRST)]
    shown = first[:MOST_FIRST] + texts[len(first) :][:MOST_OTHERS]
    yield from (shorten(f"    {text}", columns() - 1) for text in shown)
    if len(texts) > len(shown):
        yield f"    and {len(texts) - len(shown)} more (--json lists them all)"


def _worst(finding: Json) -> str:
    if not isinstance(finding, dict):
        return "no finding"
    return f"{finding['code']} {finding['name']} ({finding['severity']})"


def _moment(started: Json) -> str:
    return str(started).replace("T", " ").rstrip("Z")
