"""`modelaudit settings`: the settings file in use, and its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from modelaudit.cli.options import common as options
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from modelaudit.facts import Json


@click.command(short_help="Show the settings file in use, or its JSON Schema.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of settings files.")
def settings(schema: bool) -> None:
    """Show which settings file is in use, and which options it sets.

    With --schema, print a JSON Schema, with which editors complete and check modelaudit.toml.
    """
    if schema:
        click.echo(json.dumps(described_schema(), indent=2))
        return
    file = options.settings_file()
    if file.path is None:
        click.echo("no settings file: there is neither modelaudit.toml nor [tool.modelaudit] here")
        return
    click.echo(f"settings file: {clean(str(file.path))}")
    for name, value in file.options.items():
        click.echo(f"  {name} = {clean(str(value))}")


def described_schema() -> dict[str, Json]:
    """The schema, in which options say what their command-line option says."""
    from modelaudit.cli.commands.audit import audit
    from modelaudit.settings.file_schema import settings_schema

    schema = settings_schema()
    parts = schema["$defs"]
    file = parts["DescribedFile"] if isinstance(parts, dict) else None
    keys = file["properties"] if isinstance(file, dict) else None
    for option in audit.params:
        key = keys.get(str(option.name)) if isinstance(keys, dict) else None
        if isinstance(key, dict) and isinstance(option, click.Option) and option.help:
            key["description"] = option.help
            if isinstance(option.type, click.Choice):
                key["enum"] = [*map(str, option.type.choices)]
    return schema
