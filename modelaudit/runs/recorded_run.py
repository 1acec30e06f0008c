"""A run with reports and history: reuses earlier audits, stores results, finds changes.

The directory of a nightly run belongs to one registry, or to one shard of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path

from modelaudit import clock
from modelaudit.errors import StoreError
from modelaudit.probe.host.runtime import require_runtime
from modelaudit.registry.isolated_sniff import NOTHING_KNOWN, KnownFormats
from modelaudit.registry.remote.address import Place, full_name
from modelaudit.result_row import ResultRow, row_to_json
from modelaudit.runs.cache import AuditCache, model_key
from modelaudit.runs.found_models import FoundModels, find_models
from modelaudit.runs.progress import SILENT, Progress
from modelaudit.runs.recording.keep_run import BegunRun, keep_run
from modelaudit.runs.recording.shard_file import ShardRun, write_shard
from modelaudit.runs.run_result import RunOptions, RunResult
from modelaudit.runs.scan import append_log_line, audit_with_progress, check_log
from modelaudit.runs.write_reports import ReportOrder
from modelaudit.settings import Settings
from modelaudit.store import cache_keys
from modelaudit.store.records import ModelKey
from modelaudit.store.store import NAME, Store


def record_run(
    paths: tuple[Place, ...],
    settings: Settings,
    created: str,
    order: RunOptions,
    *,
    progress: Progress = SILENT,
    log_file: Path | None = None,
    tell: Callable[[RunResult], None] = lambda _: None,
) -> RunResult:
    """Audit what must be audited under `paths`, and store every result immediately.

    Args:
        paths: a registry, or several.
        created: its ISO 8601 time in UTC.
        order: how the history is used.
        log_file: receives a JSON line for every audited model.
        tell: receives the finished run; the run counts as reported only after it returns, so that
            the next run reports what a killed run found.

    Raises:
        UsageError: a path does not exist, an output cannot be written, or the directory belongs to
            the nightly runs of another registry.
        LockHeld: another run writes to the same directory.
        Interrupted: the run was stopped; an index of its results so far is written.
        StoreError: the history cannot be read or written.
        MissingPackage: models are to be run, and TensorFlow is not installed.
    """
    check_log(log_file)
    if settings.probe.enabled:
        require_runtime()
    paths = tuple(sorted(paths, key=full_name))  # the same registry in any order
    apart = order.output.place
    registry, shard = registry_name(paths), settings.selection.shard
    name = f"{registry} shard {shard}" if shard else registry
    found = find_models(
        *(paths, settings),
        apart=apart,
        all_versions=order.all_versions,
        known=_known_formats(name, order),
    )

    def store_results(begun: BegunRun) -> None:
        store, run, here = begun.store, begun.run, begun.found
        memory = AuditCache(store, run, settings, created, order.out, order.formats)
        only = None if order.reuse else begun.earlier
        plan = memory.plan(here.targets, verify=order.verify, only=only)
        known = _known(store, begun.registry, begun.before, order) if plan.todo else None
        work = audit_with_progress(
            *(plan.todo, settings, created),
            progress=progress,
            reports=ReportOrder(order.out, order.formats, _moved(begun.before, here)),
            recalled=plan.recalled,
            known=known,
        )
        with closing(work):  # an interrupt stops the workers before it is reported
            for finished in work:
                memory.add(finished)
                if log_file:
                    append_log_line(log_file, row_to_json(finished.row), created)

    def after_run(ran: RunResult, run: int) -> None:
        if shard:
            told = ShardRun(shard, registry, run, order.command, settings.probe.enabled)
            write_shard(order.out, told, ran.found)
        tell(ran)

    how = "the next run continues" if order.reuse else "continue with --resume"
    return keep_run(
        *(name, found, settings, created, order),
        store_results=store_results,
        after_run=after_run,
        interrupted=f"audited; {how}",
    )


def record_night(
    paths: tuple[Place, ...],
    settings: Settings,
    order: RunOptions,
    *,
    progress: Progress = SILENT,
    log_file: Path | None = None,
    tell: Callable[[RunResult], None] = lambda _: None,
) -> RunResult:
    """`record_run` now, with a line on the run in the log."""
    created = clock.utc_now()
    ran = record_run(
        paths, settings, created, order, progress=progress, log_file=log_file, tell=tell
    )
    if log_file:
        counts = {"models": len(ran.rows), "audited": ran.audited, "changed": len(ran.changes)}
        append_log_line(log_file, {"event": "run", **counts, "exit": ran.exit_code.value}, created)
    return ran


def _known_formats(registry: str, order: RunOptions) -> KnownFormats:
    """Formats of files as the last run found them, for a run that may rely on their states."""
    if not order.reuse or order.verify or not (order.out / NAME).is_file():
        return NOTHING_KNOWN
    try:
        with Store.open_to_read(order.out) as store:
            files = store.known_files(registry, cache_keys.code_digest())
            return KnownFormats(
                {f"{place.root}/{place.path}": (text, form) for place, text, form in files}
            )
    except StoreError:  # whatever it is, opening the history for the run says so
        return NOTHING_KNOWN


def _moved(before: Mapping[ModelKey, ResultRow], found: FoundModels) -> dict[str, str]:
    """Slugs of models that no longer exist, by the digests of their files and weights."""
    present = {model_key(target) for target in found.targets}
    return {
        digest: row.slug
        for place, row in before.items()
        for digest in row.digests
        if place not in present and digest
    }


def _known(
    store: Store, registry: str, before: Mapping[ModelKey, ResultRow], order: RunOptions
) -> frozenset[str] | None:
    """Digests of models that were already reported, for nightly runs.

    A manual audit reports everything at once, because all files of a fresh checkout are new.
    """
    last = store.last_reported(registry)
    if order.command != "nightly" or order.moved or not before or last is None:
        return None
    rows = (*before.values(), *store.rows(last.id).values())
    return frozenset(str(row.sha256) for row in rows)


def registry_name(paths: Collection[Place]) -> str:
    """One name for the same directories and URLs in any order."""
    return ", ".join(sorted({full_name(path) for path in paths}))
