"""The one-sentence conclusion of a comparison of two models, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.findings import WORST_FIRST, Finding, Outcome
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_access import as_map, as_maps, as_number, as_text
from modelaudit.restore.audit_diff import AuditChange
from modelaudit.schema import Audit


def conclusion(old: Audit, new: Audit, found: Sequence[AuditChange]) -> str:
    """The conclusion: verdicts, accuracy, findings, and breaking changes."""
    if not found:
        return "No difference was found."
    was, now = (vocabulary.mark(each.verdict.value).said for each in (old, new))
    ranks = [WORST_FIRST.index(each.verdict) for each in (old, new)]
    if ranks[0] == ranks[1]:
        said = [f"The same verdict ({now})"]
    else:
        said = [f"{'Worse' if ranks[1] < ranks[0] else 'Better'}: {was} → {now}"]
    said += _accuracies(old, new)
    before, after = still_open(old), still_open(new)
    for what, mine, others in (("new", after, before), ("gone", before, after)):
        levels = [f.severity for key, f in mine.items() if key not in others]
        if levels:
            worst = max(levels, key=lambda level: level.rank)
            count, word = levels.count(worst), vocabulary.mark(worst.value).said
            more = len(levels) - count
            said.append(
                f"{text.plural(count, f'{what} {word} finding')}"
                if what == "new"
                else f"{text.plural(count, f'{word} finding')} gone"
            )
            said[-1] += f" and {more:,} less severe" if more else ""
    if breaking := sum(each.breaking for each in found):
        said.append(f"{text.plural(breaking, 'change')} may break callers of the model")
    return "; ".join(said) + "."


def _accuracies(old: Audit, new: Audit) -> Iterator[str]:
    """Accuracy on the inputs as given, if both models had the same inputs and it changed."""
    inputs = [as_map(as_map(audit.behaviour).get("inputs")) for audit in (old, new)]
    if inputs[0] != inputs[1]:
        return
    before, after = (measured_behaviour(audit) for audit in (old, new))
    key = f"accuracy, {vocabulary.transform('e')}"
    for output in before.keys() & after.keys():
        was, now = (text.percent(each[output].get(key), 1) for each in (before, after))
        if was != now:
            name = f" of {output}" if len(after) > 1 else ""
            yield f"accuracy{name} {was} → {now}"


def still_open(audit: Audit) -> dict[str, Finding]:
    """Findings that are not waived, by fingerprint."""
    found = (f for f in audit.findings if f.outcome is not Outcome.WAIVED)
    return {finding.fingerprint: finding for finding in found}


def measured_behaviour(audit: Audit) -> dict[str, dict[str, float]]:
    """By output, its accuracy and agreement in [0, 1] under each transform."""
    found: dict[str, dict[str, float]] = {}
    for number, output in enumerate(as_maps(as_map(audit.behaviour).get("outputs")), 1):
        shares = [("accuracy", key, share) for key, share in as_map(output.get("accuracy")).items()]
        shares += [
            ("agreement", as_text(effect.get("name")), effect.get("agreement"))
            for effect in as_maps(output.get("transforms"))
        ]
        mine = {
            f"{what}, {vocabulary.transform(text.shorten(key, 40))}": value
            for what, key, share in shares
            if (value := as_number(share)) is not None
        }
        if mine:
            found[text.shorten(as_text(output.get("name")), 40) or str(number)] = mine
    return found
