"""`modelaudit audit` and `modelaudit scan`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.engine import engines
from modelaudit.cli.options.page_options import page_options
from modelaudit.cli.options.places import PATHS, OutputType
from modelaudit.cli.options.selection import selected_settings, selecting
from modelaudit.cli.options.write_back import WRITE_BACK, check_write_back, write_back_to_registry
from modelaudit.cli.terminal import warn
from modelaudit.settings.installation import WRITES_PDF, adds_all, missing
from modelaudit.structs import replace
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from modelaudit.registry.remote.address import Place
    from modelaudit.result_row import ResultRow
    from modelaudit.runs.found_models import FoundModels


PASSWORD = "MODELAUDIT_ATTEST_PASSWORD"


def show(rows: list[ResultRow], found: FoundModels) -> None:
    """Print a line for each model, and a summary."""
    from modelaudit.cli.run_summary import summary_line
    from modelaudit.cli.terminal import say, table

    if rows:
        from modelaudit.cli.printed_commands import from_here

        targets = {target.shown: target for target in found.targets}
        commands = [
            from_here(row.repair, targets[row.path]) if row.path in targets else row.repair
            for row in rows
        ]
        say(table([replace(row, repair=x) for row, x in zip(rows, commands, strict=True)]))
    say(summary_line(rows, found))


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        warn(note)


@click.command(short_help="Audit models and write reports.")
@PATHS
@options.option(
    "--out",
    "-o",
    type=OutputType(),
    default="modelaudit-report",
    show_default=True,
    help="Directory for the reports; also a URL, such as s3://bucket/reports.",
)
@options.FORMATS
@options.option(
    "--resume",
    is_flag=True,
    help="Resume the last run into --out if it was interrupted.",
)
@options.option(
    "--attest",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="KEY",
    help="Sign each audit with this private key (PEM), as an in-toto statement about the model's "
    "files; `modelaudit verify` checks it. The password of an encrypted key is in the environment "
    f"variable {PASSWORD}.",
)
@page_options
@WRITE_BACK
@options.probing
@options.shared
@engines
@selecting
def audit(
    paths: tuple[Place, ...],
    out: Place,
    formats: tuple[str, ...],
    templates: Path | None,
    paper: str,
    appendix: bool,
    docs_url: str,
    write_back: bool,
    all_versions: bool,
    resume: bool,
    attest: Path | None,
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Audit models and write reports: every model under PATHS, in any format."""
    from modelaudit import clock
    from modelaudit.cli.terminal import ProgressBar, say
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.runs.recorded_run import record_run
    from modelaudit.runs.recording.attest import attesting_key, write_attestations
    from modelaudit.runs.recording.remote_output import output_at
    from modelaudit.runs.run_result import RunOptions, RunResult
    from modelaudit.runs.settings_notes import settings_notes
    from modelaudit.runs.write_reports import parse_formats

    check_write_back(paths, wanted=write_back)
    settings = selected_settings(**chosen)
    key = attesting_key(attest, os.environ.get(PASSWORD)) if attest else None
    report_options = ReportOptions(None, paper, templates, appendix, docs_url)
    wanted = replace(parse_formats(formats), options=report_options)
    created = clock.utc_now()

    def tell(ran: RunResult) -> None:
        if not quiet:
            show(ran.rows, ran.found)
            say(f"index: {ran.index}")
            if not formats and (absent := missing(WRITES_PDF)):
                warn(f"no PDF reports, which need {absent}: {adds_all()}")
            _warn([ran.beside] if ran.beside else [])
            _warn(settings_notes(settings, ran.found, ran.rows, created))

    progress = ProgressBar(enabled=not quiet)
    with output_at(out, whole=write_back) as output:
        order = RunOptions(output, wanted, "audit", all_versions=all_versions, resume=resume)
        ran = record_run(
            paths, settings, created, order, progress=progress, log_file=log_file, tell=tell
        )
        if key:
            failed = write_attestations(ran.out, ran.rows, key, ran.found.targets, settings.limits)
            _warn(map(clean, failed))
        if write_back:
            write_back_to_registry(ran, settings)
    raise click.exceptions.Exit(ran.code)


@click.command(short_help="Check static rules only; run nothing, write nothing.")
@PATHS
@options.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
@options.shared
@selecting
def scan(
    paths: tuple[Place, ...],
    as_json: bool,
    all_versions: bool,
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Check static rules only: integrity, compatibility, weights, symmetry, security.

    Runs no model and writes no file.
    """
    import json

    from modelaudit import api
    from modelaudit.cli.terminal import ProgressBar, say
    from modelaudit.result_row import row_to_json
    from modelaudit.runs.scan import empty_version_notes, unreadable_notes

    ran = api.scan(
        paths,
        selected_settings(**chosen),
        all_versions=all_versions,
        progress=ProgressBar(enabled=not (quiet or as_json)),
        log_file=log_file,
    )
    if as_json:
        say(json.dumps([row_to_json(row) for row in ran.rows], indent=2))
        if not quiet:  # what has no row
            _warn((*empty_version_notes(ran.found), *unreadable_notes(ran.found), *ran.notes))
    elif not quiet:
        show(ran.rows, ran.found)
        _warn(ran.notes)
    raise click.exceptions.Exit(ran.code)
