"""One run over many models: parallel audits, and their outcome."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit.errors import UsageError
from modelaudit.exit_codes import ExitCode, worst
from modelaudit.facts import Json
from modelaudit.findings import WORST_FIRST
from modelaudit.registry.remote.address import Place
from modelaudit.result_row import ResultRow, row_to_json, tally
from modelaudit.runs.found_models import FoundModels, find_models
from modelaudit.runs.progress import SILENT, Progress
from modelaudit.runs.settings_notes import settings_notes
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import NotebookResult
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from modelaudit.runs.batch import FinishedModel
    from modelaudit.runs.cache_notes import CachedProbe
    from modelaudit.runs.write_reports import ReportOrder


class ScanResult(NotebookResult, frozen=True):
    """A finished run: its rows, worst first, and how it ends.

    `notes` are sentences on entries of the settings that somebody should look at.
    """

    rows: list[ResultRow]
    found: FoundModels
    code: ExitCode
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """How many models, and their verdicts."""
        return f"<ScanResult {tally(self.rows)}>"


def scan(
    paths: tuple[Place, ...],
    settings: Settings,
    created: str,
    *,
    progress: Progress = SILENT,
    log_file: Path | None = None,
    all_versions: bool = False,
) -> ScanResult:
    """Audit every model under `paths` statically; write nothing.

    Raises:
        UsageError: a path does not exist, or the log cannot be written.
    """
    check_log(log_file)
    found = find_models(paths, settings, all_versions=all_versions)
    rows = []
    for finished in audit_with_progress(found.targets, settings, created, progress=progress):
        rows.append(finished.row)
        if log_file:
            append_log_line(log_file, row_to_json(finished.row), created)
    rows = worst_first(rows)
    notes = settings_notes(settings, found, rows, created)
    return ScanResult(rows, found, exit_code(rows, found)[0], tuple(notes))


def audit_with_progress(
    targets: Sequence[AuditTarget],
    settings: Settings,
    created: str,
    *,
    progress: Progress = SILENT,
    reports: ReportOrder | None = None,
    recalled: Mapping[Path, CachedProbe] | None = None,
    known: Collection[str] | None = None,
) -> Generator[FinishedModel]:
    """Audit every target and yield each when it is done; see `batch.audit_all`.

    What audits a model is imported here: a run that finds none, or knows them all, starts sooner.

    With `reports`, which the engine of the settings writes, that may be a cluster.
    """
    with ExitStack() as stack:
        # Before the runtimes start, which takes seconds.
        stack.callback(progress.end)
        progress.begin(len(targets))
        if not targets:
            return
        shown = recalled or {}
        run = settings.probe.enabled and any(target.path not in shown for target in targets)
        roots = {place for each in targets for place in (each.root, each.path.parent)}
        if reports and settings.engine.name == "ray":
            from modelaudit.runs.cluster.messages import NodeOrder
            from modelaudit.runs.cluster.ray_engine import audit_on_ray

            told = None if known is None else tuple(sorted(known))
            formats = tuple({target.format for target in targets})
            order = NodeOrder(settings, created, reports, tuple(sorted(roots)), told, run, formats)
            work = audit_on_ray(targets, order, shown, progress)
        else:
            from modelaudit.runs.batch import audit_all

            probe = deliver = None
            if reports:
                from modelaudit.runs.write_reports import report_writer

                deliver = report_writer(reports)
            if run:
                from modelaudit.probe.run import local_probe

                probe = stack.enter_context(local_probe(settings, roots))
            work = audit_all(
                *(targets, settings, created),
                probe=probe,
                deliver=deliver,
                recalled=shown,
                known=known,
                progress=progress,
            )
        stack.callback(work.close)
        for finished in work:
            progress.advance(finished.target.shown)
            yield finished


def check_log(log_file: Path | None) -> None:
    """Check before the work that the log can be written.

    Raises:
        UsageError: it cannot.
    """
    if log_file is None:
        return
    try:
        log_file.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"cannot write to {log_file}: {error.strerror}") from error


def append_log_line(path: Path, row: Mapping[str, Json], created: str) -> None:
    """Append one JSON line in a single write: a killed run leaves complete lines.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("ab", buffering=0) as handle:
        handle.write(json.dumps({"time": created, **row}).encode() + b"\n")


def exit_code(rows: Sequence[ResultRow], found: FoundModels) -> tuple[ExitCode, list[str]]:
    """The run's exit code and the reasons for it.

    A path that could not be searched makes the run incomplete: it may contain a model.
    """
    codes = [row.exit for row in rows] + [ExitCode.INCOMPLETE] * len(found.problems)
    if not rows and not found.elsewhere:
        codes.append(ExitCode.NO_MODEL)
    code = worst(codes)
    reasons = [f"{row.path}: {row.reason}" for row in rows if row.exit == code != 0]
    if code == ExitCode.INCOMPLETE:
        reasons += [f"{problem.file}: {problem.detail}" for problem in found.problems]
    if code == ExitCode.NO_MODEL:
        reasons.append("no model found")
    return code, reasons


def worst_first(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Rows by verdict, then by severity of the findings, then by path."""

    def key(row: ResultRow) -> tuple[object, ...]:
        counts = row.severities
        found = [-counts[level] for level in ("critical", "high", "medium", "low")]
        return (WORST_FIRST.index(row.verdict), found, row.path)

    return sorted(rows, key=key)


def unreadable_notes(found: FoundModels) -> list[str]:
    """A sentence for every path that could not be audited."""
    return [f"not audited: {clean(p.file)} ({clean(p.detail)})" for p in found.problems]


def empty_version_notes(found: FoundModels) -> list[str]:
    """A sentence for every version that a server would load but that holds no model."""
    return [
        f"no model to serve: {clean(path)} ({clean(why)})" for path, why in found.empty_versions
    ]
