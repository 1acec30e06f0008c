"""One finding for each cause, with a list of the places, instead of one for each place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.model import Facts, Rule
from modelaudit.structs import replace
from modelaudit.terminal_text import first_of

SHOWN = 8  # places in the text
KEPT = 100  # places in the evidence
LISTED = 20  # names listed in one finding; the rest is counted

Cause = tuple[str, str, Severity, Confidence]


Check = Callable[[Rule, Facts], Iterable[Finding]]


def one_for_alike(check: Check, what: str) -> Check:
    """A check that gives one finding for layers with the same mistake, as in several alike outputs.

    Args:
        what: what is at a place, in the singular: `output`.
    """

    def grouped(rule: Rule, facts: Facts) -> Iterator[Finding]:
        found = [*check(rule, facts)]
        if len(found) < 2:
            yield from found
            return
        architecture = facts.artifact.architecture
        layers = architecture.layers if architecture else ()
        yield from by_cause(found, what, {layer.route for layer in layers})

    return grouped


def by_cause(
    findings: Iterable[Finding], what: str, names: Collection[str] = frozenset()
) -> Iterator[Finding]:
    """Findings that say the same of several places of one file, as one.

    Their key contains all places, so a waiver of these does not cover another one.

    Args:
        what: what is at a place, in the singular: `tensor`.
        names: words that may differ, such as those of layers.
    """
    groups: dict[Cause, list[Finding]] = {}
    for each in findings:
        place = each.location
        said = each.detail.replace(place.route, "") if place.route else each.detail
        if names:
            said = " ".join(word for word in said.split() if word.strip(",.:;`") not in names)
        cause = (place.file, said, each.severity, each.confidence)
        groups.setdefault(cause, []).append(each)
    for first, *others in groups.values():
        yield _joined(first, others, what) if others else first


def _joined(first: Finding, others: list[Finding], what: str) -> Finding:
    routes = [*dict.fromkeys(each.location.route for each in (first, *others))]
    count: dict[str, Json] = {"measured": 1 + len(others), "unit": f"{what}s"}
    more = counted(len(routes) - 1, f"other {what}", f"other {what}s")
    same = (
        f" The same is true of {more}: {first_of(quoted(routes[1:]), SHOWN)}." if routes[1:] else ""
    )
    return replace(
        first,
        detail=f"{first.detail.rstrip('.')}.{same}",
        evidence={
            **first.evidence,
            **({} if "threshold" in first.evidence else count),
            "places": [*routes[:KEPT]],
        },
        key="\0".join((first.key, *sorted(routes))),
    )
