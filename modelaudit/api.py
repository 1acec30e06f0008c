"""The library calls, which the command line uses as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit import clock
from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import ProblemKind
from modelaudit.findings import RuleResult, Verdict
from modelaudit.registry.remote.address import Place, place_of
from modelaudit.runs.found_models import find_models
from modelaudit.runs.progress import SILENT, Progress
from modelaudit.schema import Audit
from modelaudit.settings import Nightly, Settings
from modelaudit.structs import replace

if TYPE_CHECKING:
    from modelaudit.audit_types.diagnosis import Diagnosis
    from modelaudit.audit_types.repair import Repair
    from modelaudit.pipeline import Probe
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.runs.compare_models import ModelDiff
    from modelaudit.runs.run_result import RunResult
    from modelaudit.runs.scan import ScanResult
    from modelaudit.settings.audit_target import AuditTarget

AnyPath = str | PathLike[str]


def audit(
    path: AnyPath, settings: Settings | None = None, *, all_versions: bool = False
) -> Iterator[Audit]:
    """Audit every model at or under `path`, in byte order of the paths.

    Models are read in this process, one after another, and run (unless `settings` says not to)
    in isolated child processes. A model that is modified meanwhile is audited again, and is
    incomplete if that happens twice. `scan` and `nightly` survive crashes of the readers.

    Args:
        path: a model, or a directory of models; also a URL such as `s3://bucket/models`.
        settings: limits and probe settings; the defaults are the command line's.
        all_versions: audit every version in a directory of versions (as TF-Serving has them), not
            only the newest.

    Yields:
        One audit for each model.

    Raises:
        UsageError: the path does not exist.
    """
    from modelaudit.probe.run import local_probe

    settings = settings or Settings()
    targets = find_models((place_of(path),), settings, all_versions=all_versions).targets
    created = clock.utc_now()
    roots = {each for target in targets for each in (target.root, target.path.parent)}
    with local_probe(settings, roots) as probe:
        for target in targets:
            yield _at_rest(target, settings, created, probe)


def _at_rest(target: AuditTarget, settings: Settings, created: str, probe: Probe) -> Audit:
    """The audit of one model, repeated once if the model was modified meanwhile."""
    from modelaudit.pipeline import CHANGED_WHILE_READ, audit_model, incomplete_audit
    from modelaudit.runs.cache_notes import AuditMonitor

    found: tuple[RuleResult, ...] = ()

    def keep(kept: tuple[RuleResult, ...]) -> None:
        nonlocal found
        found = kept

    for _ in range(2):
        watch = AuditMonitor(target.path, settings.limits, probe, None)
        audit = audit_model(target, settings, created, watch.probe, keep, found)
        if watch.files_unchanged(patient=audit.verdict is Verdict.FAIL):
            return audit
    return incomplete_audit(
        *(target, settings, created, CHANGED_WHILE_READ),
        kept=found,
        changed_while_run=watch.changed_while_run,
    )


def scan(
    paths: AnyPath | Iterable[AnyPath],
    settings: Settings | None = None,
    *,
    all_versions: bool = False,
    progress: Progress = SILENT,
    log_file: AnyPath | None = None,
) -> ScanResult:
    """Check every model at or under `paths` by its files alone. Runs no model, writes no report.

    Models are read in worker processes that are forked from this one, `settings.jobs` at a time. A
    model that crashes its reader costs only its own row.

    Args:
        paths: models and directories of models, also URLs.
        settings: limits and policies; the defaults are the command line's.
        all_versions: see `audit`.
        progress: is called as models are finished.
        log_file: receives one JSON line per model.

    Returns:
        One row for each model, worst first, and the exit code of `modelaudit scan`.

    Raises:
        UsageError: a path does not exist, or the log cannot be written.
    """
    from modelaudit.runs.scan import scan as scan_models

    settings = settings or Settings()
    return scan_models(
        _paths(paths),
        replace(settings, probe=replace(settings.probe, enabled=False)),
        clock.utc_now(),
        progress=progress,
        log_file=Path(log_file) if log_file else None,
        all_versions=all_versions,
    )


def explain(path: AnyPath, settings: Settings | None = None) -> Diagnosis:
    """Diagnose the model at `path`: causes ranked, their evidence, what to try next.

    Args:
        path: one model.
        settings: limits and probe settings; the defaults are the command line's.

    Returns:
        The diagnosis that `modelaudit explain` prints and that an audit of the model contains.

    Raises:
        UsageError: there is not exactly one model at the path.
        ReadError: the model crashed its reader, or a limit was exceeded.
    """
    from modelaudit.runs.explain import explanations

    found = list(explanations(place_of(path), settings or Settings()))
    if len(found) != 1:
        raise UsageError(f"{path} contains {len(found)} models; explain takes one")
    (answer,) = found
    if answer.diagnosis is None:
        raise ReadError(ProblemKind.UNREADABLE, str(path), answer.failure)
    return answer.diagnosis


def repair(
    path: AnyPath, target: str, out: AnyPath | None = None, settings: Settings | None = None
) -> Repair:
    """Write a file that a runtime loads as the same model as the one at `path`, and prove it.

    Args:
        path: one model.
        target: the runtime: `tf==2.21`, `tf-keras==2.21`, `tf==2.18+keras==3.8`.
        out: the new file; its suffix (.h5 or .keras) is its format. By default a file beside the
            original, named after the target: `model-tf-2.21.h5`.
        settings: limits and runtimes; the defaults are the command line's.

    Returns:
        What was changed and compared. A file was written only if the status is `repaired`; its
        path is in `out`, and the same information in a JSON file beside it.

    Raises:
        UsageError: the target is unknown, there is not exactly one model at the path, or the new
            file exists.
    """
    from modelaudit.runs.repair import repairs

    source = place_of(path)
    if out is None:
        if not isinstance(source, Path):
            raise UsageError(f"a repair of {source} needs the path of the new file")
        suffix = source.suffix if source.suffix in (".h5", ".keras") else ".keras"
        out = source.with_name(
            f"{source.stem}-{target.replace('==', '-').replace('+', '-')}{suffix}"
        )
    found = list(repairs(source, target, place_of(out), settings or Settings()))
    if len(found) != 1:
        raise UsageError(f"{path} contains {len(found)} models; repair takes one")
    return found[0]


def nightly(
    registry: AnyPath | Iterable[AnyPath],
    out: AnyPath,
    settings: Settings | None = None,
    *,
    formats: Sequence[str] = (),
    options: ReportOptions | None = None,
    all_versions: bool = False,
    verify: bool = False,
    moved: bool = False,
    keep: int = Nightly().keep,
    progress: Progress = SILENT,
    log_file: AnyPath | None = None,
    on_finish: Callable[[RunResult], None] = lambda _: None,
) -> RunResult:
    """Audit what changed in a registry since the last call, and write reports and the history.

    Models are not audited again if their files, the rules, the settings and the runtimes are
    unchanged. Models are read in worker processes that are forked from this one. No notifications
    are sent; that is up to the caller.

    Args:
        registry: a directory of models, or several.
        out: directory of the reports and the run history; also a URL, to which they are uploaded.
        settings: limits, policies and probe settings; the defaults are the command line's.
        formats: report formats as in `-f`, such as `"html"` or `"sarif=report.sarif"`; by default
            HTML, PDF and JSON.
        options: how reports look.
        all_versions: see `audit`.
        verify: compare the bytes of files, not only sizes, times and inodes.
        moved: the registry of the earlier runs has moved to this path.
        keep: number of runs to keep in the history.
        progress: is called as models are finished.
        log_file: receives one JSON line per audited model, and one for the run.
        on_finish: receives the result before the run counts as reported: if it does not return, the
            next run reports the changes again.

    Returns:
        The rows of all models, what changed, the paths of the reports, and the exit code of
        `modelaudit nightly`.

    Raises:
        UsageError: a path does not exist, a report cannot be written, or `out` belongs to another
            registry.
        LockHeld: another run is writing to `out`.
        StoreError: the history cannot be read or written.
        Interrupted: the run was interrupted; the next one continues.
    """
    from modelaudit.runs.recorded_run import record_night
    from modelaudit.runs.recording.remote_output import output_at
    from modelaudit.runs.run_result import RunOptions
    from modelaudit.runs.write_reports import parse_formats

    wanted = parse_formats(formats)
    with output_at(place_of(out)) as output:
        order = RunOptions(
            output,
            replace(wanted, options=options) if options else wanted,
            "nightly",
            all_versions=all_versions,
            reuse=True,
            verify=verify,
            moved=moved,
            keep=keep,
        )
        return record_night(
            _paths(registry),
            settings or Settings(),
            order,
            progress=progress,
            log_file=Path(log_file) if log_file else None,
            tell=on_finish,
        )


def write_report(
    audits: Audit | Sequence[Audit],
    format: str,
    path: AnyPath,
    options: ReportOptions | None = None,
) -> None:
    """Write one report. It needs neither the models nor TensorFlow.

    Args:
        audits: the audits to report on; one for `html`, `pdf` and `json`, otherwise any number.
        format: any of the formats of `-f`, such as `"html"`, `"pdf"` or `"sarif"`.
        path: the file to write, also at a URL; an existing one is replaced.
        options: how reports look.

    Raises:
        UsageError: the format does not exist or takes only one audit, or the file cannot be
            written.
        ReadError: the URL cannot be written to.
    """
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.runs import write_reports

    given = [audits] if isinstance(audits, Audit) else audits
    write_reports.write_report(format, given, place_of(path), options or ReportOptions())


def compare(
    old: Audit | AnyPath, new: Audit | AnyPath, settings: Settings | None = None
) -> ModelDiff:
    """Compare two models.

    Models are read, and run on the same inputs, in child processes. Audits are compared by their
    content.

    Args:
        old: an audit, the path of an `audit.json`, or the path or URL of a model.
        new: another one.
        settings: limits and probe settings; the defaults are the command line's.

    Returns:
        The changes that `modelaudit diff` prints.

    Raises:
        UsageError: a path does not contain exactly one model.
        ReadError: a model crashed its reader, or a limit was exceeded.
        SchemaError: a file is not an audit file.
    """
    from modelaudit.runs.compare_models import compare_models

    before, after = (each if isinstance(each, Audit) else place_of(each) for each in (old, new))
    return compare_models(before, after, settings or Settings())


def _paths(given: AnyPath | Iterable[AnyPath]) -> tuple[Place, ...]:
    return (place_of(given),) if isinstance(given, str | PathLike) else tuple(map(place_of, given))
