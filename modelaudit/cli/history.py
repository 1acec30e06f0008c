"""`modelaudit history`: how a registry, or one of its models, has done over the runs."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelaudit.cli import options
from modelaudit.findings import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelaudit.facts import Json
    from modelaudit.store.records import Line, Place, Run
    from modelaudit.store.store import Store

VERDICTS = tuple(verdict.value for verdict in WORST_FIRST)
HEAD = ("run", "began (UTC)", "state", "models", *VERDICTS, "audited", "seconds")
CHANGES = 8  # that are listed of one audit


@click.command(short_help="How a registry or a model has done over the runs.")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("model", required=False)
@options.option(
    "--last",
    "-n",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Runs, or audits of MODEL, to show.",
)
@options.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def history(out: Path, model: str | None, last: int, as_json: bool) -> None:
    """Show the runs into OUT (a directory of reports), or what became of one MODEL.

    MODEL is a path as the reports give it. Of a model each audit is shown that differs from the
    one before.
    """
    from modelaudit.cli.terminal import say
    from modelaudit.store.store import Store

    with Store.open_to_read(out) as store:
        if model is None:
            rows = _runs(store, last)
            say(json.dumps(rows, indent=2) if as_json else _table(rows))
            return
        audits = _audits(store, model, last)
        say(json.dumps(audits, indent=2) if as_json else _text(audits))


def _runs(store: Store, last: int) -> list[dict[str, Json]]:
    counts = store.verdicts()
    rows = []
    for run in store.runs()[-last:]:
        verdicts = {verdict: counts.get(run.id, {}).get(verdict, 0) for verdict in VERDICTS}
        rows.append(_run(run) | {"models": sum(verdicts.values()), "verdicts": {**verdicts}})
    return rows


def _run(run: Run) -> dict[str, Json]:
    return {
        "run": run.id,
        "registry": run.registry,
        "command": run.command,
        "tool": run.tool,
        "rules": run.rules,
        "started": run.started,
        "finished": run.finished,
        "state": run.state.value,
        "exit": run.exit_code,
        "audited": run.audited,
        "seconds": run.seconds,
        "notes": [*run.notes],
    }


def _table(rows: Sequence[dict[str, Json]]) -> str:
    """A table for each registry, a line for each run."""
    from modelaudit.cli.terminal import clean

    lines = []
    for registry, group in groupby(rows, key=lambda row: row["registry"]):
        table: list[tuple[str, ...]] = [HEAD]
        for row in group:
            verdicts = row["verdicts"]
            counts = verdicts.values() if isinstance(verdicts, dict) else ()
            began = str(row["started"]).replace("T", " ").rstrip("Z")
            cells = (row["run"], began, row["state"], row["models"], *counts, row["audited"])
            table.append((*map(str, cells), f"{float(str(row['seconds'])):.1f}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines.append(clean(str(registry)))
        for cells in table:
            pairs = enumerate(zip(cells, widths, strict=True))
            lines.append(
                "  ".join(c.ljust(w) if i in (1, 2) else c.rjust(w) for i, (c, w) in pairs)
            )
    return "\n".join(lines) or "no run yet"


def _audits(store: Store, model: str, last: int) -> list[dict[str, Json]]:
    """Audits of a model, each with what changed since the one before."""
    from modelaudit.errors import UsageError

    found: list[dict[str, Json]] = []
    for _, group in groupby(store.timeline(model), key=lambda row: row[1]):
        rows = list(group)
        before: int | None = None
        for run, place, audit, line in rows:
            if audit != before:
                found.append(_audit(store, run, place, line, before, audit))
            before = audit
    if not found:
        raise UsageError(f"no run has audited a model called {model!r}")
    return found[-last:]


def _audit(
    store: Store, run: Run, place: Place, line: Line, before: int | None, audit: int
) -> dict[str, Json]:
    from modelaudit import schema
    from modelaudit.restore.audits import changes, compare_audited, weight_changes

    told: list[Json] = []
    if before is not None:
        old, new = (schema.loads(store.document(each)) for each in (before, audit))
        found = [*changes(old, new), *weight_changes(compare_audited(old, new))]
        told = [f"{each.section}: {each.what}" for each in found]
    return {
        "run": run.id,
        "started": run.started,
        "root": place.root,
        "path": place.path,
        "verdict": line["verdict"],
        "reason": line["reason"],
        "sha256": line["sha256"],
        "severities": line["severities"],
        "changes": told,
    }


def _text(audits: Sequence[dict[str, Json]]) -> str:
    from modelaudit.cli.terminal import clean, columns, mark, shorten

    lines = []
    for root, group in groupby(audits, key=lambda each: each["root"]):
        mine = list(group)
        lines.append(clean(f"{root}/{mine[0]['path']}"))
        for each in mine:
            began = str(each["started"]).replace("T", " ").rstrip("Z")
            digest = str(each["sha256"] or "not hashed")[:12]
            lines.append(f"{began}  {mark(str(each['verdict']))}  sha256 {digest}")
            told = each["changes"]
            texts = [clean(str(text)) for text in told] if isinstance(told, list) else []
            lines += [shorten(f"    {text}", columns() - 1) for text in texts[:CHANGES]]
            if len(texts) > CHANGES:
                lines.append(f"    and {len(texts) - CHANGES} more (--json lists them all)")
    return "\n".join(lines)
