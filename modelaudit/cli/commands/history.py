"""`modelaudit history`: past runs of a registry, or past audits of a model."""

from __future__ import annotations

import json
import os
from itertools import groupby
from typing import TYPE_CHECKING

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.places import OutputType
from modelaudit.findings import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelaudit.facts import Json
    from modelaudit.registry.remote.address import Place
    from modelaudit.store.records import StoredRun
    from modelaudit.store.store import Store

VERDICTS = tuple(verdict.value for verdict in WORST_FIRST)
HEAD = ("run", "started (UTC)", "state", "models", *VERDICTS, "audited", "seconds")
MINUTES = len("2026-01-01 00:00")
LOST = "aborted"  # state of a run whose process was killed


@click.command(short_help="Show past runs, or past audits of a model.")
@click.argument("out", type=OutputType(exists=True))
@click.argument("model", required=False)
@options.option(
    "--last",
    "-n",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Number of runs, or of audits of MODEL, to show.",
)
@options.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def history(out: Place, model: str | None, last: int, as_json: bool) -> None:
    """Show the runs in OUT (a directory of reports, or its URL), or the history of one MODEL.

    MODEL is a path as shown in the reports. For a model, lists the audits that differ from the
    previous one, with the worst finding, what changed and, for an unchanged file, why.
    """
    from modelaudit.cli.history_text import as_text, entry_json
    from modelaudit.cli.terminal import say
    from modelaudit.registry.output_directory import is_locked
    from modelaudit.runs.recording.remote_output import output_to_read
    from modelaudit.runs.timeline import audits_of
    from modelaudit.store.store import Store

    with output_to_read(out) as output, Store.open_to_read(output.folder) as store:
        if model is None:
            rows = _runs(store, last, going=is_locked(output.folder))
            say(json.dumps(rows, indent=2) if as_json else _table(rows))
            return
        # Reports write names that are not UTF-8 in this form.
        named = os.fsencode(model).decode("utf-8", "backslashreplace")
        audits = audits_of(store, named, last)
        if as_json:
            say(json.dumps([entry_json(each) for each in audits], indent=2))
        else:
            say(as_text(audits))


def _runs(store: Store, last: int, *, going: bool) -> list[dict[str, Json]]:
    """The last runs; `going`: the newest one is still in progress."""
    runs = store.runs()[-last:]
    counts = store.verdicts(run.id for run in runs)
    rows = []
    for run in runs:
        verdicts = {verdict: counts.get(run.id, {}).get(verdict, 0) for verdict in VERDICTS}
        goes_on = going and run is runs[-1]
        state = LOST if run.state.value == "running" and not goes_on else run.state.value
        models = sum(verdicts.values())
        row = _run(run) | {"state": state, "models": models, "verdicts": {**verdicts}}
        rows.append(row | {"whole": run.is_whole})
    return rows


def _run(run: StoredRun) -> dict[str, Json]:
    return {
        "run": run.id,
        "registry": run.registry,
        "command": run.command,
        "tool": run.tool,
        "rules": run.rules,
        "started": run.started,
        "finished": run.finished,
        "exit": run.exit_code,
        "audited": run.audited,
        "seconds": run.seconds,
        "notes": [*run.notes],
    }


def _table(rows: Sequence[dict[str, Json]]) -> str:
    """A table for each registry: one line per run, and the trend of the verdicts."""
    from modelaudit.cli.terminal import columns
    from modelaudit.report.pages.verdict_trend import LAST, trend_lines
    from modelaudit.terminal_text import clean, wrapped

    lines = []
    for registry, group in groupby(rows, key=lambda row: row["registry"]):
        table: list[tuple[str, ...]] = [HEAD]
        whole = []
        for row in group:
            verdicts = {key: int(str(count)) for key, count in _map(row["verdicts"]).items()}
            whole += [verdicts] if row["whole"] else []
            counts = verdicts.values()
            began = str(row["started"]).replace("T", " ").rstrip("Z")
            cells = (row["run"], began, row["state"], row["models"], *counts, row["audited"])
            table.append((*map(str, cells), f"{float(str(row['seconds'])):.1f}"))
        gap, room = "  ", columns() - 1
        widths = _widths(table)
        if sum(widths) + len(gap) * (len(widths) - 1) > room:  # a terminal of 80 columns
            gap, table = " ", [_narrow(row) for row in table]
            widths = _widths(table)
        lines.append(clean(str(registry)))
        for cells in table:
            pairs = enumerate(zip(cells, widths, strict=True))
            lines.append(gap.join(c.ljust(w) if i in (1, 2) else c.rjust(w) for i, (c, w) in pairs))
        if len(whole) > 1:
            shown, told = f"last {len(whole[-LAST:])} runs:", trend_lines(whole[-LAST:])
            line = f"{shown} {', '.join(told)}"
            each = [shown, *(wrapped(verdict, room, "  ", "    ") for verdict in told)]
            lines += [line] if len(line) <= room else each
    return "\n".join(lines) or "no runs yet"


def _narrow(row: tuple[str, ...]) -> tuple[str, ...]:
    """The row with whole seconds."""
    seconds = "secs" if row == HEAD else row[-1].partition(".")[0]
    return (row[0], row[1][:MINUTES], *row[2:-1], seconds)


def _widths(table: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*table, strict=True)]


def _map(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
