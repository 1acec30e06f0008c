"""One finding for each cause, with a list of the places, instead of one for each place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.grammar import counted
from modelaudit.structs import replace
from modelaudit.terminal_text import first_of

SHOWN = 8  # places in the text
KEPT = 100  # places in the evidence
LISTED = 20  # names listed in one finding; the rest is counted

Cause = tuple[str, str, Severity, Confidence]


def by_cause(findings: Iterable[Finding], what: str) -> Iterator[Finding]:
    """Findings that say the same of several places of one file, as one.

    Their key contains all places, so a waiver of these does not cover another one.

    Args:
        what: what is at a place, in the singular: `tensor`.
    """
    groups: dict[Cause, list[Finding]] = {}
    for each in findings:
        place = each.location
        said = each.detail.replace(place.route, "") if place.route else each.detail
        cause = (place.file, said, each.severity, each.confidence)
        groups.setdefault(cause, []).append(each)
    for first, *others in groups.values():
        yield _joined(first, others, what) if others else first


def _joined(first: Finding, others: list[Finding], what: str) -> Finding:
    routes = [each.location.route for each in (first, *others)]
    listed = first_of(routes[1:], SHOWN)
    return replace(
        first,
        detail=f"{first.detail.rstrip('.')}. The same is true of "
        f"{counted(len(others), f'other {what}', f'other {what}s')}: {listed}.",
        evidence={
            **first.evidence,
            "measured": len(routes),
            "unit": f"{what}s",
            "places": [*routes[:KEPT]],
        },
        key="\0".join((first.key, *sorted(routes))),
    )
