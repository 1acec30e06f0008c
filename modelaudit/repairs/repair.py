"""Repairs one model: finds the least invasive way whose result is proven, and writes it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from modelaudit import __version__
from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.audit_types.repair import (
    LabelledEffect,
    RenamedClasses,
    Repair,
    RepairChange,
    RepairedFile,
    RepairStatus,
)
from modelaudit.errors import UsageError
from modelaudit.facts import Artifact
from modelaudit.file_formats import Content, formats
from modelaudit.formats.class_labels import NAMES_FILE
from modelaudit.formats.reader import read_artifact
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.pipeline import static_facts
from modelaudit.repairs.candidates import (
    WHOLE_FILES,
    RepairCandidate,
    RepairJob,
    RepairRuntimes,
    prediction_of,
)
from modelaudit.repairs.containers import container_of
from modelaudit.repairs.proof import Attempt
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.kept import (
    reason_not_to_run,
    security_not_judged,
    security_results,
    severe,
)
from modelaudit.rules.model import Facts
from modelaudit.runtimes.catalogue import find_profile, is_keras2_model
from modelaudit.runtimes.predict import predict
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.settings import Settings
from modelaudit.structs import replace
from modelaudit.terminal_text import plain


def repair_model(
    path: Path,
    target: str,
    out: Path,
    settings: Settings,
    runtimes: RepairRuntimes | None,
    *,
    drop_optimizer: bool = False,
    recalibrate: Path | None = None,
    rename_classes: Path | None = None,
) -> Repair:
    """Write a file that the target loads as the same model.

    Args:
        target: a runtime as predictions name them, `tf==2.21`.
        out: path of the new file; its suffix says its format (.h5, .keras).
        runtimes: where models are run; None to run none.
        drop_optimizer: leave out the training settings and the optimizer's state.
        recalibrate: labelled inputs for new moving statistics of batch normalization.
        rename_classes: labelled inputs for the order of the class names, which are written to
            `labels.txt` beside the new file.

    Returns:
        What was done. A file was written if, and only if, the status is REPAIRED.

    Raises:
        UsageError: the target is unknown, or `out` exists or has another suffix.
        OSError: the new file cannot be written.
    """
    profile = find_profile(target, tuple(map(Path, settings.profiles)))
    wanted = container_of(out)
    if wanted is None:
        raise UsageError(f"{out}: the suffix must be .h5 or .keras")
    names_file = out.with_name(NAMES_FILE)
    for new in (out, names_file) if rename_classes is not None else (out,):
        if new.exists() or new.is_symlink():
            raise UsageError(f"{new} exists; repair does not overwrite")
    facts = static_facts(path, settings)
    blank = Repair(
        str(path), profile.name, RepairStatus.REFUSED, _file(facts.artifact), tool=__version__
    )
    if why := reason_not_to_run(security_results(facts), facts):
        return replace(blank, reason=why)
    if not facts.artifact.complete:
        return replace(blank, reason="it could only be read in part")
    if runtimes is None and (why := _unfit(facts)):  # otherwise loading it shows that
        return replace(blank, reason=why)
    if why := _no_keras_model(facts.artifact):
        own = tuple(map(Path, settings.profiles))
        calls = predict(
            facts.artifact, (target,), own=own, code=read_source_code(settings.source_code)
        )
        open_to_it = (LoadOutcome.LOADS, LoadOutcome.CONDITIONAL)
        loads = any(each.predicted in open_to_it for each in calls)
        status = RepairStatus.NOT_NEEDED if loads else RepairStatus.REFUSED
        return replace(blank, status=status, reason="" if loads else why)
    kept = facts.artifact.format is wanted and not drop_optimizer
    kept = kept and recalibrate is None and rename_classes is None
    if kept and _loads(facts.artifact, profile):
        return replace(blank, status=RepairStatus.NOT_NEEDED)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        job = RepairJob(
            facts.artifact, profile, out, Path(folder), settings, runtimes, drop_optimizer
        )
        candidate, attempt = job.best()
        if candidate is None or attempt.failure:
            status = RepairStatus.REFUSED if candidate is None else RepairStatus.UNPROVEN
            return replace(blank, status=status, reason=attempt.failure)
        try:
            made, effect, names = _judged(job, candidate, recalibrate, rename_classes)
        except Untranslatable as error:
            return replace(blank, status=RepairStatus.UNPROVEN, reason=error.reason)
        if why := _dangerous(made.path, settings):
            return replace(blank, reason=why)
        done = _described(blank, made, attempt, out, settings)
        done = replace(done, recalibration=effect, renamed_classes=names)
        if read_artifact(path, settings.limits).sha256 != facts.artifact.sha256:
            return replace(blank, reason="it was modified while it was repaired")
        _publish_both(made.path, out, _listed(names, Path(folder)), names_file)
    return done


def _dangerous(made: Path, settings: Settings) -> str:
    """The severe finding on security that the new file has from the original; "" without one."""
    facts = static_facts(made, settings)
    for found in severe(security_results(facts)):
        for each in found.findings:
            return f"the new file would have the finding {each.code} {each.name}: {each.detail}"
    why = security_not_judged(facts)
    return f"the new file cannot be judged: {why}" if why else ""


def _unfit(facts: Facts) -> str:
    """Which weights have other shapes than the config's, so that nothing can load them."""
    for each in run_rule(rule("MA114"), facts).findings:
        return f"it has the finding {each.code} {each.name}: {each.detail}"
    return ""


