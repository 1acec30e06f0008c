"""`modelaudit audit` and `modelaudit scan`."""

from __future__ import annotations

import datetime
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from modelaudit.cli import options
from modelaudit.cli.batch import Found, Row, audit_all, exit_code, find, log_line
from modelaudit.cli.terminal import ProgressBar, clean, table
from modelaudit.facts import Json
from modelaudit.settings import Settings

ORDER = {"fail": 0, "incomplete": 1, "warn": 2, "pass": 3}


def now() -> str:
    """The time for `created`: UTC, whole seconds, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def worst_first(rows: list[Row]) -> list[Row]:
    """Rows by verdict, then by how bad the findings are, then by path."""

    def key(row: Row) -> tuple[Any, ...]:
        severities = row["severities"]
        weights = severities if isinstance(severities, dict) else {}
        levels = ("critical", "high", "medium", "low")
        return (ORDER[str(row["verdict"])], [-int(str(weights[x])) for x in levels], row["path"])

    return sorted(rows, key=key)


def _others(found: Found) -> str:
    total = sum(found.others.values())
    return f"{total} other file{'s' * (total != 1)}" if total else "no other file"


def summary(rows: list[Row], found: Found) -> str:
    """One line of totals, and a line for whatever looked like a model and is none."""
    verdicts = [str(row["verdict"]) for row in rows]
    parts = [f"{verdicts.count(v)} {v}" for v in ORDER if verdicts.count(v)]
    count = f"{len(rows)} model{'s' * (len(rows) != 1)}"
    lines = [f"{count}: {', '.join(parts) or 'none'}; {_others(found)} passed over"]
    lines += [f"not a model: {clean(path)} ({clean(why)})" for path, why in found.named]
    lines += [f"not looked at: {clean(p.file)} ({clean(p.detail)})" for p in found.problems]
    return "\n".join(lines)


def run(
    paths: tuple[Path, ...],
    settings: Settings,
    created: str,
    *,
    quiet: bool,
    log_file: Path | None,
    out: Path | None = None,
    formats: tuple[str, ...] = (),
) -> tuple[list[Row], Found, int, list[str]]:
    """Find, audit, write: what both commands do."""
    found = find(paths, settings)
    rows: list[Row] = []
    with ExitStack() as stack:
        probe = deliver = None
        if settings.probe.enabled and found.targets:
            from modelaudit.probe.here import here_probe

            probe = stack.enter_context(here_probe(settings))
        if out:
            from modelaudit.cli.deliver import deliver_to

            deliver = deliver_to(out, formats)
        bar = stack.enter_context(ProgressBar(len(found.targets), enabled=not quiet))
        for target, row in audit_all(
            found.targets, settings, created, probe=probe, deliver=deliver
        ):
            rows.append(row)
            bar.advance(target.relative)
            if log_file:
                log_line(log_file, row, created)
    rows = worst_first(rows)
    code, reasons = exit_code(rows, found)
    return rows, found, code, reasons


@click.command()
@options.PATHS
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("modelaudit-report"),
    show_default=True,
    help="Directory for the reports.",
)
@click.option(
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
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Audit models and write reports: every model under PATHS, whatever its format."""
    from modelaudit.cli.deliver import parse_formats, write_index

    per_model, per_run = parse_formats(formats)
    settings = options.settings_from(**chosen)
    created = now()
    rows, found, code, reasons = run(
        paths, settings, created, quiet=quiet, log_file=log_file, out=out, formats=per_model
    )
    outcome: dict[str, Json] = {"code": code, "reasons": [*reasons]}
    index = write_index(out, rows, found, (per_model, per_run), outcome, created)
    if not quiet:
        click.echo(table(rows))
        click.echo(summary(rows, found))
        click.echo(f"index: {index}")
    raise click.exceptions.Exit(code)


@click.command()
@options.PATHS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
@options.shared
def scan(
    paths: tuple[Path, ...], as_json: bool, quiet: bool, log_file: Path | None, **chosen: Any
) -> None:
    """Static rules only: integrity, compatibility, weights, symmetry, security. Runs nothing."""
    import json

    settings = options.settings_from(**chosen)
    rows, found, code, _ = run(paths, settings, now(), quiet=quiet or as_json, log_file=log_file)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not quiet:
        click.echo(table(rows))
        click.echo(summary(rows, found))
    raise click.exceptions.Exit(code)
