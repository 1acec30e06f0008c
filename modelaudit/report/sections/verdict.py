"""The first page: the verdict, why, the key numbers, what to do, what it is about."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.findings import Severity, Verdict
from modelaudit.report import text, words
from modelaudit.report.blocks import Cell, Span, spans
from modelaudit.report.sections import changes, key_numbers, unchecked
from modelaudit.report.sections.findings import Card, Findings
from modelaudit.report.values import Map, as_count, as_map, as_maps, as_text, plain
from modelaudit.schema import Audit

ACTIONS, DIAGNOSED = 3, 2
NOT_CHECKED_LINES = 4


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, and the card that says more."""

    text: tuple[Span, ...]
    why: str
    href: str


@dataclass(frozen=True, slots=True)
class VerdictPage:
    """What the first page shows."""

    state: str
    word: str
    glyph: str
    reason: tuple[Span, ...]
    meaning: str
    counts: tuple[tuple[str, int], ...]
    waived: int
    numbers: tuple[key_numbers.KeyNumber, ...]
    changes: changes.Changes | None
    actions: tuple[Action, ...]
    identity: tuple[tuple[str, Cell], ...]
    not_checked: tuple[tuple[Span, ...], ...]

    @property
    def summary(self) -> str:
        """The verdict and its reason as plain text."""
        return f"{self.word}: {''.join(span.text for span in self.reason)}"


def _actions(audit: Audit, findings: Findings) -> tuple[Action, ...]:
    found: list[Action] = []
    open_cards = [card for card in findings.cards if card.mark not in ("info", "waived")]
    # What must be settled before the model is even loaded comes before what explains its answers.
    found += [_of_card(card) for card in open_cards if card.mark == Severity.CRITICAL]
    causes = as_maps(as_map(audit.diagnosis).get("causes"))
    steps = as_maps(causes[0].get("next_steps"))[:DIAGNOSED] if causes else []
    if audit.verdict is not Verdict.PASS:
        found += [_of_diagnosis(causes[0], step) for step in steps]
    told = {as_text(e.get("code")) for c in causes[:1] for e in as_maps(c.get("evidence"))}
    for card in open_cards:
        if card.mark != Severity.CRITICAL and not (steps and card.code in told):
            found.append(_of_card(card))  # else the diagnosis rests on it, and says what to do
    if audit.verdict is Verdict.INCOMPLETE:
        said = "Give the audit what it lacked (see what was not checked), then run it again"
        found.append(Action(spans(said), "What was not checked, and why", "not-checked"))
    return tuple(found[:ACTIONS])


def _of_diagnosis(cause: Map, step: Map) -> Action:
    title = as_text(cause.get("title")) or words.cause(as_text(cause.get("cause")))
    said = text.cut(as_text(step.get("text")), 200).rstrip(":")
    return Action(spans(said), f"Diagnosis: {text.cut(title, 90)}", "diagnosis")


def _of_card(card: Card) -> Action:
    first = next((p for p in card.fix if not p.code), None)
    said = text.cut("".join(map(_backticked, first.spans)), 200).rstrip(":") if first else ""
    title = text.cut("".join(s.text for s in card.title), 90)
    word = words.mark(card.mark).word
    said = said or title
    return Action(spans(said[:1].upper() + said[1:]), f"{word}, {card.code}: {title}", card.anchor)


def _backticked(span: Span) -> str:
    return f"`{span.text}`" if span.code else span.text


def saved_with(model: object) -> str:
    """The versions that the file says it was saved with, as one line."""
    said = as_map(as_map(model).get("saved_with"))
    names = (
        ("tensorflow", "TensorFlow"),
        ("backend", "backend"),
        ("producer", "graph version"),
        ("exporter", "by"),
    )
    keras = text.shorten(as_text(said.get("keras")), 40)
    parts = [words.keras(keras)] if keras else []
    parts += [
        f"{word} {text.shorten(as_text(said[key]), 40)}"
        for key, word in names
        if said.get(key) is not None
    ]
    return ", ".join(parts) or "the file does not say"


def probe_state(audit: Audit) -> str:
    """Whether the model was run, in one sentence."""
    behaviour = as_map(audit.behaviour)
    inputs = as_map(behaviour.get("inputs"))
    if inputs:
        count = as_count(inputs.get("n")) or 0
        kind = "of your images" if inputs.get("kind") == "user" else "made-up inputs"
        return f"yes, in {words.runtime(plain(behaviour.get('runtime'), 40))}, on {count:,} {kind}"
    if reason := as_text(behaviour.get("skipped_reason")):
        return f"no: {text.cut(reason, 140)}"
    tried = as_maps(audit.observations)
    if tried:
        state = words.mark(as_text(tried[0].get("status"))).word.lower()
        return f"tried, but no result ({state})"
    return "no"


def _identity(audit: Audit) -> tuple[tuple[str, Cell], ...]:
    model, tool = as_map(audit.model), as_map(audit.tool)
    files = as_count(model.get("files"))
    size = text.file_size(as_count(model.get("bytes")))
    parts = f" in {text.plural(files, 'file')}" if files else ""
    label = as_text(model.get("format_label")) or as_text(model.get("format")) or "unknown"
    version = f"{as_text(tool.get('name')) or 'modelaudit'} {as_text(tool.get('version'))}"
    origin = as_text(model.get("origin"))
    rules = as_text(tool.get("rules_digest"))
    settings = as_text(tool.get("settings_digest"))
    checked = f"{version}, rules {rules[:12] or 'unknown'}"
    if settings:
        checked += f", settings {settings[:12]}"
    return (
        ("Model", Cell(text.shorten(as_text(model.get("path")) or "–", 120), "name")),
        *((("Comes from", Cell(text.shorten(origin, 160))),) if origin else ()),
        ("SHA-256", Cell(as_text(model.get("sha256")) or "not computed", "name")),
        ("Format", Cell(text.shorten(f"{label}, {size}{parts}", 110))),
        ("Saved with", Cell(text.shorten(saved_with(model), 140))),
        ("Audited with", Cell(text.shorten(checked, 110))),
        ("Date", Cell(text.instant(audit.created) or "unknown")),
        ("Was the model run?", Cell(probe_state(audit))),
    )


def _meaning(audit: Audit, findings: Findings) -> str:
    if audit.verdict is Verdict.PASS and findings.waived:
        return "Every rule that could look at this model passed it, or what it found is waived."
    return words.VERDICT_MEANING[audit.verdict]


def build(audit: Audit, previous: Audit | None, findings: Findings) -> VerdictPage:
    """The first page's content."""
    mark = words.VERDICTS[audit.verdict]
    return VerdictPage(
        state=audit.verdict.value,
        word=mark.word,
        glyph=mark.glyph,
        reason=spans(text.cut(as_text(audit.reason), 300) or words.VERDICT_MEANING[audit.verdict]),
        meaning=_meaning(audit, findings) if audit.reason else "",
        counts=findings.counts,
        waived=findings.waived,
        numbers=key_numbers.build(audit),
        changes=changes.build(audit, previous) if previous is not None else None,
        actions=_actions(audit, findings),
        identity=_identity(audit),
        not_checked=unchecked.lines(audit, NOT_CHECKED_LINES),
    )
