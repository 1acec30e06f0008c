"""Moving statistics of batch normalization, computed again on labelled inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.repair import LabelledEffect
from modelaudit.facts import Artifact
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.probe.host.feed import Feed, InputTransform
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.host.variable_pairing import variable_paths
from modelaudit.probe.protocol import Observation, runtime_name
from modelaudit.repairs.labelled import (
    CALIBRATED,
    JUDGED,
    asked,
    class_scores,
    effect_of,
    labelled_inputs,
)
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.settings import Settings


def recalibrated(
    handle: RuntimeHandle, artifact: Artifact, images: Path, path: Path, settings: Settings
) -> LabelledEffect:
    """Write the model with statistics of one half of the inputs, judged on the other half.

    Every second input is for the statistics, so that inputs in the order of their classes are
    shared out evenly.

    Args:
        handle: the runtime that loads the model and saves it again.
        images: labelled inputs, as `--probe-data` takes them.
        path: where the model is written, in the format of the suffix.

    Raises:
        Untranslatable: it cannot be done, or the accuracy does not become better.
    """
    seen, session = observe(handle, artifact, settings.probe)
    if session is None:
        raise Untranslatable("", f"{runtime_name(seen.runtime)} does not load it: {seen.failure}")
    with session:
        given = labelled_inputs(seen, artifact, images, settings)
        labels = given.y
        given.put_halves(session)
        before = _right(session, labels[1::2])
        asked(session.refit([Feed(CALIBRATED, InputTransform())], _statistics(seen, artifact)))
        after = _right(session, labels[1::2])
        found = effect_of(before, after, labels)
        if not found.better:
            raise Untranslatable(
                "",
                f"new statistics do not make it better: {found.right_before} of {found.judged_on} "
                f"right before, {found.right_after} after",
            )
        written = session.save(path.suffix)
    if isinstance(written, Observation):
        raise Untranslatable("", f"it cannot be saved: {written.failure}")
    path.write_bytes(written)
    return found


def _statistics(seen: Observation, artifact: Artifact) -> dict[str, tuple[str, str]]:
    """Route of each batch normalization -> paths of its mean and variance."""
    paths = variable_paths(artifact, seen)
    layers = {
        layer.route: (paths.get(layer.mean.name, ""), paths.get(layer.variance.name, ""))
        for layer in batchnorm_tensors(artifact)
    }
    if not layers or not all(all(pair) for pair in layers.values()):
        raise Untranslatable("", "it has no batch normalization whose statistics can be set")
    return layers


def _right(session: Session, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether each judged input gets its class."""
    values = class_scores(session, JUDGED)
    answers = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0] > 0.5
    return np.asarray(answers.astype(np.int64) == labels)
