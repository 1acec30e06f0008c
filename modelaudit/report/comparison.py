"""Two models, or two runs, side by side on one page: what changed and what did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelaudit.findings import WORST_FIRST, Finding, Outcome, Severity, Verdict
from modelaudit.report import text, words
from modelaudit.report.blocks import Block, Bullets, Cell, Section, Table, bullets, name, num, prose
from modelaudit.report.environment import asset, csp_hash, environment, render
from modelaudit.report.sections.verdict import saved_with
from modelaudit.report.values import Map, as_count, as_list, as_map, as_maps, as_number, as_text
from modelaudit.restore.audits import Changed
from modelaudit.schema import Audit

# What `restore.audits` calls the parts of a comparison, in the order of the page.
TITLES: Mapping[str, str] = {
    "format": "Format",
    "versions": "Versions",
    "signature": "Inputs and outputs",
    "architecture": "Architecture",
    "weights": "Weights",
    "behaviour": "Behaviour",
}
LISTED = 200  # changes of one part on the page


@dataclass(frozen=True, slots=True)
class Side:
    """The old or the new one: what it is called, its verdict and how to show that."""

    label: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that the page shows, in reading order."""

    title: str
    sides: tuple[Side, Side]
    lead: str
    changed: bool
    sections: tuple[Section, ...]


def between_models(
    old: Audit, new: Audit, found: Sequence[Changed], notes: Iterable[str]
) -> Comparison:
    """The page on two models.

    Args:
        old, new: their audits.
        found: everything that changed, as `restore.audits` tells it.
        notes: sentences on what was compared and what could not be.
    """
    breaking = sum(each.breaking for each in found)
    lead = text.plural(len(found), "change") if found else "Nothing that was compared has changed"
    if breaking:
        lead += f", {breaking:,} of which may break what uses the model"
    sections = [
        Section("overview", "Side by side", (_overview(old, new), bullets("Compared", notes))),
        Section("findings", "Findings", tuple(_findings(old, new))),
        Section("behaviour-table", "Behaviour side by side", tuple(_behaviour(old, new))),
    ]
    for part, title in TITLES.items():
        if mine := [each for each in found if each.section == part]:
            sections.append(Section(f"part-{part}", f"{title}: what changed", (_changes(mine),)))
    sides = tuple(
        Side(_label(audit), audit.verdict.value, text.plain_text(audit.reason, 300))
        for audit in (old, new)
    )
    return Comparison(
        title=text.shorten(f"{_label(old)} and {_label(new)} compared", 160),
        sides=(sides[0], sides[1]),
        lead=f"{lead}.",
        changed=bool(found),
        sections=tuple(section for section in sections if section.blocks),
    )


def _label(audit: Audit) -> str:
    model = as_map(audit.model)
    return text.shorten(as_text(model.get("path")) or as_text(model.get("slug")) or "unnamed", 90)


def _overview(old: Audit, new: Audit) -> Table:
    rows = []
    for title, before, after in (
        ("Format", *(as_text(as_map(a.model).get("format_label")) for a in (old, new))),
        ("Saved with", *(saved_with(a.model) for a in (old, new))),
        ("SHA-256", *(as_text(as_map(a.model).get("sha256"))[:16] for a in (old, new))),
        ("Size", *(text.file_size(as_count(as_map(a.model).get("bytes"))) for a in (old, new))),
        ("Layers", *(_layers(a) for a in (old, new))),
        ("Parameters", *(_count(as_map(a.architecture).get("params")) for a in (old, new))),
        ("Weights restored exactly", *(_restored(a) for a in (old, new))),
        *((word, *(_severity(a, level) for a in (old, new))) for level, word in _levels()),
        ("Most likely cause", *(_cause(a) for a in (old, new))),
    ):
        same = "the same" if before == after else "changed"
        rows.append((Cell(title), Cell(before or "–"), Cell(after or "–"), Cell(same)))
    return Table("The two models", ("", "Old", "New", ""), tuple(rows))


def _levels() -> list[tuple[Severity, str]]:
    return [(s, f"Findings: {words.mark(s.value).word.lower()}") for s in reversed(Severity)]


def _layers(audit: Audit) -> str:
    return f"{len(as_list(as_map(audit.architecture).get('layers'))):,}"


def _count(value: object) -> str:
    return text.number(as_number(value))


def _restored(audit: Audit) -> str:
    restore = as_map(audit.restore)
    compared, same = as_count(restore.get("compared")), as_count(restore.get("identical"))
    return "–" if compared is None or same is None else f"{same:,} of {compared:,}"


def _cause(audit: Audit) -> str:
    first = next(iter(as_maps(as_map(audit.diagnosis).get("causes"))), {})
    return text.plain_text(as_text(first.get("title")) or as_text(first.get("cause")), 120)


def _still_open(audit: Audit) -> dict[str, Finding]:
    found = (f for f in audit.findings if f.outcome is not Outcome.WAIVED)
    return {finding.fingerprint: finding for finding in found}


def _severity(audit: Audit, level: Severity) -> str:
    return f"{sum(f.severity is level for f in _still_open(audit).values()):,}"


def _findings(old: Audit, new: Audit) -> list[Block]:
    before, after = _still_open(old), _still_open(new)
    groups = (
        ("New", [f for key, f in after.items() if key not in before], True),
        ("Gone", [f for key, f in before.items() if key not in after], True),
        ("As before", [f for key, f in after.items() if key in before], False),
    )
    blocks: list[Block] = []
    for title, found, is_open in groups:
        rows = tuple(
            (
                Cell(words.mark(f.severity.value).word, mark=f.severity.value),
                Cell(f.code),
                Cell(text.plain_text(f.title, 140)),
                name(text.shorten(str(f.location), 80) or "the whole model"),
            )
            for f in found
        )
        if rows:
            columns = ("Severity", "Rule", "What", "Where")
            blocks.append(Table(f"{title} ({len(rows):,})", columns, rows, open=is_open))
    return blocks or [prose("Neither model has an open finding.")]


