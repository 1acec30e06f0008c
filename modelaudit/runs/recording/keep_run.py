"""One run in the history: its results, its comparison with the run before, and its index."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress

from msgspec import Struct

from modelaudit import __version__, clock
from modelaudit.changes.models import compare_runs
from modelaudit.errors import Interrupted, StoreError, UsageError
from modelaudit.exit_codes import ExitCode
from modelaudit.registry.cross_model import new_facts
from modelaudit.registry.output_directory import locked, remove_leftovers, remove_old_reports
from modelaudit.registry.remote.address import Place
from modelaudit.report.pages.verdict_trend import LAST
from modelaudit.result_row import ResultRow
from modelaudit.runs.cache import model_key
from modelaudit.runs.found_models import FoundModels
from modelaudit.runs.missing_models import (
    restored_versions,
    superseded_versions,
    unreachable_models,
)
from modelaudit.runs.run_index import RunOutcome, is_index_written, write_index
from modelaudit.runs.run_result import RunOptions, RunResult, exit_code_of_changes
from modelaudit.runs.scan import empty_version_notes, exit_code, unreadable_notes, worst_first
from modelaudit.runs.settings_notes import settings_notes
from modelaudit.settings import Settings
from modelaudit.store import cache_keys
from modelaudit.store.records import ModelKey, RunState, StoredRun
from modelaudit.store.store import Store
from modelaudit.structs import replace


class BegunRun(Struct, frozen=True):
    """A run that has a number but no results.

    Attributes:
        store: the history.
        run: the number of the run in it.
        registry: its registry.
        earlier: audits by model, if it resumes an earlier run.
        before: results of the run that it is compared with.
        found: its models, and those that it was compared with and that cannot be reached.
    """

    store: Store
    run: int
    registry: str
    earlier: Mapping[ModelKey, int]
    before: Mapping[ModelKey, ResultRow]
    found: FoundModels


def keep_run(
    registry: str,
    found: FoundModels,
    settings: Settings,
    created: str,
    order: RunOptions,
    *,
    store_results: Callable[[BegunRun], None],
    after_run: Callable[[RunResult, int], None],
    interrupted: str,
) -> RunResult:
    """Keep a run in the history: compare it with the one before it, and write its index.

    Args:
        registry: its name in the history.
        created: its ISO 8601 time in UTC.
        order: how the history is used.
        store_results: stores a result for each model.
        after_run: receives the complete run and its number, before it counts as reported.
        interrupted: of an interrupted run, what was done with its models, and how to go on.

    Raises:
        UsageError, LockHeld, Interrupted, StoreError: see `record_run`.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(locked(order.out))
        store = stack.enter_context(Store.open(order.out))
        sharded = settings.selection.shard is not None
        if sharded or order.command == "nightly":
            roots = {target.address or str(target.root) for target in found.targets}
            claim_registry(store, order, registry, roots, sharded=sharded)
        # A manual audit was reported to its user, not to the readers of the mails.
        # A run without models is not compared with either: a disk was not mounted. But a shard
        # without models may have had none before.
        base = store.last_reported(
            registry,
            "nightly" if order.command == "nightly" else "",
            empty=bool(found.elsewhere) and not found.targets,
        )
        before = store.rows(base.id) if base else {}
        present = {model_key(target) for target in found.targets}
        if found.targets or found.missing:
            hidden = unreachable_models(before, present, found.unread, found.missing)
            found = replace(found, targets=(*found.targets, *hidden))
        run, earlier = _begin(store, registry, created, order)
        try:
            store_results(BegunRun(store, run, registry, earlier, before, found))
            ended = _conclude(store, run, settings, created, order, found, base, before)
        except KeyboardInterrupt as signal:
            with suppress(StoreError):
                _finish(store, run, RunState.INTERRUPTED, started, ExitCode.INTERRUPTED, ())
            if _is_second(signal):
                raise
            raise _interrupted(store, run, created, order, found, interrupted) from signal
        except BaseException:
            with suppress(StoreError):  # the original error is reported
                _finish(store, run, RunState.INTERRUPTED, started, None, ())
            raise
        ran, notes = ended
        _finish(store, run, RunState.COMPLETE, started, ran.code, notes)
        order.output.publish()
        after_run(ran, run)
        store.mark_reported(run)
        store.forget(order.keep)
        if ran.audited or ran.changes:
            remove_old_reports(order.out, store.slugs(), order.keep)
    return ran


def _begin(
    store: Store, registry: str, created: str, order: RunOptions
) -> tuple[int, Mapping[ModelKey, int]]:
    """The run's number, and its existing results if it resumes an earlier run."""
    runs = store.runs()
    last = runs[-1] if runs else None
    if last and last.state is RunState.RUNNING:  # its process was killed: the lock was free
        remove_leftovers(order.out)
    if order.resume and last and not last.is_whole and last.registry == registry:
        store.resume(last.id, order.command)
        return last.id, store.results(last.id)
    tool = f"tf-modelaudit {__version__}"
    return store.begin(registry, order.command, tool, cache_keys.code_digest(), created), {}


