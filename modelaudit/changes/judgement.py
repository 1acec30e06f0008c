"""Verdicts and findings of two audits of one model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from modelaudit.findings import WORST_FIRST, Finding, Severity, Verdict
from modelaudit.schema import Audit


class HasFingerprint(Protocol):
    """A finding, whether in an audit or in a result row."""

    @property
    def code(self) -> str:
        """The rule's code."""

    @property
    def severity(self) -> Severity:
        """Its severity."""

    @property
    def fingerprint(self) -> str:
        """Its identity in all audits of the model."""

    @property
    def waived_by(self) -> str | None:
        """Why it is waived, if it is."""


AnyFinding = TypeVar("AnyFinding", bound=HasFingerprint)


class FindingChanges(Struct, Generic[AnyFinding], frozen=True):
    """The open findings of two audits, each in one group; groups keep the order.

    Attributes:
        new: open now, and not present before.
        reopened: open now, and waived before.
        regraded: open in both with a different severity: (before, now).
        same: open in both.
        fixed: open before, and not present now.
        unchecked: open before; now the rule lacked data, or crashed.
        waived: open before, and waived now (the earlier finding).
    """

    new: tuple[AnyFinding, ...] = ()
    reopened: tuple[AnyFinding, ...] = ()
    regraded: tuple[tuple[AnyFinding, AnyFinding], ...] = ()
    same: tuple[AnyFinding, ...] = ()
    fixed: tuple[AnyFinding, ...] = ()
    unchecked: tuple[AnyFinding, ...] = ()
    waived: tuple[AnyFinding, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the same findings are open, with the same severities."""
        kinds = (self.new, self.reopened, self.regraded, self.fixed, self.unchecked, self.waived)
        return not any(kinds)


def compare_findings(
    old: Iterable[AnyFinding], new: Iterable[AnyFinding], unanswered: Collection[str] = ()
) -> FindingChanges[AnyFinding]:
    """Compare findings by fingerprint.

    Args:
        old: all findings of the earlier audit, waived ones included.
        new: all findings of the later one.
        unanswered: codes of the rules that lacked data in the later audit.
    """
    before = {each.fingerprint: each for each in old}
    after = {each.fingerprint: each for each in new}
    opened = {key: each for key, each in before.items() if not each.waived_by}
    is_open = {key: each for key, each in after.items() if not each.waived_by}
    came = {key: each for key, each in is_open.items() if key not in opened}
    went = {key: each for key, each in opened.items() if key not in is_open}
    kept = [(opened[key], each) for key, each in is_open.items() if key in opened]
    lost = [each for key, each in went.items() if key not in after]
    return FindingChanges(
        new=tuple(each for key, each in came.items() if key not in before),
        reopened=tuple(each for key, each in came.items() if key in before),
        regraded=tuple((was, now) for was, now in kept if was.severity is not now.severity),
        same=tuple(now for was, now in kept if was.severity is now.severity),
        fixed=tuple(each for each in lost if each.code not in unanswered),
        unchecked=tuple(each for each in lost if each.code in unanswered),
        waived=tuple(each for key, each in went.items() if key in after),
    )


def audit_findings(old: Audit, new: Audit) -> FindingChanges[Finding]:
    """Compare the findings of two audits."""
    unanswered = {result.code for result in new.results if result.unanswered}
    return compare_findings(old.findings, new.findings, unanswered)


def verdict_step(old: Verdict, new: Verdict) -> int:
    """Negative if the new verdict is worse than the old one, positive if it is better."""
    return WORST_FIRST.index(new) - WORST_FIRST.index(old)
