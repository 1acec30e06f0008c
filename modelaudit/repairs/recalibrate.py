"""Moving statistics of batch normalisation, computed again on labelled inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.repair import Recalibration
from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.accuracy import class_labels
from modelaudit.measures.behaviour.paired import binomial_tail
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.probe.host.feed import Feed, InputTransform
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.host.variable_pairing import variable_paths
from modelaudit.probe.protocol import Observation, runtime_name
from modelaudit.probe.study.feeding import prepare_inputs
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.settings import Settings

CALIBRATED, JUDGED = "calibrated", "judged"


def recalibrated(
    handle: RuntimeHandle, artifact: Artifact, images: Path, path: Path, settings: Settings
) -> Recalibration:
    """Write the model with statistics of one half of the inputs, judged on the other half.

    Every second input is for the statistics, so that inputs in the order of their classes are
    shared out evenly.

    Args:
        handle: the runtime that loads the model and saves it again.
        artifact: the model.
        images: labelled inputs, as `--probe-data` takes them.
        path: where the model is written, in the format of the suffix.
        settings: limits.

    Raises:
        Untranslatable: it cannot be done, or the accuracy does not become better.
    """
    seen, session = observe(handle, artifact, settings.probe)
    if session is None:
        raise Untranslatable("", f"{runtime_name(seen.runtime)} does not load it: {seen.failure}")
    with session:
        x, labels = _labelled(seen, artifact, images, settings)
        _asked(session.put({CALIBRATED: x[0::2], JUDGED: x[1::2]}))
        before = _right(session, labels[1::2])
        _asked(session.refit([Feed(CALIBRATED, InputTransform())], _statistics(seen, artifact)))
        after = _right(session, labels[1::2])
        gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
        found = Recalibration(
            calibrated_on=len(x[0::2]),
            judged_on=len(before),
            right_before=int(before.sum()),
            right_after=int(after.sum()),
            p_value=binomial_tail(gained, gained + lost),
        )
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


def _labelled(
    seen: Observation, artifact: Artifact, images: Path, settings: Settings
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    fed = prepare_inputs(seen, artifact, settings.probe, images)
    if isinstance(fed, Unprobeable):
        raise Untranslatable("", fed.reason)
    labels = None if fed.y is None else class_labels(fed.y)
    if labels is None or len(fed.arrays) != 1:
        raise Untranslatable("", f"{images} has no class labels, or does not fit the model's input")
    return fed.arrays[0], labels


def _statistics(seen: Observation, artifact: Artifact) -> dict[str, tuple[str, str]]:
    """Route of each batch normalisation -> paths of its mean and variance."""
    paths = variable_paths(artifact, seen)
    layers = {
        layer.route: (paths.get(layer.mean.name, ""), paths.get(layer.variance.name, ""))
        for layer in batchnorm_tensors(artifact)
    }
    if not layers or not all(all(pair) for pair in layers.values()):
        raise Untranslatable("", "it has no batch normalisation whose statistics can be set")
    return layers


def _right(session: Session, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether each judged input gets its class."""
    answer = session.predict([Feed(JUDGED, InputTransform())])
    _asked(answer)
    assert not isinstance(answer, Observation)
    values = next(iter(answer.values())) if len(answer) == 1 else np.zeros(())
    if values.ndim != 2:
        raise Untranslatable("", "it has not one output of class scores")
    answers = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0] > 0.5
    return np.asarray(answers.astype(np.int64) == labels)


def _asked(answer: object) -> None:
    if isinstance(answer, Observation):
        raise Untranslatable("", f"it cannot be run: {answer.failure}")
