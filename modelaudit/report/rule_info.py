"""What a report says about a rule; the caller builds it from the rule catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from modelaudit.findings import Severity


class RuleInfo(Struct, frozen=True):
    """A rule's texts; the fields are those of the rule's declaration.

    `observed` is whether it judges the loaded or running model rather than the file alone. `page`
    is the address of its page in the documentation, "" if the user names no site.
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
    page: str = ""


Rules = Mapping[str, RuleInfo]
