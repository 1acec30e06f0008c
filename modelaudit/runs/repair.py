"""Repairs of one model, or of every model of a directory that a target refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from modelaudit.audit_types.repair import SUFFIX, Repair, RepairStatus
from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Json, ProblemKind
from modelaudit.probe.host.runtime import (
    RuntimeHandle,
    installed_legacy_runtime,
    installed_runtime,
    require_runtime,
    start_runtime,
)
from modelaudit.probe.other_runtimes import start_other_runtime
from modelaudit.registry.remote.address import Place, Url
from modelaudit.repairs.candidates import RepairRuntimes
from modelaudit.repairs.repair import repair_model
from modelaudit.runs.found_models import find_models
from modelaudit.runs.isolated_read import run_in_child
from modelaudit.runs.recording.remote_output import new_files_at
from modelaudit.runtimes.catalogue import (
    covers,
    default_targets,
    find_profile,
    installed_target,
)
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store.typed_json import decode, encode
from modelaudit.structs import replace

SUFFIXES = (".h5", ".hdf5", ".keras")


def repairs(
    path: Place,
    target: str,
    out: Place,
    settings: Settings,
    *,
    suffix: str = "",
    drop_optimizer: bool = False,
    recalibrate: Path | None = None,
    rename_classes: Path | None = None,
) -> Iterator[Repair]:
    """Repair the model at `path`, or every model under it, each in a child process.

    Args:
        path: a model, or a directory of models; also a URL.
        target: runtime that the new files are for.
        out: the new file; for a directory of models the directory of the new ones, in which they
            have the same relative paths. Files at a URL are uploaded as they are made.
        suffix: suffix of the new files of a directory, "" for that of the original or .keras.
        drop_optimizer: leave out the training settings and the optimizer's state.
        recalibrate: labelled inputs for new moving statistics of batch normalization.
        rename_classes: labelled inputs for the order of the class names.

    Raises:
        UsageError: there is nothing at the path, the target is unknown, or `out` cannot be used.
        ReadError: something at the URL cannot be fetched.
    """
    find_profile(target, tuple(map(Path, settings.profiles)))
    with new_files_at(out, SUFFIXES) as output:
        folder = output.folder
        found = find_models((path,), settings, apart=output.place if folder.is_dir() else None)
        if found.problems and isinstance(path, Url):
            raise ReadError(ProblemKind.UNREADABLE, str(path), found.problems[0].detail)
        one = len(found.targets) == 1 and (not found.whole or folder.suffix in SUFFIXES)
        if not one and folder.exists() and not folder.is_dir():
            raise UsageError(f"{output.place} exists and is not a directory")
        tasks = [
            (each, folder if one else _new_path(each, folder, suffix)) for each in found.targets
        ]
        with open_runtimes(settings, target, {each.root for each, _ in tasks}) as runtimes:

            def work(task: tuple[AuditTarget, Path]) -> dict[str, Json]:
                model, new = task
                own = settings.for_model(model.relative, model.path)
                try:
                    new.parent.mkdir(parents=True, exist_ok=True)
                    done = repair_model(
                        *(model.path, target, new, own, runtimes),
                        drop_optimizer=drop_optimizer,
                        recalibrate=recalibrate,
                        rename_classes=rename_classes,
                    )
                    done = replace(done, out=output.named(done.out))
                    if done.status is RepairStatus.REPAIRED:
                        _write_record(done, new)
                except (UsageError, OSError) as error:
                    if one and isinstance(error, UsageError):
                        raise
                    why = output.named(f"it could not be written: {error}")
                    done = Repair(str(model.path), target, RepairStatus.REFUSED, reason=why)
                return {"repair": encode(replace(done, path=_shown(path, model)))}

            answers = run_in_child(
                tasks, work, settings, lambda task: [task[0].path], settings.jobs
            )
            try:
                for (model, _), answer in zip(tasks, answers, strict=True):
                    output.publish()
                    if answer.lost:
                        shown = _shown(path, model)
                        yield Repair(shown, target, RepairStatus.REFUSED, reason=answer.lost)
                    else:
                        yield decode(Repair, answer.value["repair"])
            finally:  # only now: another child may be about to write into the same directory
                for _, new in [] if one else tasks:
                    _remove_empty(new.parent, folder)


def _remove_empty(folder: Path, out: Path) -> None:
    """Remove directories that were made for a file that was not written."""
    with suppress(OSError):
        while folder != out.parent and folder.is_relative_to(out):
            folder.rmdir()
            folder = folder.parent


def _shown(asked: Place, model: AuditTarget) -> str:
    """The model's path as it was asked for."""
    if isinstance(asked, Url):
        return f"{model.address}/{model.relative}"
    if model.path == asked.resolve():
        return str(asked)
    return str((asked if asked.is_dir() else model.root) / model.relative)


def _new_path(model: AuditTarget, out: Path, suffix: str) -> Path:
    relative = Path(model.relative)
    wanted = suffix or (relative.suffix if relative.suffix in SUFFIXES else ".keras")
    return out / relative.with_name(_stem(relative) + wanted)


def _stem(path: Path) -> str:
    return path.stem if path.suffix in SUFFIXES else path.name


@contextmanager
def open_runtimes(
    settings: Settings, target: str, roots: set[Path]
) -> Iterator[RepairRuntimes | None]:
    """The installed Keras 3 and tf-keras, and the runtime of the settings for the target."""
    if not settings.probe.enabled:
        yield None
        return
    require_runtime()
    jail = roots if settings.probe.sandbox == "bwrap" else None
    with ExitStack() as stack:
        keras3 = stack.enter_context(start_runtime(installed_runtime(), late=True, jail=jail))
        keras2 = stack.enter_context(
            start_runtime(installed_legacy_runtime(), late=True, jail=jail)
        )
        other = next((each for each in settings.runtimes if each.name == target), None)
        own: RuntimeHandle | None = None
        if other is not None:
            own = stack.enter_context(start_other_runtime(other, jail))
        elif target and covers(target, installed_target()):
            own = keras3
        elif target and _is_installed_legacy(target):
            own = keras2
        yield RepairRuntimes(keras3, keras2, own)


def _is_installed_legacy(target: str) -> bool:
    return any(covers(target, name) for name in default_targets() if name.startswith("tf-keras"))


def _write_record(repair: Repair, new: Path) -> None:
    """Write `repair.json` beside the new file."""
    path = Path(f"{new}{SUFFIX}")
    path.write_text(json.dumps(encode(repair), indent=2) + "\n", encoding="utf-8")
