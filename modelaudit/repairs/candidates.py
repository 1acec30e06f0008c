"""The ways to repair one model, and the first of them whose result is proven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.audit_types.repair import LabelledEffect, RenamedClasses, RepairProof, RepairWay
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.json_config import sequence, text
from modelaudit.formats.reader import read_artifact
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.study.agreement import ReferenceRun
from modelaudit.repairs.class_names import renamed_classes
from modelaudit.repairs.containers import (
    RepairEdits,
    container_of,
    first_config,
    renames_groups,
    write_archive,
    write_hdf5,
)
from modelaudit.repairs.gates import gate_factors
from modelaudit.repairs.proof import Attempt, check, reference
from modelaudit.repairs.recalibrate import recalibrated
from modelaudit.repairs.resave import saved_again
from modelaudit.repairs.translate.document import translated
from modelaudit.repairs.translate.translation import (
    Translation,
    Untranslatable,
    saved_by_keras3,
)
from modelaudit.repairs.words import stored_words
from modelaudit.runtimes.catalogue import default_targets, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.settings import Settings
from modelaudit.structs import replace
from modelaudit.terminal_text import shorten

REASON = 300  # characters of a failure that are told; Keras adds whole configs to its errors
WHOLE_FILES = (Format.KERAS_ARCHIVE, Format.LEGACY_H5_FULL)  # with one config to translate


class RepairRuntimes(Struct, frozen=True):
    """Runtimes for a repair.

    Attributes:
        keras3: the installed Keras 3.
        keras2: the installed tf-keras.
        target: the runtime that is the target itself; None if none of the runtimes is.
    """

    keras3: RuntimeHandle
    keras2: RuntimeHandle
    target: RuntimeHandle | None = None

    def of(self, keras3: bool) -> RuntimeHandle:
        """The installed runtime of a generation of Keras."""
        return self.keras3 if keras3 else self.keras2


class RepairCandidate(Struct, frozen=True):
    """A new file that may be the repair."""

    path: Path
    way: RepairWay
    translation: Translation
    edits: RepairEdits
    trained: bool


class RepairJob:
    """The ways to repair one model, tried in order."""

    def __init__(
        self,
        artifact: Artifact,
        profile: RuntimeProfile,
        out: Path,
        folder: Path,
        settings: Settings,
        runtimes: RepairRuntimes | None,
        drop_optimizer: bool,
    ) -> None:
        self.artifact = artifact
        self.profile = profile
        self.out = out
        self.folder = folder
        self.settings = settings
        self.runtimes = runtimes
        self.drop_optimizer = drop_optimizer
        self.failures: list[str] = []
        self._first: ReferenceRun | str | None = None
        self._count = 0

    def best(self) -> tuple[RepairCandidate | None, Attempt]:
        """The first candidate whose proof holds; else the last one, or None without any."""
        last: tuple[RepairCandidate, Attempt] | None = None
        for candidate in self._candidates():
            attempt = self._checked(candidate)
            if not attempt.failure and not attempt.uncompiled:
                return candidate, attempt
            if attempt.failure:
                self.failures.append(attempt.failure)
            last = candidate, attempt
        told = (shorten(" ".join(each.split()), REASON) for each in self.failures)
        why = "; ".join(dict.fromkeys(told))
        if last is None:
            return None, Attempt(RepairProof(0, 0, 0, 0), why or "nothing in it can be translated")
        return last[0], replace(last[1], failure=why or last[1].uncompiled)

    def _candidates(self) -> Iterator[RepairCandidate]:
        if self.artifact.format in WHOLE_FILES:
            yield from self._translations(self.artifact, RepairWay.TRANSLATED)
        again = self._resaved()
        if again is not None:
            yield from self._translations(again, RepairWay.RESAVED)

    def _translations(self, source: Artifact, way: RepairWay) -> Iterator[RepairCandidate]:
        """Files with the translated config; with the training settings first, then without."""
        same = container_of(self.out) is source.format
        kept = bool(source.training) and same and not self.drop_optimizer
        for trained in (True, False) if kept else (False,):
            translation = Translation.of(source, self.profile)
            try:
                path, edits = self._written(source, translation, trained)
                if not same:
                    saved = self._saved_by(self.profile.keras3, self._read(path), self.out.suffix)
                    path, way = self._translated_again(saved, translation), RepairWay.CONVERTED
            except (Untranslatable, ReadError) as error:
                self.failures.append(str(error))
                return
            if source.training and not trained:
                why = "as asked" if self.drop_optimizer else "which the target cannot read"
                translation.note(
                    "", f"left out the training settings and the optimizer's state, {why}"
                )
            yield RepairCandidate(path, way, translation, edits, trained)

    def _written(
        self, source: Artifact, translation: Translation, trained: bool
    ) -> tuple[Path, RepairEdits]:
        """The original's container with the translated config."""
        archive = source.format is Format.KERAS_ARCHIVE
        saved = first_config(source)
        if saved is None:
            raise Untranslatable("", "it has no saved config")
        translation.words = stored_words(source, self.settings.limits)
        config = translated(saved, translation, archive=archive, training=trained)
        edits = RepairEdits(
            gate_factors(source, translation),
            translation.renamed,
            translation.replaced,
            translation.shapes,
        )
        path = self._fresh(".keras" if archive else ".h5")
        keras = str(self.profile.data["versions"]["keras"])
        if archive and renames_groups(source, keras):
            translation.note("", "named and numbered the groups of its weights as the target does")
        if archive:
            write_archive(
                source, path, config, edits, keras, self.settings.limits, keras3=self.profile.keras3
            )
        else:
            write_hdf5(source, path, config, edits, keras, training=trained)
        return path, edits

    def _translated_again(self, saved: Path, translation: Translation) -> Path:
        """A file that the installed Keras saved, which may be newer than the target."""
        again = self._read(saved)
        later = Translation.of(again, self.profile)
        path, _ = self._written(again, later, trained=False)
        translation.notes += later.notes
        return path

    def _resaved(self) -> Artifact | None:
        """The original, saved again as HDF5 by its own generation of Keras; None if that fails."""
        try:
            path = self._saved_by(saved_by_keras3(self.artifact), self.artifact, ".h5")
        except Untranslatable as error:
            self.failures.append(error.reason)
            return None
        return self._read(path)

    def recalibrate(self, candidate: RepairCandidate, images: Path) -> tuple[Path, LabelledEffect]:
        """The candidate with new moving statistics.

        Raises:
            Untranslatable: it cannot be done, or has no effect on the accuracy.
        """
        path = self._fresh(self.out.suffix)
        found = recalibrated(
            self._target(), self._read(candidate.path), images, path, self.settings
        )
        return self._translated_again(path, candidate.translation), found

    def rename_classes(self, candidate: RepairCandidate, images: Path) -> RenamedClasses:
        """The names of the candidate's classes in the order of its outputs.

        Raises:
            Untranslatable: it cannot be done, or has no effect on the accuracy.
        """
        beside = self.artifact.extra.get("labels")
        names = sequence(beside.get("names")) if isinstance(beside, dict) else []
        made = self._read(candidate.path)
        return renamed_classes(
            self._target(), made, [text(name) for name in names], images, self.settings
        )

    def _target(self) -> RuntimeHandle:
        """The runtime that stands for the target."""
        if self.runtimes is None:
            raise Untranslatable("", "it must be run to be judged, and nothing may be run")
        return self.runtimes.target or self.runtimes.of(self.profile.keras3)

    def _saved_by(self, keras3: bool, artifact: Artifact, suffix: str) -> Path:
        if self.runtimes is None:
            raise Untranslatable("", "it must be loaded to be saved again, and nothing may be run")
        if why := _other_model(artifact, keras3):
            raise Untranslatable("", why)
        path = self._fresh(suffix)
        why = saved_again(self.runtimes.of(keras3), artifact, path, self.settings)
        if why:
            raise Untranslatable("", why)
        return path

    def _fresh(self, suffix: str) -> Path:
        """A path in the temporary directory; its file has the name of the new one."""
        self._count += 1
        folder = self.folder / str(self._count)
        folder.mkdir()
        return folder / f"{self.out.stem}{suffix}"

    def _read(self, path: Path) -> Artifact:
        return read_artifact(path, self.settings.limits)

    def _checked(self, candidate: RepairCandidate) -> Attempt:
        repaired = self._read(candidate.path)
        handle = None
        if self.runtimes is not None:
            handle = self.runtimes.target or self.runtimes.of(self.profile.keras3)
        attempt = check(
            self.artifact, repaired, handle, self._reference(), self.settings, candidate.edits
        )
        target = self.runtimes is not None and self.runtimes.target is not None
        if not (target and (attempt.failure or attempt.proof.outputs is not None)):
            attempt = self._as_predicted(attempt, repaired)  # else the target itself has answered
        if not attempt.failure and candidate.trained:
            why = self._refused(repaired, compile=True)
            return replace(attempt, uncompiled=attempt.uncompiled or why)
        return attempt

    def _as_predicted(self, attempt: Attempt, repaired: Artifact) -> Attempt:
        """The attempt, which fails if the target is predicted not to load the file as it is."""
        why = self._refused(repaired, compile=False)
        said = "" if why else LoadOutcome.LOADS.value
        attempt = replace(attempt, proof=replace(attempt.proof, predicted=said))
        if why and not attempt.failure:
            failure = f"{self.profile.name} is predicted not to load it: {why}"
            return replace(attempt, failure=failure)
        return attempt

    def _refused(self, repaired: Artifact, *, compile: bool) -> str:
        """Why the target is not predicted to load a file as the same model; "" if it is."""
        found = prediction_of(repaired, self.profile, compile=compile)
        if found.predicted is LoadOutcome.LOADS:
            return ""
        return found.because[0].text if found.because else "it is unknown"

    def _reference(self) -> ReferenceRun | str:
        """Outputs of the original, computed once."""
        if self._first is None:
            if self.runtimes is None:
                self._first = "no model was run"
            elif why := _other_model(self.artifact, saved_by_keras3(self.artifact)):
                self._first = why
            else:
                handle = self.runtimes.of(saved_by_keras3(self.artifact))
                self._first = reference(handle, self.artifact, self.settings)
        return self._first


def _other_model(artifact: Artifact, keras3: bool) -> str:
    """Why the installed Keras of a generation would load another model than was saved, or ""."""
    for name in default_targets():
        profile = find_profile(name)
        found = prediction_of(artifact, profile, compile=False)
        if profile.keras3 is keras3 and found.predicted is LoadOutcome.DIFFERS:
            return f"{name} is known to load it as another model: {found.because[0].text}"
    return ""


def prediction_of(artifact: Artifact, profile: RuntimeProfile, *, compile: bool) -> Prediction:
    """What plain `load_model` of the runtime does with the model."""
    request = LoadRequest(LoadCall.LOAD_MODEL, compile=compile)
    return predict_calls(artifact, [(profile, request)])[0]
