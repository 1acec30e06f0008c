"""One run out of runs over all shards of a registry: one history, one index, one set of files.

Nothing is audited: results and reports are those of the shards. A shard without a complete run is a
problem of the merged run, and what the run before knew of it becomes incomplete, not gone.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from modelaudit import clock
from modelaudit.errors import StoreError, UsageError
from modelaudit.facts import Problem, ProblemKind
from modelaudit.pipeline import incomplete_audit
from modelaudit.registry.output_directory import write_atomic
from modelaudit.registry.remote.address import Place
from modelaudit.report.export.registry import FORMATS, per_model
from modelaudit.result_row import ResultRow, result_row
from modelaudit.runs.cache import model_key
from modelaudit.runs.found_models import FoundModels
from modelaudit.runs.missing_models import known_target
from modelaudit.runs.recording.keep_run import BegunRun, keep_run
from modelaudit.runs.recording.shard_file import NAME, ShardFile, all_found, read_shard
from modelaudit.runs.run_result import Output, RunOptions, RunResult
from modelaudit.runs.write_reports import ReportOrder, SelectedFormats, report_writer
from modelaudit.schema import dumps
from modelaudit.settings import Settings
from modelaudit.settings.selection import Shard
from modelaudit.store.records import AuditRecord, ModelKey, StoredRun
from modelaudit.store.store import Store
from modelaudit.structs import replace

# Shards of one night begin together; jobs of a queue may wait.
STALE = datetime.timedelta(days=1)


class _CompleteShard(Struct, frozen=True):
    """One complete shard."""

    out: Output
    file: ShardFile
    run: StoredRun
    rows: dict[ModelKey, ResultRow]


def merge(
    outs: Sequence[Output],
    settings: Settings,
    output: Output,
    formats: SelectedFormats,
    *,
    keep: int,
    moved: bool = False,
    tell: Callable[[RunResult], None] = lambda _: None,
) -> RunResult:
    """Merge the runs over the shards of a registry into one run, with a history of its own.

    Args:
        outs: where they are, in any order.
        settings: waivers, expectations and policies, to say which have no effect.
        output: where the merged run is; reports are linked to, or copied into it.
        formats: reports on the run as a whole.
        keep: number of runs to keep in its history.
        moved: the registry of the earlier merges has moved to the path of the shards' runs.
        tell: receives the run before it counts as reported.

    Raises:
        UsageError: a directory is not the output of a shard; they are of different registries; a
            shard occurs twice; none is complete; or an output cannot be written.
        LockHeld: another run is writing there.
        StoreError: a history cannot be read or written.
    """
    if _same(output) in {_same(each) for each in outs}:
        said = "is the output of a shard; choose another directory for --out"
        raise UsageError(f"{output.place} {said}")
    files, problems = _shard_files(outs)
    first, told = next((each, file.told) for each, file in files.items())
    taken: dict[Shard, Output] = {}
    for each, file in files.items():
        theirs = file.told
        if (theirs.registry, theirs.shard.of) != (told.registry, told.shard.of):
            raise UsageError(
                f"{each.place} holds shard {theirs.shard} of {theirs.registry}, and "
                f"{first.place} shard {told.shard} of {told.registry}"
            )
        if theirs.shard in taken:
            both = f"{taken[theirs.shard].place} and {each.place}"
            raise UsageError(f"{both} both hold shard {theirs.shard}")
        taken[theirs.shard] = each
    parts, incomplete = _complete(files)
    problems += incomplete
    every = [Shard(number, told.shard.of) for number in range(1, told.shard.of + 1)]
    problems += [_problem(each, "no output of it was given") for each in every if each not in taken]
    if not parts:
        raise UsageError(f"no shard is complete: {problems[0].file}: {problems[0].detail}")
    found = _found(parts, problems, frozenset(every))
    created = clock.utc_now()
    command = "nightly" if all(part.file.told.command == "nightly" for part in parts) else "audit"
    probe = replace(settings.probe, enabled=all(part.file.told.probed for part in parts))
    settings = replace(settings, probe=probe)

    def store_results(begun: BegunRun) -> None:
        out = output.folder
        for part in parts:
            with Store.open_to_read(part.out.folder) as store:
                begun.store.take(begun.run, store.audits(part.run.id))
                audits = store.results(part.run.id)
                for place, row in part.rows.items():
                    _link_reports(part.out.folder, out, row.slug)
                    file = out / "models" / row.slug / FORMATS["json"].file
                    if not file.is_file():  # it was removed from the shard; its history has it
                        write_atomic(file, store.document(audits[place]).encode())
        _add_incomplete(begun, settings, created, out)

    return keep_run(
        *(told.registry, found, settings, created),
        RunOptions(output, formats, command, moved=moved, keep=keep),
        store_results=store_results,
        after_run=lambda ran, _: tell(ran),
        interrupted="merged; repeat the merge",
    )


def _same(output: Output) -> Place:
    """A place in a form in which equal ones are equal."""
    place = output.place
    return place.resolve() if isinstance(place, Path) else place


def _shard_files(outs: Sequence[Output]) -> tuple[dict[Output, ShardFile], list[Problem]]:
    """What the runs over shards left, and which directories have no complete run.

    Raises:
        UsageError: none has one, a file is damaged, or a directory is given twice.
    """
    files: dict[Output, ShardFile] = {}
    problems = []
    seen: set[Place] = set()
    for out in outs:
        if _same(out) in seen:
            raise UsageError(f"{out.place} is given twice")
        seen.add(_same(out))
        if file := read_shard(out.folder):
            files[out] = file
        else:
            said = f"no run with --shard was completed: it has no {NAME}"
            problems.append(Problem(ProblemKind.UNREADABLE, str(out.place), said))
    if not files:
        first = outs[0].place
        raise UsageError(f"{first} is not the output of a run with --shard: it has no {NAME}")
    return files, problems


def _complete(files: dict[Output, ShardFile]) -> tuple[list[_CompleteShard], list[Problem]]:
    """The shards whose last run is complete, in order, and why the others are not."""
    parts, problems = [], []
    for out, file in sorted(files.items(), key=lambda pair: pair[1].told.shard.number):
        try:
            with Store.open_to_read(out.folder) as store:
                last = store.runs()[-1]
                said = "" if last.is_whole else f"is {last.state.value}"
                if last.is_whole and last.id != file.told.run:
                    said = f"is not the one that {NAME} is of"
                if said:
                    said = f"its last run, of {last.started}, {said}: {out.place}"
                    problems.append(_problem(file.told.shard, said))
                    continue
                rows = store.rows(last.id)
                _check_slugs(out.place, file.told.shard, rows)
                parts.append(_CompleteShard(out, file, last, rows))
        except (StoreError, IndexError) as error:
            problems.append(_problem(file.told.shard, f"no history: {error}"))
    newest = max((_time(part.run) for part in parts), default=None)
    for part in parts:
        if newest and newest - _time(part.run) > STALE:
            began = part.run.started
            said = f"its last run is of {began}; other shards are newer: {part.out.place}"
            problems.append(_problem(part.file.told.shard, said))
    return parts, problems


def _check_slugs(out: Place, shard: Shard, rows: Mapping[ModelKey, ResultRow]) -> None:
    """Check that reports are inside `models`: the history comes from another machine."""
    for slug in (row.slug for row in rows.values()):
        if slug in ("", "..") or "\0" in slug or Path(slug).name != slug:
            raise UsageError(f"{out}: shard {shard} has a model in the directory {slug!r}")


def _time(run: StoredRun) -> datetime.datetime:
    return datetime.datetime.fromisoformat(run.started)


def _problem(shard: Shard, said: str) -> Problem:
    return Problem(ProblemKind.UNREADABLE, f"shard {shard}", said)


def _found(
    parts: list[_CompleteShard], problems: list[Problem], every: frozenset[Shard]
) -> FoundModels:
    """What all shards found; models of a shard without a result are not gone."""
    found = all_found([part.file for part in parts])
    targets = [known_target(place, row) for part in parts for place, row in part.rows.items()]
    return replace(
        found,
        targets=tuple(sorted(targets, key=lambda target: target.relative.encode())),
        problems=(*problems, *found.problems),
        missing=every - {part.file.told.shard for part in parts},
    )


def _link_reports(source: Path, out: Path, slug: str) -> None:
    """Link the reports of a model into `out`, or copy them; those of an earlier audit go."""
    here, there = source / "models" / slug, out / "models" / slug
    there.mkdir(parents=True, exist_ok=True)
    for name in per_model():
        old, new = here / FORMATS[name].file, there / FORMATS[name].file
        with suppress(FileNotFoundError):
            if _state(old) == _state(new):
                continue
        new.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # a format that was not written
            try:
                os.link(old, new)
            except FileNotFoundError:
                raise
            except OSError:  # another file system, or one without links
                shutil.copy2(old, new)


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _add_incomplete(begun: BegunRun, settings: Settings, created: str, out: Path) -> None:
    """Store that models are incomplete of which no shard has a result."""
    results = begun.store.results(begun.run)
    reason = "no shard has a result for it"
    for target in begun.found.targets:
        if (place := model_key(target)) in results:
            continue
        if begun.found.problems:
            first = begun.found.problems[0]
            reason = f"no shard has a result for it ({first.file}: {first.detail})"
        audit = incomplete_audit(target, settings, created, reason, not_run=reason)
        report_writer(ReportOrder(out, SelectedFormats((), {})))(audit)
        begun.store.add(begun.run, place, AuditRecord(result_row(audit), dumps(audit).encode()))
