"""`modelaudit nightly`: audits for cron; prints only changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.engine import engines
from modelaudit.cli.options.page_options import page_options
from modelaudit.cli.options.places import OutputType, PlaceType
from modelaudit.cli.options.selection import selected_settings, selecting
from modelaudit.cli.options.write_back import WRITE_BACK, check_write_back, write_back_to_registry
from modelaudit.cli.terminal import warn
from modelaudit.errors import LockHeld, ModelAuditError, UsageError
from modelaudit.exit_codes import ExitCode
from modelaudit.settings import Nightly
from modelaudit.settings.file import SettingsFile
from modelaudit.structs import replace

if TYPE_CHECKING:
    from modelaudit.changes.models import ModelChange
    from modelaudit.facts import Json
    from modelaudit.registry.remote.address import Place
    from modelaudit.runs.run_result import RunResult


class Monitored(click.Command):
    """Reports start and end of a run to the health check, including usage errors.

    Nothing is reported if the settings, which hold the address, cannot be read; nor of a run over
    one shard, of which the merge reports.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the command line; a usage error counts as a failed run."""
        from modelaudit.runs import notifications as notices

        sharded = any(each.name == "shard" for each in self.params) and (
            any(word.partition("=")[0] == "--shard" for word in args)
            or "MODELAUDIT_SHARD" in os.environ
        )
        try:
            return super().make_context(info_name, args, parent, **extra)
        except (click.ClickException, ModelAuditError):
            settings = Nightly() if sharded else _nightly(parent)
            warn_of(notices.ping_start(settings))
            warn_of(notices.ping_end(settings, ExitCode.USAGE))
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from modelaudit.runs import notifications as notices

        settings, code = Nightly() if ctx.params.get("shard") else _nightly(ctx), None
        warn_of(notices.ping_start(settings))
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as end:
            code = end.exit_code
            raise
        except LockHeld:
            code = ExitCode.LOCKED
            raise
        except (click.ClickException, ModelAuditError):
            code = ExitCode.USAGE
            raise
        finally:
            warn_of(notices.ping_end(settings, code))


def warn_of(failures: Iterable[str]) -> None:
    """Send notifications and print the failed ones."""
    for failure in failures:
        warn(f"notification failed: {failure}")


def _nightly(context: click.Context | None) -> Nightly:
    file = context.find_object(SettingsFile) if context else None
    return file.nightly if file else Nightly()


OUT = options.option(
    "--out",
    "-o",
    type=OutputType(),
    required=True,
    help="Directory for the reports and the run history; also a URL, such as s3://bucket/reports.",
)
MOVED = options.option(
    "--moved",
    is_flag=True,
    help="The registry has moved: continue the history in --out under the new path.",
)
METRICS = options.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the run's figures to this file in the text format of Prometheus.",
)


@click.command(cls=Monitored, short_help="Audit a registry from cron; print only changes.")
@click.argument("registry", nargs=-1, required=True, metavar="REGISTRY...", type=PlaceType())
@OUT
@options.FORMATS
@options.option(
    "--verify",
    is_flag=True,
    help="Compare the bytes of files, not only sizes, times and inodes.",
)
@MOVED
@METRICS
@page_options
@WRITE_BACK
@options.probing
@options.shared
@engines
@selecting
def nightly(
    registry: tuple[Place, ...],
    out: Place,
    formats: tuple[str, ...],
    verify: bool,
    moved: bool,
    metrics: Path | None,
    templates: Path | None,
    paper: str,
    appendix: bool,
    docs_url: str,
    write_back: bool,
    all_versions: bool,
    quiet: bool,
    log_file: Path | None,
    **chosen: Any,
) -> None:
    """Audit what changed in REGISTRY since the last run, and print only that.

    Models are not read again if their files, the rules, the settings and the runtimes are
    unchanged. If nothing changed, nothing is printed and the exit code is 0; otherwise it is that
    of the changed models. With --shard, notifications are left to `modelaudit merge`.
    """
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.runs.metrics import write_metrics
    from modelaudit.runs.recorded_run import record_night
    from modelaudit.runs.recording.remote_output import output_at
    from modelaudit.runs.run_result import RunOptions
    from modelaudit.runs.write_reports import parse_formats

    check_write_back(registry, wanted=write_back)
    settings, told = selected_settings(**chosen), options.settings_file().nightly
    if settings.selection.shard:
        told = Nightly(keep=told.keep)
    tell = teller(told, quiet=quiet)
    started = time.time()
    report_options = ReportOptions(None, paper, templates, appendix, docs_url)
    wanted = replace(parse_formats(formats), options=report_options)
    with output_at(out, whole=write_back) as output:
        order = RunOptions(
            output,
            wanted,
            "nightly",
            all_versions=all_versions,
            reuse=True,
            verify=verify,
            moved=moved,
            keep=told.keep,
        )
        ran = record_night(registry, settings, order, log_file=log_file, tell=tell)
        if metrics:
            write_metrics(metrics, ran, started)
        if write_back:
            write_back_to_registry(ran, settings)
    raise click.exceptions.Exit(ran.exit_code)


def teller(told: Nightly, *, quiet: bool) -> Callable[[RunResult], None]:
    """What prints the changes of a run, unless `quiet`, and sends them where the settings say.

    Raises:
        UsageError: the variable with the webhook's token is not set.
    """
    from modelaudit.cli.terminal import say
    from modelaudit.runs import notifications

    authorization = _secret(told.webhook_token)

    def tell(ran: RunResult) -> None:
        if ran.quiet and (ran.rows or ran.found.elsewhere):
            return
        text = as_text(ran, told.reports_url)
        if not quiet:
            say(text)
        warn_of(notifications.notify_changes(told, text, as_details(ran), authorization))

    return tell


def _secret(variable: str) -> str:
    """The value of the environment variable that the settings name; "" if they name none.

    Raises:
        UsageError: it is not set, or cannot be a header.
    """
    value = os.environ.get(variable, "") if variable else ""
    if variable and not (value.isascii() and value.isprintable() and value.strip()):
        raise UsageError(f"webhook_token in [nightly] names {variable}, which is not set")
    return value


def as_text(ran: RunResult, reports_url: str = "") -> str:
    """The mail for a run: the number of changes, each with its findings, and the reports.

    Args:
        reports_url: address of the directory of the reports, "" to name its path.
    """
    from modelaudit.cli.run_summary import cross_model_lines
    from modelaudit.cli.terminal import columns
    from modelaudit.report.wording.model_changes import (
        WIDTH,
        change_counts,
        count_models,
        list_changes,
        list_first_run,
        verdict_words,
    )
    from modelaudit.result_row import verdict_counts
    from modelaudit.terminal_text import clean

    if ran.since and not (ran.rows or ran.found.elsewhere):
        count = f"no models found, {ran.before:,} on {ran.since}; is everything mounted?"
    elif ran.since:
        count = f"{change_counts(ran.changes, ran.before, len(ran.rows))} since {ran.since}"
    else:
        count = f"{count_models(len(ran.rows))}, first run"
    lines = [clean(f"{ran.found.root}: {count}")]
    lines += [f"now {verdict_counts(ran.rows, verdict_words)}"] if ran.rows else []
    width = min(columns(), WIDTH)
    told = list_changes(ran.changes, width) if ran.since else list_first_run(_first(ran), width)
    lines += ["", told] if told else []
    lines += ["", *cross_model_lines(ran.across)] if ran.across else []
    lines += ["", *ran.notes] if ran.notes else []
    index = f"{reports_url.rstrip('/')}/{ran.index.name}" if reports_url else ran.index
    return "\n".join([*lines, "", f"reports: {index}"])


def _first(ran: RunResult) -> tuple[ModelChange, ...]:
    """For a first run, in which everything is new, the models that need attention."""
    from modelaudit.changes.models import new_model

    return tuple(new_model(row) for row in ran.rows if row.verdict in {"fail", "incomplete"})


def as_details(ran: RunResult) -> dict[str, Json]:
    """The run as JSON."""
    from modelaudit.report.wording.model_changes import change_json

    return {
        "registry": ran.found.root,
        "since": ran.since or None,
        "models": len(ran.rows),
        "exit": ran.exit_code.value,
        "changes": [change_json(change) for change in (ran.changes if ran.since else _first(ran))],
        "across": [
            {"kind": a.kind, "title": a.title, "detail": a.detail, "models": [*a.models]}
            for a in ran.across
        ],
        "notes": [*ran.notes],
    }
