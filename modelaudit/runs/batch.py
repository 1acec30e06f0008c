"""Many models: from paths to rows, with everything in between.

This is where the packages meet: discovery, workers, the pipeline, the renderers and the output
directory know nothing of each other.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from msgspec import Struct, field

from modelaudit.errors import UsageError
from modelaudit.exit_codes import ExitCode
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.file_formats import Format
from modelaudit.findings import RuleResult, Verdict
from modelaudit.formats.reader import import_readers, unreadable_artifact
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.pipeline import (
    CHANGED_WHILE_READ,
    Probe,
    audit_model,
    finish_audit,
    incomplete_audit,
    run_all_rules,
    static_facts,
    targets_of,
)
from modelaudit.registry.snapshot import allowance
from modelaudit.result_row import ResultRow, result_row, row_from_json, row_to_json
from modelaudit.rules.model import Facts
from modelaudit.runs.cache_notes import AuditMonitor, CachedProbe
from modelaudit.runs.progress import SILENT, Progress
from modelaudit.runtimes.predict import read_profiles
from modelaudit.schema import Audit
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store.typed_json import decode, encode
from modelaudit.structs import replace
from modelaudit.terminal_text import clean
from modelaudit.workers import task_allowance, worker_pool
from modelaudit.workers.shared_work import WorkOfArchives
from modelaudit.workers.task_results import TaskResult

# Receives a finished audit, in the worker that made it.
AuditHandler = Callable[[Audit], None]

RENDER_SECONDS = 120.0
# Reason for a model that is being written: it is neither damaged nor usable.
BEING_COPIED = """it is incomplete and was modified less than five minutes ago, so it may still be \
copied; the next nightly run fails it if it is unchanged"""


class FinishedModel(NamedTuple):
    """One model's row, and the data to reuse its audit; `notes` is {} if it cannot be reused.

    See `AuditMonitor.notes`.
    """

    target: AuditTarget
    row: ResultRow
    notes: Mapping[str, Json]


class _AuditAttempt(Struct, frozen=True):
    """One model, and what an earlier run knows of it.

    `again`: the first attempt was disturbed, which found `kept` on security.
    """

    target: AuditTarget
    recalled: CachedProbe | None = None
    again: bool = False
    kept: tuple[RuleResult, ...] = ()

    def to_bytes(self) -> bytes:
        """For a worker that was forked before this model came up."""
        return json.dumps(encode(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`."""
        return decode(cls, json.loads(data))


