"""The comparison page of two models: what changed and what did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.changes.audit_change import AuditChange
from modelaudit.changes.judgement import audit_findings
from modelaudit.findings import Severity
from modelaudit.report.blocks import (
    Block,
    Bullets,
    Cell,
    Section,
    Table,
    bullets,
    name,
    num,
    prose,
)
from modelaudit.report.export.file_paths import path_of
from modelaudit.report.pages.jinja_environment import asset, csp_hash, environment, render
from modelaudit.report.pages.model_diff_summary import conclusion, measured_behaviour
from modelaudit.report.sections.verdict import saved_with
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.audit_changes import describe
from modelaudit.schema import Audit

# Titles of the parts of a comparison, in the order of the page.
TITLES: Mapping[str, str] = {
    "format": "Format",
    "versions": "Versions",
    "signature": "Inputs and outputs",
    "architecture": "Architecture",
    "compatibility": "Compatibility",
    "weights": "Weights",
    "behaviour": "Behaviour",
}
TERMS: Mapping[str, str] = {
    "weights": "A relative distance is the distance between new and old values divided by the norm "
    "of the old ones: 0 means equal, 1 as far as if all of them had become zero.",
}
BEHAVIOUR = (
    "Accuracy is the share of inputs whose prediction matches their label. Agreement is the share "
    "of inputs that keep their prediction when they are transformed. High agreement is good only "
    "together with high accuracy: a model with constant predictions agrees with itself."
)
COLLAPSED = (
    "The output of the {which} has collapsed: it hardly depends on the input, so its agreement is "
    "meaningless."
)
NOT_KEPT = "1970-01-01T00:00:00Z"  # the date of an audit that was made only for a comparison
LISTED = 200  # changes of one part on the page


class DiffSide(Struct, frozen=True):
    """The old or the new side: its label, its verdict, and when and by which tool it was made."""

    label: str
    state: str
    reason: str
    made: str


class VerdictInRun(Struct, frozen=True):
    """A model's verdict in one of two runs. `report` is the address of its report, "" if none."""

    verdict: str
    reason: str
    report: str


class RunDiffCard(Struct, frozen=True):
    """A model that differs between two runs; None for a run that lacks it.

    `said` lists what changed, in sentences. `why` is the reason for the later verdict.
    """

    path: str
    old: VerdictInRun | None
    new: VerdictInRun | None
    said: tuple[str, ...]
    why: str


class RunDiffGroup(Struct, frozen=True):
    """Models with the same kind of change."""

    title: str
    cards: tuple[RunDiffCard, ...]


class DiffPage(Struct, frozen=True):
    """The page in reading order: `groups` for two runs, `sections` for two models."""

    title: str
    sides: tuple[DiffSide, DiffSide]
    lead: str
    changed: bool
    sections: tuple[Section, ...]
    groups: tuple[RunDiffGroup, ...] = ()


def model_diff_page(
    old: Audit,
    new: Audit,
    found: Sequence[AuditChange],
    notes: Iterable[str],
    names: tuple[str, str] | None = None,
) -> DiffPage:
    """The page on two models.

    Args:
        notes: sentences on what was and what could not be compared.
        names: labels of the two; by default the names in their audits.
    """
    labels = [text.shorten(each, 90) for each in names or map(path_of, (old, new))]
    sections = [
        Section("overview", "Side by side", (*_overview(old, new), bullets("Compared", notes))),
        Section("findings", "Findings", tuple(_findings(old, new))),
        Section("behaviour-table", "Behaviour side by side", tuple(_behaviour(old, new))),
    ]
    for part, title in TITLES.items():
        # Measured behaviour is shown in the tables above.
        if mine := [each for each in found if each.section == part and not each.measured]:
            terms = (prose(TERMS[part], tone="terms"),) if part in TERMS else ()
            blocks = (*terms, _changes(mine))
            sections.append(Section(f"part-{part}", f"{title}: what changed", blocks))
    sides = tuple(
        DiffSide(label, audit.verdict.value, text.plain_text(audit.reason, 300), _made(audit))
        for label, audit in zip(labels, (old, new), strict=True)
    )
    return DiffPage(
        title=text.shorten(f"{labels[0]} and {labels[1]} compared", 200),
        sides=(sides[0], sides[1]),
        lead=conclusion(old, new, found),
        changed=bool(found),
        sections=tuple(section for section in sections if section.blocks),
    )


def _made(audit: Audit) -> str:
    by = f"{audit.tool.name} {audit.tool.version}"
    when = "for this comparison" if audit.created == NOT_KEPT else text.instant(audit.created)
    return f"Audited {when} by {text.shorten(by, 60)}"


def same_probe_inputs(old: Audit, new: Audit) -> str:
    """Whether two audits ran their models on the same inputs, according to the audits."""
    was, now = old.behaviour.inputs, new.behaviour.inputs
    if not was or not now:
        return "at least one model was not run, so behaviour is not compared"
    if was != now:
        return (
            f"the models were run on different inputs ({_inputs(was)}; {_inputs(now)}), so "
            "agreement and accuracy are not compared"
        )
    return (
        f"according to the audits, both models were run on the same inputs ({_inputs(now)}): "
        "agreement and accuracy are compared, but not the outputs, which an audit does not store"
    )


def _inputs(inputs: ProbeInputs) -> str:
    count = text.number(inputs.n)
    if inputs.seed is not None:
        return f"{count} synthetic, seed {inputs.seed}"
    return f"{count} from {text.shorten(inputs.source, 60) or 'an unnamed source'}"


