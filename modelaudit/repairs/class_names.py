"""The names of a model's classes in the order of its outputs, found on labelled inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.repair import RenamedClasses
from modelaudit.facts import Artifact
from modelaudit.formats.class_labels import NAMES_FILE
from modelaudit.measures.behaviour.numbering import other_numbering
from modelaudit.measures.behaviour.outputs import output_kind, predicted
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.protocol import runtime_name
from modelaudit.repairs.labelled import (
    CALIBRATED,
    JUDGED,
    LabelledInputs,
    class_scores,
    effect_of,
    labelled_inputs,
)
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.settings import Settings


def renamed_classes(
    handle: RuntimeHandle, artifact: Artifact, names: list[str], images: Path, settings: Settings
) -> RenamedClasses:
    """The class names in the order that labelled inputs show, judged on inputs that it did not see.

    Args:
        handle: the runtime that loads the model.
        names: the names beside it, in the order of its outputs; empty for those of the images.
        images: labelled inputs, as `--probe-data` takes them. Class folders have the names; whole
            numbers are places in `names`.

    Raises:
        Untranslatable: there are no names, it cannot be run, or no other order is better.
    """
    seen, session = observe(handle, artifact, settings.probe)
    if session is None:
        raise Untranslatable("", f"{runtime_name(seen.runtime)} does not load it: {seen.failure}")
    with session:
        given = labelled_inputs(seen, artifact, images, settings)
        names = names or [*given.classes]
        labels = _places(given, names, images)
        given.put_halves(session)
        first, others = (class_scores(session, half) for half in (CALIBRATED, JUDGED))
    kind = output_kind(first)
    found = other_numbering({"e": first}, kind, labels[0::2])
    answers = predicted(others, kind)
    if found is None or answers is None:
        raise Untranslatable("", "no other order of the class names fits its answers better")
    if len(found.order) != len(names):
        raise Untranslatable("", f"it has {len(found.order)} classes, but {len(names)} names")
    meant = labels[1::2]
    effect = effect_of(answers == meant, answers == found.order[meant], labels)
    if not effect.better:
        raise Untranslatable(
            "",
            f"other class names do not fit better: {effect.right_before} of {effect.judged_on} "
            f"right before, {effect.right_after} after",
        )
    ordered = [*names]
    for place, output in enumerate(found.order):
        ordered[int(output)] = names[place]
    return RenamedClasses(NAMES_FILE, tuple(ordered), tuple(names), effect)


def _places(given: LabelledInputs, names: list[str], images: Path) -> NDArray[np.int64]:
    """The labels as places in the names."""
    if not names:
        raise Untranslatable(
            "", "there are no class names, neither in a file beside it nor as folders of images"
        )
    unknown = [name for name in given.classes if name not in names]
    if unknown:
        raise Untranslatable("", f"{unknown[0]} in {images} is not among its class names")
    places = [names.index(name) for name in given.classes] or range(len(names))
    if int(given.y.max()) >= len(places):
        raise Untranslatable(
            "", f"{images} has labels up to {given.y.max()} for {len(names)} names"
        )
    return np.asarray(places, dtype=np.int64)[given.y]
