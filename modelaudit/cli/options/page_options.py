"""Options for HTML and PDF pages."""

from __future__ import annotations

from pathlib import Path

import click

from modelaudit.cli.options.common import group, option
from modelaudit.report.export.job import PAPERS
from modelaudit.settings.file import is_web_address


def _checked_templates(
    _context: click.Context, _option: click.Parameter, folder: Path | None
) -> Path | None:
    """The template directory, checked before any work is done.

    Raises:
        UsageError: a file in it has a wrong name.
    """
    if folder is not None:
        from modelaudit.report.pages.jinja_environment import check

        check(folder)
    return folder


TEMPLATES = option(
    "--templates",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    callback=_checked_templates,
    help="Directory with your own templates for HTML and PDF (see docs/templates.md).",
)


def _checked_address(_context: click.Context, _option: click.Parameter, address: str) -> str:
    """The address, checked, because it becomes a link in reports.

    Raises:
        BadParameter: it is no web address.
    """
    if address and not is_web_address(address):
        raise click.BadParameter("it must be an https:// or http:// address")
    return address


DOCS_URL = option(
    "--docs-url",
    default="",
    metavar="URL",
    callback=_checked_address,
    help="Address of the documentation as a site (make site): reports then link to their rules.",
)
# Options of commands that write pages.
page_options = group(
    TEMPLATES,
    option(
        "--paper",
        type=click.Choice(PAPERS, case_sensitive=False),
        default="A4",
        show_default=True,
        help="Paper size of PDFs.",
    ),
    option("--appendix", is_flag=True, help="Include every row of every table in PDFs."),
    DOCS_URL,
)
