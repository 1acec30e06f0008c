"""The diagnosis: which causes explain the symptoms, on what evidence, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from modelaudit.audit_types.diagnosis import (
    Cause,
    Consequence,
    Evidence,
    RuledOut,
    Suspect,
    Undecidable,
)
from modelaudit.diagnosis.odds_text import belief_text, odds_items, sample_size
from modelaudit.report.blocks import Bullets, Paragraph, Span, led, paragraphs, spans
from modelaudit.report.sections.findings import FindingsSection
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

LONGEST = 2000  # characters of one text
LISTED = 6  # causes with their odds
# Symptoms: the same prediction for all inputs, or different ones for flipped inputs.
SYMPTOM = ("MA602", "MA603", "MA604")
OTHER_QUESTION = "What explains the outputs of this model?"
UNDECIDED = ("undecided-without-images", "not-run", "not-applicable")  # these have no belief


class EvidenceView(Struct, frozen=True):
    """One observation in favour of a cause: a text with its numbers, the sample size `n`, and the
    finding it comes from."""

    text: tuple[Span, ...]
    n: str
    code: str
    href: str


class CauseView(Struct, frozen=True):
    """One explanation. `share` is the belief in steps of 5 %, for the width of its bar.

    `belief` is empty if nothing is decided.
    """

    title: str
    belief: str
    share: int
    where: tuple[Span, ...]
    evidence: tuple[EvidenceView, ...]
    against: tuple[tuple[Span, ...], ...]
    refute: tuple[Paragraph, ...]
    steps: tuple[tuple[tuple[Paragraph, ...], str], ...]  # (text, code to run)


class SuspectView(Struct, frozen=True):
    """One of the three usual suspects. `state` names its badge."""

    name: str
    state: str
    text: tuple[Span, ...]


class DiagnosisView(Struct, frozen=True):
    """The chapter's content; `missing` says why there is none."""

    question: str
    answer: tuple[Paragraph, ...]
    suspects: tuple[SuspectView, ...]
    causes: tuple[CauseView, ...]
    lists: tuple[Bullets, ...]
    missing: str


def _evidence(item: Evidence, findings: FindingsSection) -> EvidenceView:
    return EvidenceView(
        spans(text.cut(item.text, 600)),
        f"n = {text.number(item.n)}" if item.n is not None else "",
        text.shorten(item.code, 20),
        findings.anchors.get(item.code, ""),
    )


def _title(item: Cause | Consequence | RuledOut) -> str:
    """A cause's title on one line, or the words for its code."""
    return text.cut(item.title, 140) or vocabulary.cause(item.cause)


def _cause(item: Cause, first: Cause, findings: FindingsSection) -> CauseView:
    decided = item.cause not in UNDECIDED
    belief = belief_text(item, first) if decided else ""
    # The transform and the layer that a cause is about; the layer's name is a code span
    said: list[Span] = []
    if item.transform:
        said.append(Span(f"transform: {text.shorten(vocabulary.transform(item.transform), 80)}"))
    if item.where:
        said.append(Span(" · where: " if said else "where: "))
        said.append(Span(text.shorten(item.where, 60), code=True))
    return CauseView(
        title=_title(item),
        belief=text.percent_signs(belief.removeprefix("belief ")),
        share=round((item.belief or 0.0) * 20) * 5 if belief else 0,
        where=tuple(said),
        evidence=tuple(_evidence(each, findings) for each in item.evidence),
        against=tuple(filter(None, (spans(text.cut(each.text, 600)) for each in item.against))),
        refute=paragraphs(item.refute[:LONGEST]),
        steps=tuple(
            (paragraphs(step.text[:LONGEST]), step.code[:LONGEST].strip("\n"))
            for step in item.next_steps
        ),
    )


def _suspect(item: Suspect) -> SuspectView:
    name = text.cut(item.name, 60)
    return SuspectView(
        name[:1].upper() + name[1:],
        item.state.replace(" ", "-"),
        spans(text.cut(item.text, 1_000)),
    )


def _undecidable(items: Sequence[Undecidable]) -> list[tuple[str, str]]:
    """What is missing, and what it would decide."""
    by_need: dict[str, list[str]] = {}
    for item in items:
        what = text.shorten(item.what, 200)
        by_need.setdefault(text.shorten(item.needs, 200), []).append(what[:1].lower() + what[1:])
    return [(f"Needs {need}", f"whether {'; '.join(whats)}") for need, whats in by_need.items()]


def build(audit: Audit, findings: FindingsSection) -> DiagnosisView:
    """The chapter's content."""
    data = audit.diagnosis
    lists: list[Bullets] = []
    follows = [
        (_title(item), f"follows from: {of}. {text.shorten(item.text, 300)}")
        for item in data.consequences
        for of in [vocabulary.cause(item.of).lower()]
    ]
    if follows:
        lists.append(led("Also observed, but only as consequences", follows))
    ruled_out = [(_title(item), text.shorten(item.by, 300)) for item in data.ruled_out]
    if ruled_out:
        lists.append(led("Ruled out", ruled_out))
    odds = data.odds if any(cause.belief is not None for cause in data.causes) else None
    if odds and (known := odds_items(odds, LISTED)):
        leads = [(text.percent_signs(lead), said) for lead, said in known]
        lists.append(led(f"Odds of the causes. {sample_size(odds)}", leads))
    if undecidable := _undecidable(data.undecidable):
        lists.append(led("Cannot be decided from the available data", undecidable))
    causes = tuple(_cause(item, data.causes[0], findings) for item in data.causes)
    answer = paragraphs(data.answer[:LONGEST])
    missing = ""
    if not (causes or answer):
        missing = (
            "No diagnosis was made: the audit holds too little data. “What was not checked” gives "
            "the reasons."
        )
    question = text.cut(data.question, 240)
    if question and not any(code in findings.anchors for code in SYMPTOM):
        question = OTHER_QUESTION
    suspects = tuple(map(_suspect, data.suspects))
    return DiagnosisView(question, answer, suspects, causes, tuple(lists), missing)