def claim_registry(
    store: Store, order: RunOptions, registry: str, roots: Collection[str], *, sharded: bool
) -> None:
    """Check that the nightly runs into a directory, or all over a shard, are those of `registry`.

    Args:
        order: the directory, and whether the registry of the earlier runs has moved to this path.
        registry: the registry of the starting run.
        roots: the directories that its models are relative to.
        sharded: whether the run is over a shard.

    Raises:
        UsageError: they belong to another registry; or a registry of several directories has moved,
            so that the directories cannot be matched.
    """
    # The registry of the last such run, "" if there was none; else `audit` does not count
    nights = [run.registry for run in store.runs() if sharded or run.command == "nightly"]
    owner = nights[-1] if nights else ""
    if not owner or owner == registry:
        return
    if not order.moved:
        place = order.output.place
        said = f"{place} holds the audits of {owner}; use another --out directory for {registry}"
        if order.command == "nightly":
            said += ", or add --moved if this is the same registry at a new path"
        raise UsageError(said)
    last = store.last(owner, RunState.COMPLETE, RunState.REPORTED)
    before = {place.root for place in store.results(last.id)} if last else set()
    if len(before) > 1 or len(roots) > 1:
        raise UsageError("--moved requires a registry of a single directory")
    store.move((owner, registry), *zip(before, roots, strict=False))


def _is_second(signal: BaseException) -> bool:
    """Whether this is a second interrupt during the first: then the run ends at once."""
    while earlier := signal.__context__:
        if isinstance(earlier, KeyboardInterrupt):
            return True
        signal = earlier
    return False


def _interrupted(
    store: Store, run: int, created: str, order: RunOptions, found: FoundModels, said: str
) -> Interrupted:
    """Write an index of the results of an interrupted run, and say how far it got.

    Without any results, the index of an earlier run stays.
    """
    shown = {model_key(target): target.shown for target in found.targets}
    with suppress(OSError, UsageError, StoreError):  # the interrupt is reported
        rows_of = store.rows(run)
        rows = worst_first([rows_of[place] for place in shown if place in rows_of])
        missing = tuple(path for place, path in shown.items() if place not in rows_of)
        so_far = f"{len(rows):,} of {len(shown):,} models"
        if rows and missing:
            reasons = (f"interrupted after {so_far}",)
            outcome = RunOutcome(ExitCode.INTERRUPTED, reasons, missing=missing)
            write_index(order.out, rows, found, order.formats, outcome, created)
        return Interrupted(f"{so_far} {said}")
    return Interrupted("no results could be written")


def _conclude(
    store: Store,
    run: int,
    settings: Settings,
    created: str,
    order: RunOptions,
    found: FoundModels,
    base: StoredRun | None,
    before: Mapping[ModelKey, ResultRow],
) -> tuple[RunResult, list[str]]:
    """Compare with the previous run, write the index if it changed, and return all notes."""
    present = {model_key(target) for target in found.targets}
    # A resumed run may have results of models that have disappeared since it started.
    store.drop(run, [place for place in store.results(run) if place not in present])
    after = store.rows(run)
    copies = {target.address: target.root for target in found.targets if target.address}
    newer = {
        **dict(superseded_versions(before, after, copies, found.older)),
        **dict(restored_versions(before, after)),
    }
    rows = worst_first(after.values())
    code, reasons = exit_code(rows, found)
    notes = [
        *unreadable_notes(found),
        *empty_version_notes(found),
        *settings_notes(settings, found, rows, created),
    ]
    *earlier, this = store.runs()
    ran = RunResult(
        rows=rows,
        found=found,
        code=code,
        exit_code=code,
        output=order.output,
        formats=order.formats,
        audited=this.audited,
        since=base.started if base else "",
        before=len(before),
        changes=compare_runs(before, after, newer) if base and (after or found.elsewhere) else (),
        across=new_facts([*before.values()], rows),
        notes=tuple(note for note in notes if base is None or note not in base.notes),
        beside=other_registry_note(earlier, order.output.place, this.registry),
        nightly=order.command == "nightly",
    )
    if ran.nightly:
        ran = replace(ran, exit_code=exit_code_of_changes(ran))
    # Otherwise the index belongs to another registry, or to an interrupted run.
    ours = any(each.registry == this.registry and each.is_whole for each in earlier[-1:])
    if ran.audited or not (ran.quiet and ours and is_index_written(order.out, order.formats)):
        told = _trend(store, this)
        outcome = RunOutcome(code, tuple(reasons), ran.since, ran.changes, trend=told)
        write_index(order.out, rows, found, order.formats, outcome, created)
    return ran, notes


def _trend(store: Store, this: StoredRun) -> tuple[tuple[str, Mapping[str, int]], ...]:
    """The registry's last complete runs and this one: start time and verdicts."""
    runs = [run for run in store.runs(this.registry) if run.is_whole or run.id == this.id]
    counts = store.verdicts(run.id for run in runs[-LAST:])
    return tuple((run.started, counts.get(run.id, {})) for run in runs[-LAST:])


def _finish(
    store: Store, run: int, state: RunState, started: float, code: int | None, notes: Sequence[str]
) -> None:
    seconds = round(time.monotonic() - started, 3)
    store.finish(run, state, finished=clock.utc_now(), seconds=seconds, exit_code=code, notes=notes)


def other_registry_note(runs: Sequence[StoredRun], out: Place, registry: str) -> str:
    """A note if the last run into `out` was of another registry, otherwise ""."""
    if not runs or runs[-1].registry == registry:
        return ""
    return f"{out} also holds audits of {runs[-1].registry}; its index now shows {registry}"
