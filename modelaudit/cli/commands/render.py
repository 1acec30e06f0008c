"""`modelaudit render`: write reports from a saved audit, without the model."""

from __future__ import annotations

from pathlib import Path

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.page_options import page_options
from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.report.export.registry import FORMATS


@click.command(short_help="Write reports from a saved audit.")
@click.argument("audit_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    required=True,
    metavar="FORMAT[=FILE]",
    help=f"{', '.join(FORMATS)}. Without FILE, the report goes to stdout.",
)
# Not set by a variable or settings file: those are for audits, which store the value.
@click.option(
    "--fail-on",
    "other_line",
    type=click.Choice([s.value for s in Severity]),
    help="Lowest severity of a finding that is a failure in JUnit. Default: that of the audit.",
)
@page_options
def render(
    audit_file: Path,
    formats: tuple[str, ...],
    other_line: str | None,
    templates: Path | None,
    paper: str,
    appendix: bool,
    docs_url: str,
) -> None:
    """Write reports from AUDIT_FILE (an audit.json)."""
    from modelaudit import api, schema
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.runs.write_reports import render_format

    audit = schema.load(audit_file)
    report_options = ReportOptions(
        Severity(other_line) if other_line else None, paper, templates, appendix, docs_url
    )
    if len([each for each in formats if "=" not in each]) > 1:
        raise UsageError(
            "only one format can go to stdout; write the others to a file: -f pdf=FILE"
        )
    for each in formats:
        name, _, file = each.partition("=")
        if file:
            api.write_report(audit, name, file, report_options)
        else:
            click.echo(render_format(name, [audit], report_options), nl=False)
