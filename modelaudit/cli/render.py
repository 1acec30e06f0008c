"""`modelaudit render`: any report from a saved audit, also where the model is not."""

from __future__ import annotations

from pathlib import Path

import click

from modelaudit.cli import options
from modelaudit.errors import UsageError


@click.command(short_help="Make any report from a saved audit.")
@click.argument("audit_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    required=True,
    metavar="FORMAT[=FILE]",
    help="html, pdf, json, sarif, junit or markdown. Without FILE the report goes to stdout.",
)
def render(audit_file: Path, formats: tuple[str, ...]) -> None:
    """Make reports from AUDIT_FILE (an audit.json)."""
    from modelaudit import schema
    from modelaudit.cli.deliver import render_format
    from modelaudit.registry.output import write_atomic

    audit = schema.load(audit_file)
    if len([each for each in formats if "=" not in each]) > 1:
        raise UsageError("only one format can go to stdout; give the others a file: -f pdf=FILE")
    for each in formats:
        name, _, file = each.partition("=")
        data = render_format(name, [audit])
        if file:
            write_atomic(Path(file), data)
        else:
            click.echo(data, nl=False)
