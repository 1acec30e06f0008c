"""The first page: the verdict and its reason, key numbers, next steps, and the model's identity."""

from __future__ import annotations

import re

from msgspec import Struct

from modelaudit.audit_types.diagnosis import Cause, NextStep
from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.model import InputModality
from modelaudit.facts import Provenance
from modelaudit.findings import Severity, Verdict
from modelaudit.measures.architecture.modality_words import words_for
from modelaudit.report.blocks import Cell, Span, spans
from modelaudit.report.sections import changes, key_numbers, unchecked
from modelaudit.report.sections.findings import FindingCard, FindingsSection
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.signing import signatures
from modelaudit.schema import Audit

ACTIONS, DIAGNOSED = 3, 2
LONGEST_PATH = 1000  # shown in full: it identifies the model
ACTION_ROOM, LONGEST_SENTENCE = 200, 400
SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z`“])")
SECURITY = "security"  # family of the rules on code execution and unsafe files
SYMPTOMS = frozenset({"MA602", "MA604"})  # what a diagnosis explains
NOT_CHECKED_LINES = 4
RUNTIMES = {"tensorflow": "TensorFlow", "keras": "Keras", "tf-keras": "tf-keras"}
NOT_COMPARED = "nothing: there is no earlier audit of this model"


class NextAction(Struct, frozen=True):
    """A step to take, and the card with details."""

    text: tuple[Span, ...]
    why: str
    href: str


class VerdictPage(Struct, frozen=True):
    """What the first page shows."""

    state: str
    word: str
    glyph: str
    reason: tuple[Span, ...]
    meaning: str
    dangerous: bool  # to load the model
    counts: tuple[tuple[str, int], ...]
    waived: int
    numbers: tuple[key_numbers.KeyNumber, ...]
    changes: changes.Changes | None
    actions: tuple[NextAction, ...]
    identity: tuple[tuple[str, Cell], ...]
    not_checked: tuple[tuple[Span, ...], ...]

    @property
    def summary(self) -> str:
        """The verdict and its reason as plain text."""
        return f"{self.word}: {''.join(span.text for span in self.reason)}"


def _actions(audit: Audit, findings: FindingsSection) -> tuple[NextAction, ...]:
    open_cards = [card for card in findings.cards if card.mark not in ("info", "waived")]
    if dangerous := _dangerous(findings):
        return _replacing(dangerous)
    causes = audit.diagnosis.causes
    if audit.verdict is Verdict.PASS and not _constant(audit):
        causes = ()
    steps = causes[0].next_steps[:DIAGNOSED] if causes else ()
    # The diagnosis gives the steps for its evidence and for the symptoms.
    told = {evidence.code for cause in causes[:1] for evidence in cause.evidence}
    explained = [card for card in open_cards if steps and card.code in told | SYMPTOMS]
    weight = max([_rank(card) for card in explained], default=Severity.LOW.rank)
    others = [card for card in open_cards if card not in explained]
    found = [_of_card(card) for card in others if _comes_first(card, weight)]
    found += [_of_diagnosis(causes[0], step) for step in steps]
    found += [_of_card(card) for card in others if not _comes_first(card, weight)]
    if audit.verdict is Verdict.INCOMPLETE:
        said = "Provide what the audit was missing (see what was not checked), then run it again"
        found.append(NextAction(spans(said), "What was not checked, and why", "not-checked"))
    return tuple(found[:ACTIONS])


def _constant(audit: Audit) -> bool:
    """Whether only inputs of the user's own show if the output depends on the input at all."""
    outputs = audit.behaviour.outputs if audit.behaviour else ()
    undecided = [each.cause for each in audit.diagnosis.causes[:1]] == ["undecided-without-images"]
    return undecided and any(each.collapse.collapsed for each in outputs)


def _rank(card: FindingCard) -> int:
    return Severity(card.mark).rank if card.mark in set(Severity) else 0


def _comes_first(card: FindingCard, weight: int) -> bool:
    """Whether it precedes the diagnosis: critical, or more severe than the diagnosis's findings."""
    return _rank(card) > weight or card.mark == Severity.CRITICAL


def _dangerous(findings: FindingsSection) -> FindingCard | None:
    return next((c for c in findings.cards if vocabulary.forbids_loading(c.mark, c.code)), None)


def _replacing(card: FindingCard) -> tuple[NextAction, ...]:
    """Steps for a file that must not be loaded; none of them helps it to load."""
    clean = "Get a clean copy from the author of the model, not from the source of this file."
    again = "Audit that copy before loading it: `modelaudit audit COPY`."
    return (
        _of_card(card),
        NextAction(spans(clean), "Fixes that would help this file load are not shown", card.anchor),
        NextAction(spans(again), f"{card.code} must pass there", card.anchor),
    )


def _of_diagnosis(cause: Cause, step: NextStep) -> NextAction:
    title = cause.title or vocabulary.cause(cause.cause)
    said = _sentences(step.text)
    return NextAction(spans(said), f"Diagnosis: {text.cut(title, 90)}", "diagnosis")


def _of_card(card: FindingCard) -> NextAction:
    first = next((p for p in card.fix if not p.code), None)
    said = _sentences("".join(map(_backticked, first.spans))) if first else ""
    title = text.cut("".join(s.text for s in card.title), 90)
    word = vocabulary.mark(card.mark).word
    said = said or title
    return NextAction(
        spans(said[:1].upper() + said[1:]), f"{word}, {card.code}: {title}", card.anchor
    )


def _sentences(said: str) -> str:
    """As many whole sentences as fit, at least one; only a very long one is cut."""
    first, *others = SENTENCE_END.split(text.one_line(text.printable(said)))
    shown = text.cut(first, LONGEST_SENTENCE)
    for sentence in others:
        if len(shown) + 1 + len(sentence) > ACTION_ROOM:
            break
        shown = f"{shown} {sentence}"
    return shown.rstrip(":")


def _backticked(span: Span) -> str:
    return f"`{span.text}`" if span.code else span.text


def saved_with(said: Provenance) -> str:
    """The versions that the file says it was saved with, on one line."""
    named = (
        ("TensorFlow", said.tensorflow),
        ("backend", said.backend),
        ("graph version", said.producer),
        ("by", said.exporter),
    )
    keras = text.shorten(said.keras or "", 40)
    parts = [vocabulary.keras(keras)] if keras else []
    parts += [
        f"{word} {text.shorten(str(value), 40)}" for word, value in named if value is not None
    ]
    return ", ".join(parts) or "not recorded in the file"


def probe_state(audit: Audit) -> str:
    """Whether the model was run, in one sentence."""
    if inputs := audit.behaviour.inputs:
        kind = (
            f"of your {words_for(audit.model.modality).many}"
            if inputs.kind == "user"
            else "synthetic inputs"
        )
        return f"yes, in {_ran_in(audit)}, on {inputs.n:,} {kind}"
    if reason := audit.behaviour.skipped_reason:
        return f"no: {text.cut(reason, 140)}"
    if audit.observations:
        state = vocabulary.mark(audit.observations[0].status.value).said
        return f"attempted, without a result ({state})"
    return "no"


def _ran_in(audit: Audit) -> str:
    """The runtime that produced the outputs, with its versions."""
    runtime = audit.behaviour.runtime
    for seen in audit.observations:
        if seen.runtime == runtime and seen.status is Status.LOADED:
            named = [
                f"{name} {text.shorten(seen.versions[key], 20)}"
                for key, name in RUNTIMES.items()
                if seen.versions.get(key)
            ]
            if named:
                return text.listing(named)
    return vocabulary.runtime(text.shorten(runtime, 40))


def _input(modality: InputModality) -> str:
    """The kind of the inputs, how certain it is, and what shows it."""
    said = f"{modality.kind} ({modality.confidence.value} confidence: {modality.because})"
    return text.shorten(said, 160)


def _identity(audit: Audit, *, first: bool) -> tuple[tuple[str, Cell], ...]:
    model, tool = audit.model, audit.tool
    parts = f" in {text.plural(model.files, 'file')}" if model.files else ""
    label = model.format_label or model.format or "unknown"
    checked = f"{tool.name} {tool.version}, rules {tool.rules_digest[:12] or 'unknown'}"
    return (
        ("Model", Cell(text.shorten(model.path or "–", LONGEST_PATH), "name")),
        *((("Origin", Cell(text.shorten(model.origin, 160))),) if model.origin else ()),
        ("SHA-256", Cell(model.sha256 or "not computed", "name")),
        *(("Signature", Cell(text.shorten(each, 300))) for each in signatures(audit.signing)),
        ("Format", Cell(text.shorten(f"{label}, {text.file_size(model.bytes)}{parts}", 110))),
        *((("Input", Cell(_input(model.modality))),) if model.modality else ()),
        ("Saved with", Cell(text.shorten(saved_with(model.saved_with), 140))),
        ("Audited with", Cell(text.shorten(checked, 110))),
        ("Date", Cell(text.instant(audit.created) or "unknown")),
        *((("Compared with", Cell(NOT_COMPARED)),) if first else ()),
        ("Was the model run?", Cell(probe_state(audit))),
    )


def _meaning(audit: Audit, findings: FindingsSection) -> str:
    if audit.verdict is Verdict.PASS and findings.waived:
        said = "Every rule that could be applied to this model passed, or its findings are waived."
        return f"{said} {vocabulary.NO_CLEARANCE}"
    if _dangerous(findings):
        return vocabulary.DANGER
    return vocabulary.VERDICT_MEANING[audit.verdict]


def build(
    audit: Audit, previous: Audit | None, findings: FindingsSection, *, first: bool = False
) -> VerdictPage:
    """The first page's content; with `first` it notes that there is no earlier audit."""
    mark = vocabulary.VERDICTS[audit.verdict]
    return VerdictPage(
        state=audit.verdict.value,
        word=mark.word,
        glyph=mark.glyph,
        reason=spans(text.cut(audit.reason, 300) or vocabulary.VERDICT_MEANING[audit.verdict]),
        meaning=_meaning(audit, findings) if audit.reason else "",
        dangerous=_dangerous(findings) is not None,
        counts=findings.counts,
        waived=findings.waived,
        numbers=key_numbers.build(audit),
        changes=changes.build(audit, previous) if previous is not None else None,
        actions=_actions(audit, findings),
        identity=_identity(audit, first=first),
        not_checked=unchecked.lines(audit, NOT_CHECKED_LINES),
    )
