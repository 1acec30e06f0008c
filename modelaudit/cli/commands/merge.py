"""`modelaudit merge`: the runs over the shards of a registry as one run."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from modelaudit.cli.commands.audit import show
from modelaudit.cli.commands.nightly import METRICS, MOVED, OUT, Monitored, teller
from modelaudit.cli.options import common as options
from modelaudit.cli.options.page_options import DOCS_URL
from modelaudit.cli.options.places import OutputType
from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.report.export.registry import PER_RUN
from modelaudit.structs import replace

if TYPE_CHECKING:
    from modelaudit.registry.remote.address import Place
    from modelaudit.runs.run_result import RunResult


@click.command(cls=Monitored, short_help="Merge the runs over the shards of a registry into one.")
@click.argument(
    "outs",
    nargs=-1,
    required=True,
    metavar="OUT...",
    type=OutputType(exists=True),
)
@OUT
@options.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"Reports on the run as a whole: {', '.join(PER_RUN)}. Repeatable. Those on each model "
    "are the ones of the shards.",
)
@MOVED
@DOCS_URL
@METRICS
@options.option("--quiet", "-q", is_flag=True, help="Print only errors.")
def merge(
    outs: tuple[Place, ...],
    out: Place,
    formats: tuple[str, ...],
    moved: bool,
    docs_url: str,
    metrics: Path | None,
    quiet: bool,
) -> None:
    """Merge runs with --shard, whose output directories are OUT, into one run.

    Its index, history and reports are those of a run over the whole registry; nothing is audited.
    If the shards are nightly runs, the changes since the last merge are printed and sent, and the
    exit code is that of `modelaudit nightly`; otherwise it is that of `modelaudit audit`. A shard
    that is missing or not complete makes the run incomplete.
    """
    from modelaudit.cli.terminal import say, warn
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.runs.metrics import write_metrics
    from modelaudit.runs.recording.merge import merge as merge_runs
    from modelaudit.runs.recording.remote_output import output_at, output_to_read
    from modelaudit.runs.scan import empty_version_notes, unreadable_notes
    from modelaudit.runs.write_reports import parse_formats

    chosen = replace(parse_formats(formats), options=ReportOptions(docs_url=docs_url))
    given = click.get_current_context().get_parameter_source("formats")
    if given is ParameterSource.COMMANDLINE and chosen.per_model:
        raise UsageError(f"-f {chosen.per_model[0]}: reports on each model are those of the shards")
    told = options.settings_file().nightly
    tell_changes = teller(told, quiet=quiet)

    def tell(ran: RunResult) -> None:
        if ran.nightly:
            tell_changes(ran)
        elif not quiet:
            show(ran.rows, ran.found)
            say(f"index: {ran.index}")
            shown = {*unreadable_notes(ran.found), *empty_version_notes(ran.found)}
            for note in ran.notes:
                if note not in shown:
                    warn(note)

    started = time.time()
    settings = options.settings_from(fail_on=Severity.HIGH.value, jobs=1)
    wanted = replace(chosen, per_model=())
    with ExitStack() as stack:
        shards = [stack.enter_context(output_to_read(each, whole=True)) for each in outs]
        output = stack.enter_context(output_at(out))
        ran = merge_runs(shards, settings, output, wanted, keep=told.keep, moved=moved, tell=tell)
    if metrics:
        write_metrics(metrics, ran, started)
    raise click.exceptions.Exit(ran.exit_code)
