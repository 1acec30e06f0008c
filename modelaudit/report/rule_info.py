"""What a report says of a rule; the caller makes it from the rule catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelaudit.findings import Severity


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A rule's wording; the fields mean what they mean in the rule's declaration.

    `observed` is whether it judges what loading or running the model showed, not the file alone.
    """

    code: str
    name: str
    family: str
    severity: Severity
    summary: str
    pass_title: str
    why: str
    fix: str
    references: tuple[str, ...] = ()
    observed: bool = False


Rules = Mapping[str, RuleInfo]
