"""The one-sentence conclusion of a comparison of two models, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.values import finite
from modelaudit.changes.audit_change import AuditChange, BehaviourChange
from modelaudit.changes.judgement import audit_findings, verdict_step
from modelaudit.findings import Finding
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

AS_GIVEN = ("accuracy", "e")  # measure and transform


def conclusion(old: Audit, new: Audit, found: Sequence[AuditChange]) -> str:
    """The conclusion: verdicts, accuracy, findings, and breaking changes."""
    if not found:
        return "No difference was found."
    was, now = (vocabulary.mark(each.verdict.value).said for each in (old, new))
    step = verdict_step(old.verdict, new.verdict)
    if step == 0:
        said = [f"The same verdict ({now})"]
    else:
        said = [f"{'Worse' if step < 0 else 'Better'}: {was} → {now}"]
    said += _accuracies(found, len(new.behaviour.outputs))
    changes = audit_findings(old, new)
    said += _findings("new", (*changes.new, *changes.reopened))
    said += _findings("gone", (*changes.fixed, *changes.waived))
    said += _findings("not checked", changes.unchecked)
    if breaking := sum(each.breaking for each in found):
        said.append(f"{text.plural(breaking, 'change')} may break callers of the model")
    return "; ".join(said) + "."


def _findings(what: str, found: Sequence[Finding]) -> Iterator[str]:
    """How many findings are new or gone: those of the worst severity, and the rest."""
    if not found:
        return
    levels = [finding.severity for finding in found]
    worst = max(levels, key=lambda level: level.rank)
    count, word = levels.count(worst), vocabulary.mark(worst.value).said
    if what == "new":
        said = text.plural(count, f"new {word} finding")
    else:
        said = f"{text.plural(count, f'{word} finding')} {what}"
    more = len(levels) - count
    yield said + (f" and {more:,} less severe" if more else "")


def _accuracies(found: Sequence[AuditChange], outputs: int) -> Iterator[str]:
    """Changes of the accuracy on the inputs as given."""
    for each in found:
        if isinstance(each, BehaviourChange) and (each.measure, each.transform) == AS_GIVEN:
            name = f" of {text.shorten(each.output, 40)}" if outputs > 1 else ""
            yield f"accuracy{name} {text.percent(each.old, 1)} → {text.percent(each.new, 1)}"


def measured_behaviour(audit: Audit) -> dict[str, dict[str, float]]:
    """By output, its accuracy and agreement in [0, 1] under each transform."""
    found: dict[str, dict[str, float]] = {}
    for number, output in enumerate(audit.behaviour.outputs, 1):
        shares: list[tuple[str, str, float | None]] = [
            ("accuracy", key, share) for key, share in output.accuracy.items()
        ]
        shares += [("agreement", effect.name, effect.agreement) for effect in output.transforms]
        mine = {
            f"{what}, {vocabulary.transform(text.shorten(key, 40))}": value
            for what, key, share in shares
            if (value := finite(share)) is not None
        }
        if mine:
            found[text.shorten(output.name, 40) or str(number)] = mine
    return found