def _overview(old: Audit, new: Audit) -> Iterator[Table]:
    """What differs and what is the same: two narrow tables that fit on a phone."""
    differing, same = [], []
    for title, before, after in (
        ("Format", *(a.model.format_label for a in (old, new))),
        ("Saved with", *(saved_with(a.model.saved_with) for a in (old, new))),
        ("SHA-256", *(a.model.sha256 or "" for a in (old, new))),
        ("Size", *(text.file_size(a.model.bytes) for a in (old, new))),
        ("Layers", *(f"{len(a.architecture.layers):,}" for a in (old, new))),
        ("Parameters", *(_parameters(a) for a in (old, new))),
        ("Weights restored exactly", *(_restored(a) for a in (old, new))),
        *((word, *(_severity(a, level) for a in (old, new))) for level, word in _levels()),
        ("Most likely cause", *(_cause(a) for a in (old, new))),
    ):
        cell = name if title == "SHA-256" else Cell
        if before == after:
            same.append((Cell(title), cell(before or "–")))
        else:
            differing.append((Cell(title), cell(before or "–"), cell(after or "–")))
    if differing:
        yield Table("What differs", ("What", "Old", "New"), tuple(differing))
    if same:
        columns = ("What", "Old and new")
        yield Table("What is the same", columns, tuple(same), open=not differing)


def _levels() -> list[tuple[Severity, str]]:
    return [(s, f"Findings: {vocabulary.mark(s.value).said}") for s in reversed(Severity)]


def _parameters(audit: Audit) -> str:
    return "–" if audit.architecture.empty else f"{audit.architecture.params:,}"


def _restored(audit: Audit) -> str:
    restore = audit.restore
    return "–" if restore.empty else f"{restore.identical:,} of {restore.compared:,}"


def _cause(audit: Audit) -> str:
    first = next(iter(audit.diagnosis.causes), None)
    return text.plain_text(first.title or first.cause, 120) if first else ""


def _severity(audit: Audit, level: Severity) -> str:
    found = (f for f in audit.findings if not f.waived_by)
    return f"{sum(f.severity is level for f in found):,}"


def _findings(old: Audit, new: Audit) -> list[Block]:
    found = audit_findings(old, new)
    groups = (
        ("New", (*found.new, *found.reopened), True),
        ("Gone", (*found.fixed, *found.waived), True),
        ("Not checked in the new model", found.unchecked, True),
        ("Of another severity", tuple(now for _, now in found.regraded), True),
        ("Unchanged", found.same, False),
    )
    blocks: list[Block] = []
    for title, mine, is_open in groups:
        rows = tuple(
            (
                Cell(vocabulary.mark(f.severity.value).word, mark=f.severity.value),
                Cell(f"{f.code}: {text.plain_text(f.title, 140)}"),
                name(text.shorten(str(f.location), 80) or "the whole model"),
            )
            for f in mine
        )
        if rows:
            columns = ("Severity", "What", "Where")
            blocks.append(Table(f"{title} ({len(rows):,})", columns, rows, open=is_open))
    return blocks or [prose("Neither model has an open finding.")]


def _behaviour(old: Audit, new: Audit) -> list[Block]:
    """Agreement and accuracy of both models, by output and transform."""
    inputs = [audit.behaviour.inputs for audit in (old, new)]
    if not all(inputs):
        return [prose("At least one model was not run, so behaviour cannot be compared.")]
    before, after = (measured_behaviour(audit) for audit in (old, new))
    found: list[Block] = [prose(BEHAVIOUR, tone="terms")] if before or after else []
    for which, audit in (("old model", old), ("new model", new)):
        if any(output.collapse.collapsed for output in audit.behaviour.outputs):
            found.append(prose(COLLAPSED.format(which=which), tone="bad"))
    for output in dict.fromkeys((*before, *after)):
        was, now = before.get(output, {}), after.get(output, {})
        rows = tuple(
            (
                Cell(what[:1].upper() + what[1:]),
                num(text.percent(was.get(what), 1)),
                num(text.percent(now.get(what), 1)),
            )
            for what in dict.fromkeys((*was, *now))
        )
        found.append(Table(f"Output {output} under transforms", ("What", "Old", "New"), rows))
    if not found:
        return [prose("Agreement is not defined for the output of either model.")]
    if inputs[0] != inputs[1]:
        found.append(
            prose("The models were run on different inputs, which may explain the differences.")
        )
    return found


def _changes(mine: Sequence[AuditChange]) -> Bullets:
    """The changes as a list, breaking ones first."""
    ordered = sorted(mine, key=lambda each: not each.breaking)
    said = [f"{'Breaking: ' if each.breaking else ''}{describe(each)}" for each in ordered[:LISTED]]
    if len(mine) > LISTED:
        said.append(f"and {len(mine) - LISTED:,} more (`modelaudit diff --json` lists them all)")
    return bullets(text.plural(len(mine), "change"), said, is_open=len(mine) <= 40)


def render_diff_page(shown: DiffPage, *, templates_dir: Path | None = None) -> str:
    """The page as one self-contained HTML file.

    Raises:
        UsageError: `templates_dir` is not a directory, or a file in it is wrong.
    """
    env = environment(templates_dir)
    style = asset(env, "css/base.css", "css/screen.css", "css/comparison.css", "css/extra.css")
    return render(env, "comparison.html.j2", page=shown, style=style, style_hash=csp_hash(style))
