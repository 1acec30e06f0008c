"""`modelaudit diff` of two runs, by their indexes and the reports that still exist."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from modelaudit.cli.terminal import columns, path_differences, say, verdict_mark
from modelaudit.terminal_text import clean, wrapped

if TYPE_CHECKING:
    from modelaudit.facts import Json
    from modelaudit.report.pages.index import IndexRow, RunIndex
    from modelaudit.report.pages.run_diff import KeptAudit, RunDiff, RunDiffEntry
    from modelaudit.schema import Audit

WIDTH = 80
LISTED = 20  # models shown per kind; --json and the page have them all
MOST_BYTES = 1 << 28  # bytes of an index; that of 100,000 models has about 100 MB


class RunFile(Struct, frozen=True):
    """A run's `index.json`: the path given by the user, its location and its content."""

    asked: Path
    file: Path
    index: RunIndex


def opened(old: Path, new: Path) -> tuple[RunFile, RunFile] | None:
    """Both runs; None if neither path is a run.

    Raises:
        UsageError: only one is a run.
    """
    from modelaudit.errors import UsageError

    runs = [_run_at(path) for path in (old, new)]
    before, after = runs
    if before and after:
        return before, after
    if before or after:
        run, other = (old, new) if before else (new, old)
        raise UsageError(
            f"{run} is a run and {other} is not; diff compares two models, two audit.json files, "
            "or two runs (their directories or index.json files)"
        )
    return None


def _run_at(path: Path) -> RunFile | None:
    """The run in a directory of reports or an `index.json`, if there is one.

    Raises:
        SchemaError: the index is malformed.
    """
    from modelaudit.errors import ReadError
    from modelaudit.formats.io.bounded import read_bytes
    from modelaudit.report.pages.index import RunIndex
    from modelaudit.schema import section

    file = path / "index.json" if path.is_dir() else path
    try:
        data = json.loads(read_bytes(file, MOST_BYTES)) if file.suffix == ".json" else None
    except (ReadError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("models"), list):
        return None
    return RunFile(path, file.resolve(), section(RunIndex, data, f"{file}: not a valid run index"))


def diff_runs(
    old: RunFile, new: RunFile, *, as_json: bool, html: Path | None, templates: Path | None
) -> bool:
    """Print which models changed; whether any did."""
    from modelaudit.registry.output_directory import write_atomic
    from modelaudit.report.pages.model_diff import render_diff_page
    from modelaudit.report.pages.run_diff import ComparedRun, build_run_diff
    from modelaudit.report.pages.run_diff_page import build_page
    from modelaudit.runs.write_reports import rule_infos

    names = path_differences(old.asked, new.asked)
    before, after = (
        ComparedRun(run.index, name, partial(_kept, run.file))
        for run, name in zip((old, new), names, strict=True)
    )
    found = build_run_diff(before, after, rule_infos())
    if html:
        page = render_diff_page(build_page(found, html.resolve().parent), templates_dir=templates)
        write_atomic(html, page.encode())
    say(json.dumps(_json(found), indent=2) if as_json else _text(found))
    return bool(found.changes)


def _kept(index: Path, row: IndexRow) -> KeptAudit:
    """What still exists of a model's reports, unless they belong to another run by now."""
    from modelaudit.errors import SchemaError
    from modelaudit.report.export.registry import per_model
    from modelaudit.report.pages.run_diff import KeptAudit
    from modelaudit.schema import load

    files = {kind: file for kind in per_model() if (file := _report(index, row.links.get(kind)))}
    try:
        audit = load(files["json"])
    except (KeyError, SchemaError):
        return KeptAudit()
    if not _is_of(audit, row):
        return KeptAudit()
    return KeptAudit(audit, str(next(iter(files.values()))))


def _report(index: Path, link: str | None) -> Path | None:
    """The file that an index links to, if it is one of the reports next to the index.

    The index is not trusted: it may name anything.
    """
    if link is None:
        return None
    runs = index.parent.parent
    reports = runs.parent if runs.name == "runs" else index.parent
    try:
        file = (index.parent / link).resolve()
        return file if file.is_relative_to(reports) and file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # not a path, or a symbolic link loop
        return None


def _is_of(audit: Audit, row: IndexRow) -> bool:
    """Whether an audit matches the row."""
    from modelaudit.result_row import result_row
    from modelaudit.runs.run_index import index_entry

    entry = index_entry(result_row(audit), ())
    said = [(e.path, e.verdict, e.reason, e.codes, e.counts) for e in (entry, row)]
    return said[0] == said[1]


def _json(found: RunDiff) -> Json:
    from modelaudit.audit_types.json_form import jsonable
    from modelaudit.report.pages.run_diff import as_json

    return jsonable(as_json(found))


def _text(found: RunDiff) -> str:
    width = min(columns(), WIDTH)
    lines = [wrapped(f"{found.old} -> {found.new}", width, "", "  ")]
    for heading, mine in found.groups():
        lines.append(heading.lower())
        for each in mine[:LISTED]:
            lines += _lines(each, width)
        if len(mine) > LISTED:
            lines.append(f"    and {len(mine) - LISTED:,} more (--json lists them all)")
    lines.append(f"{found.summary}, {found.same:,} unchanged")
    return "\n".join(lines)


def _lines(change: RunDiffEntry, width: int) -> list[str]:
    """One model: its verdicts, path, changes and reports."""
    states = [verdict_mark(side.verdict) for side in (change.old, change.new) if side]
    lines = [f"  {' -> '.join(states)}  {clean(change.path)}"]
    told = [*change.said, change.why] if change.why else change.said
    lines += [wrapped(each, width, "      ", "        ") for each in told]
    for which, side in (("old", change.old), ("new", change.new)):
        if side and side.report:
            lines.append(f"      {which} report: {clean(_near(Path(side.report)))}")
    return lines


def _near(path: Path) -> str:
    """A path as the user would type it: relative if it is below the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