def _behaviour(old: Audit, new: Audit) -> list[Block]:
    """Agreement and accuracy of both, by output and by way of feeding the input."""
    inputs = [as_map(as_map(audit.behaviour).get("inputs")) for audit in (old, new)]
    if not all(inputs):
        return [prose("Not both models were run, so their behaviour cannot be set side by side.")]
    before, after = (_measured(audit) for audit in (old, new))
    rows = tuple(
        (
            Cell(output),
            Cell(what),
            num(text.percent(before.get((output, what)), 1)),
            num(text.percent(after.get((output, what)), 1)),
        )
        for output, what in dict.fromkeys((*before, *after))
    )
    if not rows:
        return [prose("Neither model's output is one of which agreement is defined.")]
    columns = ("Output", "Measured", "Old", "New")
    found: list[Block] = [Table("Answers under flips and turns", columns, rows)]
    if inputs[0] != inputs[1]:
        found.append(prose("The two were run on different inputs, so differences may be theirs."))
    return found


def _measured(audit: Audit) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for number, output in enumerate(as_maps(as_map(audit.behaviour).get("outputs")), 1):
        label = text.shorten(as_text(output.get("name")), 40) or f"output {number}"
        for key, share in as_map(output.get("accuracy")).items():
            if (value := as_number(share)) is not None:
                found[label, f"accuracy, {words.transform(text.shorten(key, 40))}"] = value
        for effect in as_maps(output.get("transforms")):
            if (value := as_number(effect.get("agreement"))) is not None:
                how = words.transform(text.shorten(as_text(effect.get("name")), 40))
                found[label, f"agreement, {how}"] = value
    return found


def _changes(mine: Sequence[Changed]) -> Bullets:
    """Changes that may break a caller first."""
    ordered = sorted(mine, key=lambda each: not each.breaking)
    said = [f"{'Breaking: ' if each.breaking else ''}{each.what}" for each in ordered[:LISTED]]
    if len(mine) > LISTED:
        said.append(f"and {len(mine) - LISTED:,} more (`modelaudit diff --json` lists them all)")
    return bullets(text.plural(len(mine), "change"), said, is_open=len(mine) <= 40)


def between_runs(old: Map, new: Map) -> Comparison:
    """The page on two runs, from what their `index.json` hold."""
    before, after = (_by_path(run) for run in (old, new))
    both = [path for path in after if path in before]
    moved = [p for p in both if before[p].get("verdict") != after[p].get("verdict")]
    other = [p for p in both if p not in moved and _codes(before[p]) != _codes(after[p])]
    blocks: list[Block] = []
    for title, paths, rows in (
        ("Another verdict", moved, (before, after)),
        ("The same verdict for other reasons", other, (before, after)),
        ("New models", [p for p in after if p not in before], ({}, after)),
        ("Models that are gone", [p for p in before if p not in after], (before, {})),
    ):
        if paths:
            blocks.append(_run_table(title, paths, *rows))
    same = len(both) - len(moved) - len(other)
    blocks.append(prose(f"As before: {text.plural(same, 'model')}."))
    changed = len(moved) + len(other) + len(set(before) ^ set(after))
    sides = tuple(
        Side(f"{text.instant(as_text(run.get('created')))}, {text.plural(len(rows), 'model')}",
             _worst(rows), text.shorten(as_text(run.get("root")), 160))
        for run, rows in ((old, before), (new, after))
    )  # fmt: skip
    return Comparison(
        title="Two runs compared",
        sides=(sides[0], sides[1]),
        lead=f"{text.plural(changed, 'model')} changed." if changed else "No model changed.",
        changed=changed > 0,
        sections=(Section("models", "Models", tuple(blocks)),),
    )


def _by_path(run: Map) -> dict[str, Map]:
    return {as_text(row.get("path")): row for row in as_maps(run.get("models"))}


def _codes(row: Map) -> list[Any]:
    return sorted(map(str, as_list(row.get("codes"))))


def _worst(rows: Mapping[str, Map]) -> str:
    found = [as_text(row.get("verdict")) for row in rows.values()]
    return next((v.value for v in WORST_FIRST if v in found), Verdict.PASS.value)


def _run_table(
    title: str, paths: list[str], old: Mapping[str, Map], new: Mapping[str, Map]
) -> Table:
    def verdict(row: Map | None) -> Cell:
        if row is None:
            return Cell("not there")
        state = as_text(row.get("verdict"))
        return Cell(words.mark(state).word, mark=state)

    rows = tuple(
        (
            name(text.shorten(path, 100)),
            verdict(old.get(path)),
            verdict(new.get(path)),
            Cell(text.plain_text(as_text((new.get(path) or old[path]).get("reason")), 200)),
        )
        for path in paths
    )
    return Table(f"{title} ({len(rows):,})", ("Model", "Old", "New", "Why"), rows)


def render_comparison(shown: Comparison, *, templates_dir: Path | None = None) -> str:
    """The page as one self-contained HTML file.

    Raises:
        UsageError: `templates_dir` is not a directory, or a file in it is wrong.
    """
    env = environment(templates_dir)
    style = asset(env, "css/base.css", "css/screen.css", "css/extra.css")
    return render(env, "comparison.html.j2", page=shown, style=style, style_hash=csp_hash(style))
