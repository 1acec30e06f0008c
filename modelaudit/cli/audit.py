"""`modelaudit audit` and `modelaudit scan`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli import options

if TYPE_CHECKING:
    from modelaudit.cli.run import Ran


def now() -> str:
    """The time for `created`: UTC, whole seconds, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _show(ran: Ran) -> None:
    from modelaudit.cli.run import summary
    from modelaudit.cli.terminal import say, table

    if ran.rows:
        say(table(ran.rows))
    say(summary(ran.rows, ran.found))
    if ran.index:
        say(f"index: {ran.index}")


@click.command(short_help="Audit models and write reports.")
@options.PATHS
@options.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("modelaudit-report"),
    show_default=True,
    help="Directory for the reports.",
)
@options.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="html, pdf, json (per model; these are the default), sarif, junit, markdown (for the "
    "whole run). Repeatable.",
)
@options.probing
@options.shared
def audit(
    paths: tuple[Path, ...],
    out: Path,
    formats: tuple[str, ...],
    all_versions: bool,
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Audit models and write reports: every model under PATHS, whatever its format."""
    from modelaudit.cli.deliver import parse_formats
    from modelaudit.cli.run import run

    wanted = parse_formats(formats)
    settings = options.settings_from(**chosen)
    ran = run(
        paths,
        settings,
        now(),
        quiet=quiet,
        log_file=log_file,
        out=out,
        formats=wanted,
        all_versions=all_versions,
    )
    if not quiet:
        _show(ran)
    raise click.exceptions.Exit(ran.code)


@click.command(short_help="Static rules only; runs no model, writes nothing.")
@options.PATHS
@options.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
@options.shared
def scan(
    paths: tuple[Path, ...],
    as_json: bool,
    all_versions: bool,
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Static rules only: integrity, compatibility, weights, symmetry, security. Runs nothing."""
    import json

    from modelaudit.cli.run import run
    from modelaudit.cli.terminal import say

    settings = options.settings_from(**chosen)
    silent = quiet or as_json
    ran = run(paths, settings, now(), quiet=silent, log_file=log_file, all_versions=all_versions)
    if as_json:
        say(json.dumps(ran.rows, indent=2))
    elif not quiet:
        _show(ran)
    raise click.exceptions.Exit(ran.code)
