"""The index of a run: one row per model, worst first, as HTML and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup
from msgspec import Struct, field

from modelaudit.facts import Json
from modelaudit.findings import WORST_FIRST, Severity, Verdict
from modelaudit.report.pages.jinja_environment import asset, csp_hash, environment, render
from modelaudit.report.pages.verdict_trend import trend
from modelaudit.report.rule_info import Rules
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import SCHEMA_VERSION
from modelaudit.structs import replace


class IndexRow(Struct, frozen=True):
    """One model of a run.

    `counts` is the number of open findings by severity, `codes` the rules that failed, `waived` the
    number of findings covered by a waiver or the baseline.
    `links` maps a format name (`html`, `pdf`, `json`) to the report's address from the index.
    `origin` is where the model comes from according to the registry, on one line.
    `change` is a word for what changed since the previous run, "" for nothing.
    """

    slug: str
    path: str
    format_label: str
    verdict: Verdict
    reason: str
    counts: Mapping[str, int] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    waived: int = 0
    keras: str = ""
    tensorflow: str = ""
    bytes: int | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    change: str = ""

    @property
    def order(self) -> tuple[object, ...]:
        """Sort key: verdict, then the worst findings, then the path."""
        worst = tuple(-self.counts.get(s.value, 0) for s in reversed(Severity))
        return (WORST_FIRST.index(self.verdict), *worst, self.path)


class IndexChange(Struct, frozen=True):
    """What happened to the model at `path` since the previous run.

    `said` is the sentence in `index.json`; `kind` and `how` are for the page.
    """

    said: str
    kind: str
    path: str
    how: str


class RunSummary(Struct, frozen=True):
    """The run as a whole.

    `created` is ISO 8601 in UTC. `notes` are paths that are not models or could not be entered,
    each with its reason, so that nothing is skipped silently. `together` are cross-model findings:
    `kind`, `title`, `detail` and `models`, their paths. `changes` are the changes after the run
    that began at `since` ("" if there was none). `missing` is the number of models that an
    interrupted run did not reach. `trend` are the registry's runs up to this one, oldest first:
    when each began, and its number of models by verdict.
    """

    root: str
    created: str
    tool: str
    exit: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    together: tuple[Mapping[str, Any], ...] = ()
    since: str = ""
    changes: tuple[IndexChange, ...] = ()
    missing: int = 0
    trend: tuple[tuple[str, Mapping[str, int]], ...] = ()


class RunIndex(Struct, frozen=True, kw_only=True):
    """What a comparison reads of an `index.json`, of this or an earlier version."""

    root: str = ""
    created: str = ""
    tool: str = ""
    notes: tuple[str, ...] = ()
    missing: int = 0
    models: tuple[IndexRow, ...]


class _TableRow(Struct, frozen=True):
    """A row as the page shows it; the numbers are the sort keys of its columns."""

    state: str
    rank: int
    path: str
    href: str
    reason: str
    format_label: str
    origin: str
    counts: tuple[tuple[str, int], ...]
    waived: int
    weight: int
    versions: str
    size: str
    nbytes: int
    links: tuple[tuple[str, str], ...]
    change: str
    search: str
    choices: Mapping[str, tuple[str, ...]]


# Filters in the order of the page: key of `_TableRow.choices`, and its label.
FILTERS = {
    "verdict": "Verdict",
    "severity": "Severity",
    "family": "Family",
    "rule": "Rule",
    "format": "Format",
    "version": "Saved with",
}
# Longer lists are not useful, and files can name any number of versions.
MOST_CHOICES = 300
# A browser takes long to show more rows. The others are data, of which a script makes rows.
ROWS_AT_ONCE = 1_000
# Stands for the name of a model's directory in addresses of `_Rest.kinds`; `quote` leaves none.
ANY_SLUG = "*"


def _line(row: IndexRow, rules: Rules) -> _TableRow:
    links = {kind: quote(address, safe="/") for kind, address in row.links.items()}
    counts = tuple(
        (s.value, row.counts[s.value]) for s in reversed(Severity) if row.counts.get(s.value)
    )
    versions = [vocabulary.keras(row.keras)] if row.keras else []
    versions += [f"TF {row.tensorflow}"] if row.tensorflow else []
    format_label = text.shorten(row.format_label, 40)
    families = {rules[code].family for code in row.codes if code in rules}
    return _TableRow(
        state=row.verdict.value,
        rank=WORST_FIRST.index(row.verdict),
        path=text.shorten(row.path or row.slug, 120) or "unnamed model",
        href=links.get("html", ""),
        reason=text.plain_text(row.reason, 200),
        format_label=format_label,
        origin=text.shorten(row.origin, 160),
        counts=counts,
        waived=row.waived,
        weight=sum(count * 1000 ** Severity(s).rank for s, count in counts),
        versions=text.shorten(", ".join(versions), 60) or "not recorded",
        size=text.file_size(row.bytes),
        nbytes=row.bytes or 0,
        links=tuple((kind.upper(), address) for kind, address in links.items()),
        change=row.change,
        search=text.printable(
            " ".join((row.path, row.format_label, row.origin, row.change, *row.codes))
        ).lower(),
        choices={
            "verdict": (row.verdict.value,),
            "severity": tuple(severity for severity, _ in counts),
            "family": tuple(sorted(families)),
            "rule": tuple(sorted(row.codes)),
            "format": (format_label,),
            "version": tuple(text.shorten(version, 60) for version in versions),
        },
    )


class _Rest(Struct, frozen=True):
    """Rows that the page does not show at first: each a kind, and what is its own.

    `kinds` are rows without path, reason, origin and size, of which a script makes copies.
    """

    kinds: tuple[_TableRow, ...]
    data: str


def _rest(rows: Sequence[IndexRow], lines: Sequence[_TableRow]) -> _Rest:
    """The rows in a form that takes about a tenth of their HTML."""
    kinds: dict[tuple[object, ...], tuple[int, _TableRow]] = {}
    reasons: dict[str, int] = {}
    told: list[Json] = []
    for row, line in zip(rows, lines, strict=True):
        slug = quote(row.slug, safe="")
        at, anywhere = f"/{slug}/", f"/{ANY_SLUG}/"
        kind = replace(
            line,
            path="",
            href=line.href.replace(at, anywhere),
            reason="",
            origin="",
            size="",
            nbytes=0,
            links=tuple((name, address.replace(at, anywhere)) for name, address in line.links),
            search=" ".join((row.format_label, row.change, *row.codes)).lower(),
        )
        same = (kind.state, kind.href, kind.links, kind.search, kind.counts, kind.waived)
        number, _ = kinds.setdefault((*same, kind.versions), (len(kinds), kind))
        reason = reasons.setdefault(text.printable(line.reason), len(reasons))
        own: list[Json] = [number, text.printable(line.path), slug, line.nbytes, line.size, reason]
        if line.origin or line.path != row.path:
            own += [text.printable(line.origin), line.search]
        told.append(own)
    data = json.dumps({"reasons": [*reasons], "rows": told}, separators=(",", ":"))
    # No text in it may end the element that it is in, or begin a comment.
    return _Rest(tuple(kind for _, kind in kinds.values()), Markup(data.replace("<", "\\u003c")))


def _natural(value: str) -> list[str | int]:
    """Sort key that puts 3.9 before 3.10."""
    return [int(p) if n % 2 else p.lower() for n, p in enumerate(re.split(r"([0-9]{1,9})", value))]


def _options(lines: Sequence[_TableRow], key: str) -> list[tuple[str, str]]:
    """Options of the filter `key`: each value that occurs, with its label."""
    found = {value for line in lines for value in line.choices[key] if value}
    if key == "verdict":
        return [(v.value, vocabulary.mark(v.value).word) for v in WORST_FIRST if v.value in found]
    if key == "severity":
        worst_first = reversed(Severity)
        return [(s.value, vocabulary.mark(s.value).word) for s in worst_first if s.value in found]
    ordered = sorted(found, key=_natural)[:MOST_CHOICES]
    return [(value, value.capitalize() if key == "family" else value) for value in ordered]


def render_index(
    rows: Iterable[IndexRow], run: RunSummary, rules: Rules, *, templates_dir: Path | None = None
) -> str:
    """The index page, sorted worst first.

    Filters, sorting by column, and models beyond the first `ROWS_AT_ONCE` require JavaScript.

    Raises:
        UsageError: `templates_dir` is not a directory, or a file in it is wrong.
    """
    ordered = sorted(rows, key=lambda row: row.order)
    env = environment(templates_dir)
    style = asset(env, "css/base.css", "css/screen.css", "css/index.css", "css/extra.css")
    script = asset(env, "js/index.js")
    totals = tuple((v.value, sum(row.verdict is v for row in ordered)) for v in WORST_FIRST)
    lines = [_line(row, rules) for row in ordered]
    changed = {change.path for change in run.changes}
    rest = _rest(ordered[ROWS_AT_ONCE:], lines[ROWS_AT_ONCE:])
    return render(
        env,
        "index.html.j2",
        run=run,
        date=text.instant(run.created),
        since=text.instant(run.since),
        lines=lines[:ROWS_AT_ONCE],
        models=len(lines),
        rest=rest,
        reports={
            row.path: line.href
            for row, line in zip(ordered, lines, strict=True)
            if row.path in changed
        },
        totals=totals,
        trend=trend(run.trend),
        filters=[(key, label, _options(lines, key)) for key, label in FILTERS.items()],
        style=style,
        script=script,
        style_hash=csp_hash(style),
        script_hash=csp_hash(script),
    )


def index_json(rows: Iterable[IndexRow], run: RunSummary) -> str:
    """The index as JSON text, in the order of the page."""
    ordered = sorted(rows, key=lambda row: row.order)
    data = {
        "schema_version": SCHEMA_VERSION,
        **msgspec.to_builtins(run),
        "changes": [change.said for change in run.changes],
        "verdicts": {v.value: sum(row.verdict is v for row in ordered) for v in Verdict},
        "models": msgspec.to_builtins(ordered),
    }
    return json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
