"""`modelaudit nightly`: audits for cron, silent unless something changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.health_check import Monitored, warn_of
from modelaudit.cli.options import common as options
from modelaudit.cli.options.page_options import look
from modelaudit.exit_codes import ExitCode, worst

if TYPE_CHECKING:
    from modelaudit.facts import Json
    from modelaudit.runs.recorded_run import Recorded
    from modelaudit.store.run_changes import Change


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
@look
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
    from modelaudit.runs import notifications as notices
    from modelaudit.runs.batch import log_line
    from modelaudit.runs.recorded_run import Order, now, record_run
    from modelaudit.runs.write_reports import parse_formats

    settings, told = options.settings_from(**chosen), options.settings_file().nightly
    choices = Choices(None, paper, templates, appendix)
    wanted = replace(parse_formats(formats), choices=choices)
    created = now()

    def tell(ran: Recorded) -> None:
        if ran.quiet and ran.rows:
            return
        text = as_text(ran)
        if not quiet:
            say(text)
        warn_of(notices.changed(told, text, as_details(ran)))

    order = Order(
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
        log_line(log_file, counts, created)
    raise click.exceptions.Exit(code)


def code_of(ran: Recorded) -> int:
    """The exit code: of the first run the whole run's, later that of what changed."""
    from modelaudit.runs.scan import unseen

    if not ran.since or not ran.rows:
        return ran.code
    codes = [int(str(change.now["exit"])) for change in ran.changes if change.now]
    if set(unseen(ran.found)) & set(ran.notes):
        codes.append(ExitCode.INCOMPLETE)
    return worst(codes)


def as_text(ran: Recorded) -> str:
    """What a mail says of a run: how many changed, each with its findings, where to read on."""
    from modelaudit.cli.run_summary import across_lines, tally
    from modelaudit.runs.change_text import counted, in_words, listed, listed_first, models
    from modelaudit.terminal_text import clean

    if ran.since and not ran.rows:
        count = f"no model now, {ran.before:,} on {ran.since}; is everything mounted?"
    elif ran.since:
        count = f"{counted(ran.changes, ran.before, len(ran.rows))} since {ran.since}"
    else:
        count = f"{models(len(ran.rows))}, first run"
    lines = [clean(f"{ran.found.root}: {count}")]
    lines += [f"now {tally(ran.rows, in_words)}"] if ran.rows else []
    told = listed(ran.changes) if ran.since else listed_first(_first(ran))
    lines += ["", told] if told else []
    lines += ["", *across_lines(ran.across)] if ran.across else []
    lines += ["", *ran.notes] if ran.notes else []
    return "\n".join([*lines, "", f"reports: {ran.index}"])


def _first(ran: Recorded) -> tuple[Change, ...]:
    """Of a first run, for which everything is new, the models that need a look."""
    from modelaudit.store.run_changes import new

    return tuple(new(row) for row in ran.rows if row["verdict"] in {"fail", "incomplete"})


def as_details(ran: Recorded) -> dict[str, Json]:
    """The same for programs."""
    from modelaudit.runs.change_text import as_json

    return {
        "registry": ran.found.root,
        "since": ran.since or None,
        "models": len(ran.rows),
        "exit": code_of(ran),
        "changes": [as_json(change) for change in (ran.changes if ran.since else _first(ran))],
        "across": [
            {"kind": a.kind, "title": a.title, "detail": a.detail, "models": [*a.models]}
            for a in ran.across
        ],
        "notes": [*ran.notes],
    }
