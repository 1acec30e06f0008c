"""The human-readable report of one audit: its full content in order, without markup."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.report import charts
from modelaudit.report.blocks import Block, Bullets, Section, Table
from modelaudit.report.charts.style import Chart
from modelaudit.report.rule_info import RuleInfo, Rules
from modelaudit.report.sections import (
    appendix,
    architecture,
    behaviour,
    compatibility,
    diagnosis,
    findings,
    method,
    repair,
    unchecked,
    verdict,
    weights,
)
from modelaudit.report.wording import text
from modelaudit.schema import Audit
from modelaudit.structs import replace


class Report(Struct, frozen=True):
    """Everything that a page shows, in reading order."""

    title: str
    heading: str
    date: str
    tool: str
    verdict: verdict.VerdictPage
    diagnosis: diagnosis.DiagnosisView
    findings: findings.FindingsSection
    charts: tuple[Chart, ...]
    sections: tuple[Section, ...]

    @property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """(anchor, title) of every chapter."""
        rows = [("diagnosis", "Diagnosis"), ("findings", "Findings")]
        if self.charts:
            rows.append(("figures", "Figures"))
        return tuple(rows + [(section.anchor, section.title) for section in self.sections])

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in reading order."""
        blocks = (block for section in self.sections for block in section.blocks)
        return (
            *((self.findings.table,) if self.findings.table else ()),
            *(chart.table for chart in self.charts),
            *(block for block in blocks if isinstance(block, Table)),
        )


def build(
    audit: Audit, rules: Rules, previous: Audit | None = None, *, first: bool = False
) -> Report:
    """The report of one audit.

    Args:
        rules: texts of the rules, by code.
        previous: an earlier audit of the same model, if any.
        first: the output directory keeps earlier audits, but has none of this model.
    """
    name = audit.model.path or audit.model.slug
    cards = findings.build(audit, rules)
    return Report(
        title=text.shorten(f"Model audit: {name}", 120),
        heading=text.shorten(name, 90),
        date=text.instant(audit.created) or "an unknown date",
        tool=f"{audit.tool.name} {audit.tool.version}",
        verdict=verdict.build(audit, previous, cards, first=first),
        diagnosis=diagnosis.build(audit, cards),
        findings=cards,
        charts=charts.build(audit),
        sections=(
            compatibility.build(audit),
            behaviour.build(audit),
            architecture.build(audit),
            weights.build(audit),
            *repair.build(audit),
            unchecked.build(audit, rules),
            method.build(audit),
            appendix.build(audit),
        ),
    )


def unabridged(report: Report) -> Report:
    """The report including everything that print omits for lack of space."""
    cards = tuple(replace(card, printed=len(card.occurrences)) for card in report.findings.cards)
    return replace(
        report,
        findings=replace(report.findings, cards=cards),
        sections=tuple(
            replace(section, blocks=tuple(map(_whole, section.blocks)))
            for section in report.sections
        ),
    )


def _whole(block: Block) -> Block:
    if isinstance(block, Table):
        return replace(block, print_rows=len(block.rows))
    if isinstance(block, Bullets):
        return replace(block, print_items=len(block.items))
    return block


__all__ = ["Report", "RuleInfo", "Rules", "build"]
