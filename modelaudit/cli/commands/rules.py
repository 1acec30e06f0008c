"""`modelaudit rules`: list and explain the rules."""

from __future__ import annotations

import json
import sys

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.terminal import columns
from modelaudit.errors import UsageError
from modelaudit.terminal_text import wrapped

WIDTH = 78
BESIDE = 110  # columns from which on a list of rules has summaries beside names


@click.command(short_help="List the rules, or explain one.")
@click.argument("code", required=False)
@options.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def rules(code: str | None, as_json: bool) -> None:
    """List the rules, or explain one, given by code (such as MA401) or name."""
    from modelaudit.audit_types.json_form import jsonable
    from modelaudit.rules.catalogue import all_rules, rule, unknown
    from modelaudit.rules.model import Rule

    def describe(each: Rule) -> dict[str, object]:
        return {
            "code": each.code,
            "name": each.name,
            "family": each.family.value,
            "severity": each.severity.value,
            "confidence": each.confidence.value,
            "summary": each.summary,
            "why": each.why,
            "fix": each.fix,
            "threshold": jsonable(each.limit),
            "since": each.since,
            "references": list(each.references),
        }

    if code is None:
        if as_json:
            click.echo(json.dumps([describe(each) for each in all_rules()], indent=2))
            return
        # One line per rule if the output is piped, for searching.
        width = columns() if sys.stdout.isatty() else sys.maxsize
        names = max(len(each.name) for each in all_rules())
        for each in all_rules():
            begin = f"{each.code}  {each.severity.value:<8}  "
            if width < BESIDE:
                click.echo(f"{begin}{each.name}")
                begin = " " * len(f"{each.code}  ")
            else:
                begin += f"{each.name:<{names}}  "
            click.echo(wrapped(each.summary, width, begin, " " * len(begin)))
        return
    try:
        found = rule(code)
    except KeyError:
        raise UsageError(unknown(code)) from None
    if as_json:
        click.echo(json.dumps(describe(found), indent=2))
        return
    click.echo(f"{found.code} {found.name} ({found.severity.value}, {found.family.value})\n")
    click.echo(wrapped(found.summary + ".", WIDTH, rest=""))
    if found.limit:
        click.echo("\n" + wrapped(f"Threshold: {found.limit} ([thresholds]).", WIDTH, rest=""))
    click.echo("\nWhy it matters")
    click.echo(_indented(found.why))
    click.echo("\nWhat to do")
    for line in found.fix.splitlines():
        click.echo(f"  {line}".rstrip() if line[:1] in ("", " ") else _indented(line))
    for reference in found.references:
        click.echo("\n" + wrapped(f"See: {reference}", WIDTH))


def _indented(text: str) -> str:
    return wrapped(text, WIDTH, "  ", "  ")
