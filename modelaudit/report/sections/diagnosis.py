"""The diagnosis: which causes explain the symptoms, on what evidence, and what to try next."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.report.blocks import Bullets, Paragraph, Span, led, paragraphs, spans
from modelaudit.report.sections.findings import FindingsSection
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_access import (
    Map,
    as_list,
    as_map,
    as_maps,
    as_number,
    as_text,
    plain,
)
from modelaudit.schema import Audit

LONGEST = 2000  # characters of one text
MOST_PLACES = 6
# Symptoms: the same prediction for all inputs, or different ones for flipped inputs.
SYMPTOM = ("MA602", "MA603", "MA604")
OTHER_QUESTION = "What explains the outputs of this model?"
UNDECIDED = ("undecided-without-images", "not-run", "not-applicable")  # these have no belief


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """One observation in favour of a cause: a text with its numbers, the sample size `n`, and the
    finding it comes from."""

    text: tuple[Span, ...]
    n: str
    code: str
    href: str


@dataclass(frozen=True, slots=True)
class CauseView:
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


@dataclass(frozen=True, slots=True)
class SuspectView:
    """One of the three usual suspects. `state` names its badge."""

    name: str
    state: str
    text: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class DiagnosisView:
    """The chapter's content; `missing` says why there is none."""

    question: str
    answer: tuple[Paragraph, ...]
    suspects: tuple[SuspectView, ...]
    causes: tuple[CauseView, ...]
    lists: tuple[Bullets, ...]
    missing: str


def _evidence(item: object, findings: FindingsSection) -> EvidenceView:
    if not isinstance(item, dict):
        return EvidenceView(spans(text.cut(plain(item, 400), 400)), "", "", "")
    code = as_text(item.get("code"))
    return EvidenceView(
        spans(text.cut(as_text(item.get("text")), 600)),
        f"n = {plain(item['n'], 80)}" if item.get("n") is not None else "",
        text.shorten(code, 20),
        findings.anchors.get(code, ""),
    )


def _line(item: object) -> tuple[Span, ...]:
    said = as_text(as_map(item).get("text")) or (item if isinstance(item, str) else "")
    return spans(text.cut(said, 600))


def _where(item: Map) -> tuple[Span, ...]:
    """The transform and the layers that a cause is about; each name is a code span of its own."""
    said: list[Span] = []
    if transform := as_text(item.get("transform")):
        said.append(Span(f"transform: {text.shorten(vocabulary.transform(transform), 80)}"))
    where = item.get("where")
    names = [where] if isinstance(where, str) else as_list(where)
    for index, name in enumerate(filter(None, names[:MOST_PLACES])):
        said.append(Span(", " if index else " · where: " if said else "where: "))
        said.append(Span(plain(name, 60), code=True))
    if len(names) > MOST_PLACES:
        said.append(Span(f" and {len(names) - MOST_PLACES:,} more"))
    return tuple(said)


def _title(item: Map) -> str:
    """A cause's title on one line, or the words for its code."""
    return text.cut(as_text(item.get("title")), 140) or vocabulary.cause(as_text(item.get("cause")))


def _cause(item: Map, findings: FindingsSection) -> CauseView:
    decided = as_text(item.get("cause")) not in UNDECIDED
    belief = as_number(item.get("belief")) if decided else None
    inside = min(max(belief, 0.0), 1.0) if belief is not None else None
    return CauseView(
        title=_title(item),
        belief=("not estimated" if decided else "") if inside is None else text.percent(inside),
        share=round((inside or 0.0) * 20) * 5,
        where=_where(item),
        evidence=tuple(_evidence(e, findings) for e in as_list(item.get("evidence"))),
        against=tuple(filter(None, map(_line, as_list(item.get("against"))))),
        refute=paragraphs(as_text(item.get("refute"))[:LONGEST]),
        steps=tuple(
            (
                paragraphs(as_text(step.get("text"))[:LONGEST]),
                as_text(step.get("code"))[:LONGEST].strip("\n"),
            )
            for step in as_maps(item.get("next_steps"))
        ),
    )


def _suspect(item: Map) -> SuspectView:
    name = text.cut(as_text(item.get("name")), 60)
    return SuspectView(
        name[:1].upper() + name[1:],
        as_text(item.get("state")).replace(" ", "-"),
        spans(text.cut(as_text(item.get("text")), 600)),
    )


def _undecidable(items: list[Map]) -> list[tuple[str, str]]:
    """What is missing, and what it would decide."""
    by_need: dict[str, list[str]] = {}
    for item in items:
        what = plain(item.get("what"), 200)
        by_need.setdefault(plain(item.get("needs"), 200), []).append(what[:1].lower() + what[1:])
    return [(f"Needs {need}", f"whether {'; '.join(whats)}") for need, whats in by_need.items()]


def build(audit: Audit, findings: FindingsSection) -> DiagnosisView:
    """The chapter's content."""
    data = as_map(audit.diagnosis)
    lists: list[Bullets] = []
    follows = [
        (_title(item), f"follows from: {of}. {plain(item.get('text'), 300)}")
        for item in as_maps(data.get("consequences"))
        for of in [vocabulary.cause(as_text(item.get("of"))).lower()]
    ]
    if follows:
        lists.append(led("Also observed, but only as consequences", follows))
    ruled_out = [
        (_title(item), plain(item.get("by"), 300)) for item in as_maps(data.get("ruled_out"))
    ]
    if ruled_out:
        lists.append(led("Ruled out", ruled_out))
    if undecidable := _undecidable(as_maps(data.get("undecidable"))):
        lists.append(led("Cannot be decided from the available data", undecidable))
    causes = tuple(_cause(item, findings) for item in as_maps(data.get("causes")))
    answer = paragraphs(as_text(data.get("answer"))[:LONGEST])
    missing = ""
    if not (causes or answer):
        missing = as_text(data.get("skipped_reason")) or (
            "No diagnosis was made: the audit holds too little data. “What was not checked” gives "
            "the reasons."
        )
    question = text.cut(as_text(data.get("question")), 240)
    if question and not any(code in findings.anchors for code in SYMPTOM):
        question = OTHER_QUESTION
    suspects = tuple(map(_suspect, as_maps(data.get("suspects"))))
    return DiagnosisView(question, answer, suspects, causes, tuple(lists), missing)