class _Work(Struct, frozen=True):
    """What a worker process does with each model; see `audit_all`."""

    settings: Settings
    created: str
    probe: Probe | None
    deliver: AuditHandler | None
    known: Collection[str] | None
    progress: Progress
    archives: WorkOfArchives = field(default_factory=WorkOfArchives)

    def __call__(self, attempt: _AuditAttempt) -> dict[str, Json]:
        """The row and notes for a later run, or why there are none."""
        target, shown, again = attempt.target, attempt.recalled, attempt.again
        # Second try: recalled results are for other bytes.
        earlier, asked = (None, shown is not None) if again else (shown, False)
        found = attempt.kept
        recorded = self.deliver is not None  # a scan records nothing that could be reused

        def keep(kept: tuple[RuleResult, ...]) -> None:
            nonlocal found
            found = kept
            worker_pool.keep(encode(kept))

        try:
            probe = self.probe and task_allowance.uncounted(self.probe)
            watch = AuditMonitor(
                *(target.path, self.settings.limits, probe, earlier), asked=asked, reused=recorded
            )
            audit = audit_model(target, self.settings, self.created, watch.probe, keep, found)
        except MemoryError:  # the worker's limit, which the worker reports
            raise
        except Exception as error:
            keep(judged_files(target, self.settings, found))
            return {"bug": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        if not watch.files_unchanged(patient=audit.verdict is Verdict.FAIL):
            if not again:
                return {"disturbed": True}
            audit = incomplete_audit(
                *(target, self.settings, self.created, CHANGED_WHILE_READ),
                kept=found,
                changed_while_run=watch.changed_while_run,
            )
        elif self.known is not None and (digest := watch.half_written(audit, self.known)):
            audit = incomplete_audit(target, self.settings, self.created, BEING_COPIED, digest)
        row = result_row(audit)
        try:
            if self.deliver:
                task_allowance.uncounted(self.deliver)(audit)  # pages take longer than files
        except (OSError, UsageError) as error:  # full disk, invalid template
            return {"unwritten": str(error)}
        except Exception as error:
            trace = traceback.format_exc()
            reason = f"its report could not be created: {type(error).__name__}: {error}"
            row = replace(row, exit=ExitCode.INTERNAL.value, reason=f"{reason}. {audit.reason}")
            return {"row": row_to_json(row), "trace": trace}
        return {"row": row_to_json(row), "notes": watch.notes(audit) if recorded else {}}

    def ended(self, attempt: _AuditAttempt, done: TaskResult) -> FinishedModel | _AuditAttempt:
        """What a worker's result means, or the attempt that has to follow.

        Raises:
            UsageError: a report cannot be written.
        """
        target, value = attempt.target, done.value or {}
        if "trace" in value:
            self.progress.warn(f"{clean(target.shown)}: {value['trace']}")
        if value.get("disturbed"):
            return replace(attempt, again=True, kept=_kept_results(done.kept))
        if "unwritten" in value:
            raise UsageError(f"cannot write a report: {value['unwritten']}")
        row, notes = value.get("row"), value.get("notes")
        if isinstance(row, dict):
            reusable = notes if isinstance(notes, dict) else {}
            return FinishedModel(target, row_from_json(row), reusable)
        bug = value.get("bug")
        reason = done.lost or f"internal error in modelaudit ({bug}); please report this"
        kept = _kept_results(done.kept)
        about = (target, self.settings, self.created, reason)
        if bug or done.phase:  # the file was read
            why = "modelaudit failed" if bug else "it was being written"
            audit = incomplete_audit(*about, kept=kept, not_run=why)
        else:
            audit = lost_model_audit(*about, done.limit, kept)
        if self.deliver:
            self.deliver(audit)
        lost = result_row(audit)
        code = ExitCode.INTERNAL.value if bug else lost.exit
        return FinishedModel(target, replace(lost, exit=code), {})

    def run(
        self,
        attempts: Iterable[_AuditAttempt],
        *,
        jobs: int,
        packing: worker_pool.Packing[_AuditAttempt] | None = None,
    ) -> Iterator[TaskResult]:
        """Make the attempts in worker processes."""
        limits = self.settings.limits

        def allowed(attempt: _AuditAttempt) -> task_allowance.Allowance:
            target = attempt.target
            return allowance(filter(None, (target.path, target.previous, *target.sources)), limits)

        return worker_pool.run_tasks(
            *(attempts, self),
            jobs=jobs,
            seconds=model_seconds(self.settings, run=self.probe is not None),
            memory=limits.read_memory,
            allowed=allowed,
            shared=lambda attempt: self.archives.of(attempt.target.archive, limits.work),
            packing=packing,
        )


def prepare(settings: Settings, formats: Iterable[Format | None]) -> None:
    """Import and read what audits of these formats need, so that no worker forked later has to."""
    import_readers(formats)
    read_profiles(targets_of(settings), tuple(map(Path, settings.profiles)))
    read_source_code(settings.source_code)


def audit_all(
    targets: Sequence[AuditTarget],
    settings: Settings,
    created: str,
    *,
    probe: Probe | None = None,
    deliver: AuditHandler | None = None,
    recalled: Mapping[Path, CachedProbe] | None = None,
    known: Collection[str] | None = None,
    progress: Progress = SILENT,
) -> Generator[FinishedModel]:
    """Audit every target and yield rows as they come.

    A model that crashes its worker gets its row from the parent, so none is missing. One that was
    modified during its audit is audited again after the others: the first audit may have seen half
    a file, which is neither damaged nor usable.

    Args:
        targets: the models, in the order in which they are started.
        settings: of the run; each model is audited with the settings for its path.
        created: ISO 8601 time in UTC for the audits.
        probe: runs models; None runs none.
        deliver: receives every finished audit.
        recalled: earlier results of running a model, by path, so that it need not be run again.
        known: digests of models from the previous run; if given, an incomplete model that was just
            modified is assumed to be still copied, unless it is among them.
        progress: receives warnings about internal errors.

    Raises:
        UsageError: a report cannot be written, so that continuing is pointless.
    """
    prepare(settings, {target.format for target in targets})
    work, shown = _Work(settings, created, probe, deliver, known, progress), recalled or {}
    disturbed: list[_AuditAttempt] = []
    for attempts in ([_AuditAttempt(each, shown.get(each.path)) for each in targets], disturbed):
        if not attempts:
            continue
        for done in work.run(attempts, jobs=settings.jobs):
            ended = work.ended(attempts[done.index], done)
            if isinstance(ended, _AuditAttempt):
                disturbed.append(ended)
            else:
                yield ended


def audit_each(
    tasks: Iterable[tuple[AuditTarget, CachedProbe | None]],
    settings: Settings,
    created: str,
    *,
    probe: Probe | None = None,
    deliver: AuditHandler | None = None,
    known: Collection[str] | None = None,
    progress: Progress = SILENT,
) -> Generator[FinishedModel]:
    """`audit_all` for models that come up one by one: the next is asked for after a row is taken.

    One worker audits one after another, until a model crashes it. A model that was modified during
    its audit is audited again at once. What a new worker needs is best prepared before (`prepare`).

    Args:
        tasks: each model, and its earlier result of running it.
        settings, created, probe, deliver, known, progress: see `audit_all`.

    Raises:
        UsageError: see `audit_all`.
    """
    work = _Work(settings, created, probe, deliver, known, progress)
    current: list[_AuditAttempt] = []

    def attempts() -> Iterator[_AuditAttempt]:
        for target, recalled in tasks:
            import_readers({target.format})
            current[:] = [_AuditAttempt(target, recalled)]
            while current:
                yield current[0]

    packing = worker_pool.Packing(_AuditAttempt.to_bytes, _AuditAttempt.from_bytes)
    for done in work.run(attempts(), jobs=1, packing=packing):
        ended = work.ended(current.pop(), done)
        if isinstance(ended, _AuditAttempt):
            current.append(ended)
        else:
            yield ended


def model_seconds(settings: Settings, *, run: bool) -> float:
    """How long one audit may take, in seconds of wall clock; `run`: the model is also run."""
    running = max_load_attempts(settings) * settings.probe.timeout if run else 0.0
    return settings.limits.read_seconds + RENDER_SECONDS + running


def max_load_attempts(settings: Settings) -> int:
    """How often a model may be loaded: in two installed runtimes, and by three calls in others.

    With the user's data, an export and its source are loaded once more.
    """
    pair = 2 if settings.probe.data else 0
    return pair + (2 + 3 * (2 + len(settings.runtimes)) if settings.runtimes else 2)


def _kept_results(kept: Json) -> tuple[RuleResult, ...]:
    """Findings that a worker gave before it ran a model."""
    return tuple(decode(RuleResult, each) for each in kept) if isinstance(kept, list) else ()


def judged_files(
    target: AuditTarget, settings: Settings, found: tuple[RuleResult, ...]
) -> tuple[RuleResult, ...]:
    """The findings about the model's own files, for an audit that a bug ended.

    `found` are those on security from before: all there are if the bug is in reading or judging.
    """
    try:
        settings = settings.for_model(target.relative, target.path)
        results = run_all_rules(static_facts(target.path, settings))
    except MemoryError:
        raise
    except Exception:  # the same bug, which is reported already
        return found
    return (*found, *(each for each in results if each.findings))


def lost_model_audit(
    target: AuditTarget,
    settings: Settings,
    created: str,
    reason: str,
    limit: str = "",
    kept: tuple[RuleResult, ...] = (),
) -> Audit:
    """The audit of a model whose worker crashed or hit a limit, with the findings before that."""
    kind = ProblemKind.LIMIT_EXCEEDED if limit else ProblemKind.UNREADABLE
    told: dict[str, Json] = {"limit": limit, "setting": limit} if limit else {}
    problem = Problem(kind, target.path.name, reason, evidence=told)
    artifact = unreadable_artifact(target.path, problem)
    facts = Facts(artifact, settings, probe_skipped="it could not be read", kept=kept)
    return finish_audit(facts, target, created, {})
