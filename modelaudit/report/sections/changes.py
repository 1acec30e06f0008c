"""What changed since an earlier audit of the same model, by finding fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from modelaudit.changes.judgement import audit_findings
from modelaudit.findings import Finding
from modelaudit.report.blocks import Span, spans
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

LISTED = 3  # findings of one kind that are named
Line = tuple[Span, ...]


class Changes(Struct, frozen=True):
    """A heading, a paragraph on what changed, and the new and fixed findings."""

    title: str
    text: Line
    findings: tuple[Line, ...]


def build(audit: Audit, previous: Audit) -> Changes:
    """The comparison of two audits.

    A finding that was open and is now waived does not count as fixed, nor does one whose rule now
    has no answer; one that was waived and is now open counts as new.
    """
    found = audit_findings(previous, audit)
    new, fixed, unchecked = (*found.new, *found.reopened), found.fixed, found.unchecked
    reopened = len(found.reopened)
    counts = [
        (len(new), "new" + (f" ({reopened:,} of them no longer waived)" if reopened else "")),
        (len(fixed), "fixed"),
        (len(unchecked), "not checked this time"),
        (len(found.waived), "waived since"),
        (len(found.regraded), "with another severity"),
        (len(found.same), "unchanged"),
    ]
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    said = [
        _verdicts(audit, previous),
        f"Findings: {told or 'none before and none now'}.",
        _accuracy(audit, previous),
        _file(audit, previous, differ=not found.equal or audit.verdict is not previous.verdict),
    ]
    return Changes(
        f"Since the audit of {text.instant(previous.created)}",
        spans(" ".join(filter(None, said))),
        (*_named("New", new), *_named("Fixed", fixed), *_named("Not checked", unchecked)),
    )


def _verdicts(audit: Audit, previous: Audit) -> str:
    now, then = (vocabulary.VERDICTS[each.verdict].word for each in (audit, previous))
    if now == then:
        return f"The verdict is still {now}."
    return f"The verdict changed from {then} to {now}."


def _accuracy(audit: Audit, previous: Audit) -> str:
    """Accuracy on labelled inputs before and now, empty if either audit has none."""
    shares = [each.behaviour.accuracies for each in (previous, audit)]
    output = next((name for name in shares[1] if name in shares[0]), None)
    if output is None:
        return ""
    then, now = (text.percent(each[output], 1) for each in shares)
    inputs = [each.behaviour.inputs for each in (previous, audit)]
    where = "" if inputs[0] == inputs[1] else ", on different inputs"
    if then == now and not where:
        return f"The accuracy on your labels is still {now}."
    return f"The accuracy on your labels changed from {then} to {now}{where}."


def _file(audit: Audit, previous: Audit, *, differ: bool) -> str:
    digest, old = audit.model.sha256, previous.model.sha256
    if digest is None or old is None:
        return "Whether the model file changed is unknown: it could not be hashed."
    if digest != old:
        return "The model file has changed."
    if differ:
        return (
            "The model file is unchanged, so the difference comes from the rules, the settings, "
            "the probe inputs or the runtime."
        )
    return "The model file is unchanged."


def _named(word: str, found: Sequence[Finding]) -> Iterable[Line]:
    """The worst of these findings, one per line, and how many more there are."""
    ordered = sorted(found, key=lambda finding: -finding.severity.rank)
    for finding in ordered[:LISTED]:
        where = text.shorten(str(finding.location), 60).replace("`", "'")
        place = f" (`{where}`)" if where else ""
        title = text.cut(finding.title.replace("`", ""), 110)
        severity = vocabulary.mark(finding.severity.value).word
        yield spans(f"{word}: {severity}, {text.shorten(finding.code, 20)}: {title}{place}")
    if len(ordered) > LISTED:
        yield spans(f"{word}: and {len(ordered) - LISTED:,} more")
