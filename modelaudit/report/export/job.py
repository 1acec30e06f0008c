"""The input of a renderer: the audits, the texts of the rules, and the options of the user."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from modelaudit.findings import Severity

if TYPE_CHECKING:
    from modelaudit.report.report import Report
    from modelaudit.report.rule_info import Rules
    from modelaudit.schema import Audit

PAPERS = ("A3", "A4", "A5", "letter", "legal")


class ReportOptions(Struct, frozen=True):
    """User options for reports.

    Attributes:
        fail_on: severity from which a finding is a failure, for formats that distinguish failures;
            None for the one that each audit was made with.
        paper: paper of PDFs, one of `PAPERS`.
        templates: directory of templates that replace ours of the same name.
        appendix: whether PDFs print every row of every table.
        docs_url: address of the documentation as a site, for links to the rules; "" for none.
    """

    fail_on: Severity | None = None
    paper: str = "A4"
    templates: Path | None = None
    appendix: bool = False
    docs_url: str = ""


class Job(Struct, frozen=True, dict=True):
    """One report to render. A renderer uses the fields that its format can show.

    Attributes:
        audits: what to report on; exactly one for a format that is made per model.
        rules: texts of the rules, by code.
        options: user options.
        base: absolute directory that file paths are relative to.
        across: cross-model findings as (title, paths of the models).
        previous: an earlier audit of the same model, for what changed since.
        first: the output directory keeps earlier audits, but has none of this model.
    """

    audits: Sequence[Audit]
    rules: Rules
    options: ReportOptions = field(default_factory=ReportOptions)
    base: str = ""
    across: Sequence[tuple[str, Sequence[str]]] = ()
    previous: Audit | None = None
    first: bool = False

    @property
    def audit(self) -> Audit:
        """The audit of a per-model report."""
        (audit,) = self.audits
        return audit

    @cached_property
    def report(self) -> Report:
        """The content of per-model pages; built once for all formats."""
        from modelaudit.report.report import build

        return build(self.audit, self.rules, self.previous, first=self.first)