def _no_keras_model(artifact: Artifact) -> str:
    """Why there is no Keras model to translate; "" if there is one."""
    if artifact.format in WHOLE_FILES:
        return ""
    if artifact.format.is_saved_model:
        return "" if is_keras2_model(artifact) else "it contains no Keras model"
    if artifact.format not in formats(Content.WEIGHTS):
        return f"a {artifact.format.label} contains no Keras model"
    return "" if artifact.architecture else "it holds only weights: add --architecture"


def _loads(artifact: Artifact, profile: RuntimeProfile) -> bool:
    """Whether plain `load_model` of the target gives the model that was saved."""
    if artifact.format not in WHOLE_FILES:
        return False
    calls = [prediction_of(artifact, profile, compile=compiled) for compiled in (False, True)]
    return all(each.predicted is LoadOutcome.LOADS for each in calls)


def _file(artifact: Artifact) -> RepairedFile:
    return RepairedFile(
        artifact.root.name, artifact.format.value, artifact.sha256, artifact.provenance.keras
    )


def _described(
    blank: Repair, candidate: RepairCandidate, attempt: Attempt, out: Path, settings: Settings
) -> Repair:
    made = _file(read_artifact(candidate.path, settings.limits))
    changes = tuple(
        RepairChange(each.what, plain(each.route), each.count)
        for each in candidate.translation.changes()
    )
    return replace(
        blank,
        status=RepairStatus.REPAIRED,
        repaired=replace(made, path=out.name),
        out=str(out),
        way=candidate.way,
        changes=changes,
        proof=attempt.proof,
    )


def _judged(
    job: RepairJob, candidate: RepairCandidate, recalibrate: Path | None, rename: Path | None
) -> tuple[RepairCandidate, LabelledEffect | None, RenamedClasses | None]:
    """The changes that labelled inputs judge, where they were asked for."""
    effect, names = None, None
    if recalibrate is not None:
        path, effect = job.recalibrate(candidate, recalibrate)
        candidate = replace(candidate, path=path)
    if rename is not None:
        names = job.rename_classes(candidate, rename)
    return candidate, effect, names


def _listed(names: RenamedClasses | None, folder: Path) -> Path | None:
    """A file with the names, one a line; None without names."""
    if names is None:
        return None
    path = folder / names.file
    path.write_text("".join(f"{name}\n" for name in names.names), encoding="utf-8")
    return path


def _publish_both(model: Path, out: Path, names: Path | None, names_file: Path) -> None:
    """Move the finished files to their places, or none of them."""
    if names is not None:
        _publish(names, names_file)
    try:
        _publish(model, out)
    except OSError:
        if names is not None:
            names_file.unlink()
        raise


def _publish(made: Path, out: Path) -> None:
    """Move a finished file to its place, which must still be free."""
    with made.open("rb") as handle:
        os.fsync(handle.fileno())
    os.link(made, out)  # fails if `out` exists by now, unlike a rename
