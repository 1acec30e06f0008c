"""`modelaudit nightly`: audits for cron, silent unless something changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.health_check import Monitored, warn_of
from modelaudit.cli.options import common as options
from modelaudit.cli.options.page_options import page_options
from modelaudit.exit_codes import ExitCode, worst

if TYPE_CHECKING:
    from modelaudit.facts import Json
    from modelaudit.runs.recorded_run import RunResult
    from modelaudit.store.run_changes import ModelChange


@click.command(
    cls=Monitored, short_help="Audit a registry for cron: silent unless something changed."
)
@click.argument(
    "registry", nargs=-1, required=True, metavar="REGISTRY...", type=click.Path(path_type=Path)
)
@options.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Directory for the reports and the history of runs.",
)
@options.FORMATS
@options.option(
    "--verify",
    is_flag=True,
    help="Compare the bytes of models that look unchanged, not only sizes, times and inodes.",
)
@options.option(
    "--moved",
    is_flag=True,
    help="REGISTRY is the one that --out holds the audits of, in another place: go on with them.",
)
@page_options
@options.probing
@options.shared
def nightly(
    registry: tuple[Path, ...],
    out: Path,
    formats: tuple[str, ...],
    verify: bool,
    moved: bool,
    templates: Path | None,
    paper: str,
    appendix: bool,
    all_versions: bool,
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Audit what changed in REGISTRY since the last time, and print that only.

    Models whose files, rules, settings and runtimes are as they were are not read again. Where
    nothing changed, nothing is printed and the exit code is 0; else it is that of the models
    that changed.
    """
    from modelaudit.cli.terminal import ProgressBar, say
    from modelaudit.report.export.job import Choices
    from modelaudit.runs import notifications
    from modelaudit.runs.batch import append_log_line
    from modelaudit.runs.recorded_run import RunOptions, record_run, utc_now
    from modelaudit.runs.write_reports import parse_formats

    settings, told = options.settings_from(**chosen), options.settings_file().nightly
    choices = Choices(None, paper, templates, appendix)
    wanted = replace(parse_formats(formats), choices=choices)
    created = utc_now()

    def tell(ran: RunResult) -> None:
        if ran.quiet and ran.rows:
            return
        text = as_text(ran)
        if not quiet:
            say(text)
        warn_of(notifications.notify_changes(told, text, as_details(ran)))

    order = RunOptions(
        out,
        wanted,
        "nightly",
        all_versions=all_versions,
        reuse=True,
        verify=verify,
        moved=moved,
        keep=told.keep,
    )
    progress = ProgressBar(enabled=False)
    ran = record_run(
        registry, settings, created, order, progress=progress, log_file=log_file, tell=tell
    )
    code = code_of(ran)
    if log_file:
        counts: dict[str, Json] = {
            "event": "run",
            "models": len(ran.rows),
            "audited": ran.audited,
            "changed": len(ran.changes),
            "exit": code,
        }
        append_log_line(log_file, counts, created)
    raise click.exceptions.Exit(code)


def code_of(ran: RunResult) -> int:
    """The exit code: of the first run the whole run's, later that of what changed."""
    from modelaudit.runs.scan import unreadable_notes

    if not ran.since or not ran.rows:
        return ran.code
    codes = [int(str(change.now["exit"])) for change in ran.changes if change.now]
    if set(unreadable_notes(ran.found)) & set(ran.notes):
        codes.append(ExitCode.INCOMPLETE)
    return worst(codes)


def as_text(ran: RunResult) -> str:
    """What a mail says of a run: how many changed, each with its findings, where to read on."""
    from modelaudit.cli.run_summary import cross_model_lines, verdict_counts
    from modelaudit.runs.change_text import (
        change_counts,
        count_models,
        list_changes,
        list_first_run,
        verdict_words,
    )
    from modelaudit.terminal_text import clean

    if ran.since and not ran.rows:
        count = f"no model now, {ran.before:,} on {ran.since}; is everything mounted?"
    elif ran.since:
        count = f"{change_counts(ran.changes, ran.before, len(ran.rows))} since {ran.since}"
    else:
        count = f"{count_models(len(ran.rows))}, first run"
    lines = [clean(f"{ran.found.root}: {count}")]
    lines += [f"now {verdict_counts(ran.rows, verdict_words)}"] if ran.rows else []
    told = list_changes(ran.changes) if ran.since else list_first_run(_first(ran))
    lines += ["", told] if told else []
    lines += ["", *cross_model_lines(ran.across)] if ran.across else []
    lines += ["", *ran.notes] if ran.notes else []
    return "\n".join([*lines, "", f"reports: {ran.index}"])


def _first(ran: RunResult) -> tuple[ModelChange, ...]:
    """Of a first run, for which everything is new, the models that need a look."""
    from modelaudit.store.run_changes import new_model

    return tuple(new_model(row) for row in ran.rows if row["verdict"] in {"fail", "incomplete"})


def as_details(ran: RunResult) -> dict[str, Json]:
    """The same for programs."""
    from modelaudit.runs.change_text import change_json

    return {
        "registry": ran.found.root,
        "since": ran.since or None,
        "models": len(ran.rows),
        "exit": code_of(ran),
        "changes": [change_json(change) for change in (ran.changes if ran.since else _first(ran))],
        "across": [
            {"kind": a.kind, "title": a.title, "detail": a.detail, "models": [*a.models]}
            for a in ran.across
        ],
        "notes": [*ran.notes],
    }
