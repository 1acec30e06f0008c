"""The findings: an overview table, then a card for each rule that failed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from modelaudit.findings import Confidence, Finding, Outcome, Severity
from modelaudit.report.blocks import Cell, Paragraph, Span, Table, name, paragraphs, spans
from modelaudit.report.rule_info import RuleInfo, Rules
from modelaudit.report.wording import evidence, text, vocabulary
from modelaudit.schema import Audit

PRINTED_OCCURRENCES = 5


class Occurrence(Struct, frozen=True):
    """One finding of a rule: its location, what was found, and the evidence.

    `anchor` stays the same from audit to audit, so that links to a finding keep working.
    """

    number: int
    anchor: str
    where: str
    detail: tuple[Paragraph, ...]
    evidence: tuple[tuple[str, str], ...]
    waived_by: str


class FindingCard(Struct, frozen=True):
    """All findings of one rule that share title, severity and fix."""

    anchor: str
    mark: str
    code: str
    rule: str
    family: str  # of the rule; empty if unknown
    title: tuple[Span, ...]
    confidence: str
    why: tuple[Paragraph, ...]
    fix: tuple[Paragraph, ...]
    references: tuple[str, ...]
    occurrences: tuple[Occurrence, ...]
    page: str = ""  # address of the rule's page in the documentation, "" without a site
    printed: int = PRINTED_OCCURRENCES  # how many occurrences the PDF shows


class FindingsSection(Struct, frozen=True):
    """The chapter: overview, then cards, worst first, waived ones last."""

    table: Table | None
    nothing: str  # text to show if there are no findings
    cards: tuple[FindingCard, ...]
    counts: tuple[tuple[str, int], ...]  # severity -> number of open findings, worst first
    waived: int
    anchors: Mapping[str, str]  # rule code -> anchor of its first card


def _mark(finding: Finding) -> str:
    return "waived" if finding.outcome is Outcome.WAIVED else finding.severity.value


def _confidence(finding: Finding, info: RuleInfo | None) -> str:
    """The confidence; certainty rests on the file's bytes or on observation."""
    if finding.confidence is Confidence.CERTAIN and info and info.observed:
        return vocabulary.OBSERVED
    return vocabulary.CONFIDENCE[finding.confidence]


def _card(anchor: str, number: int, group: list[Finding], info: RuleInfo | None) -> FindingCard:
    first = group[0]
    return FindingCard(
        anchor=anchor,
        mark=_mark(first),
        code=first.code,
        rule=first.name,
        family=info.family if info else "",
        title=spans(text.cut(first.title, 200)),
        confidence=_confidence(first, info),
        why=paragraphs(info.why) if info else (),
        fix=paragraphs(first.fix or (info.fix if info else "")),
        references=info.references if info else (),
        occurrences=tuple(
            Occurrence(
                number,
                f"{_fragment(finding.code)}-{finding.fingerprint[:8]}",
                text.shorten(str(finding.location), 160),
                paragraphs(finding.detail[:4000]),
                (*evidence.rows(finding), ("fingerprint", finding.fingerprint)),
                finding.waived_by or "",
            )
            for number, finding in enumerate(group, number)
        ),
        page=info.page if info else "",
    )


def _fragment(code: str) -> str:
    """A rule's code as a URL fragment; an audit file's codes can hold anything."""
    return re.sub(r"[^A-Za-z0-9]+", "-", code)[:20].strip("-") or "finding"


def _free(fragment: str, taken: set[str]) -> str:
    """`fragment`, with a number appended if another card has it already."""
    found, number = fragment, 1
    while found in taken:
        number += 1
        found = f"{fragment}-{number}"
    taken.add(found)
    return found


def _nothing(audit: Audit) -> str:
    if not audit.results:
        return "No rule was run, so this says nothing about the model."
    asked = [result for result in audit.results if not result.moot]
    unanswered = sum(r.outcome in (Outcome.NOT_APPLICABLE, Outcome.ERROR) for r in asked)
    if unanswered:
        said = f"{unanswered:,} of {text.plural(len(asked), 'applicable question')}"
        return (
            f"No rule found a problem, but {said} could not be answered; see “What was not "
            "checked”."
        )
    return "No rule found a problem."


def _span_of(card: FindingCard) -> str:
    first, last = card.occurrences[0].number, card.occurrences[-1].number
    return str(first) if first == last else f"{first}–{last}"


def _places(card: FindingCard) -> str:
    first = text.shorten(card.occurrences[0].where, 60) or "the whole model"
    more = len(card.occurrences) - 1
    return f"{first} and {more:,} more" if more else first


def build(audit: Audit, rules: Rules) -> FindingsSection:
    """The chapter's content."""
    ordered = sorted(audit.findings, key=lambda finding: finding.outcome is Outcome.WAIVED)
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in ordered:
        key = (finding.code, _mark(finding), finding.title, finding.fix)
        groups.setdefault(key, []).append(finding)

    cards: list[FindingCard] = []
    anchors: dict[str, str] = {}
    number = 1
    taken: set[str] = set()
    for group in groups.values():
        card = _card(
            _free(_fragment(group[0].code), taken), number, group, rules.get(group[0].code)
        )
        number += len(group)
        cards.append(card)
        anchors.setdefault(card.code, card.anchor)

    rows = tuple(
        (
            Cell(_span_of(card), "number", href=card.anchor),
            Cell(vocabulary.mark(card.mark).word, mark=card.mark),
            Cell(card.code),
            Cell(text.plain_text("".join(span.text for span in card.title), 110)),
            name(_places(card)),
        )
        for card in cards
    )
    still_open = [finding for finding in ordered if finding.outcome is not Outcome.WAIVED]
    counts = tuple(
        (severity.value, count)
        for severity in reversed(Severity)
        if (count := sum(finding.severity is severity for finding in still_open))
    )
    table = Table("All findings, worst first", ("No.", "Severity", "Rule", "What", "Where"), rows)
    return FindingsSection(
        table if rows else None,
        _nothing(audit),
        tuple(cards),
        counts,
        len(ordered) - len(still_open),
        anchors,
    )
