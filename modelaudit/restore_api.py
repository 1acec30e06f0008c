"""The restore proof in your own program: compares a live model with the file it came from.

    model = build_model()
    model.load_weights("epoch_20.weights.h5", skip_mismatch=True)
    proof = modelaudit.prove_restored(model, "epoch_20.weights.h5")
    assert proof.faithful, proof.describe()

This module imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

import json
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Artifact, Document
from modelaudit.formats.keras.external_architecture import read_architecture, with_architecture
from modelaudit.formats.reader import read
from modelaudit.probe.protocol import Observation, VariableDigest
from modelaudit.probe.study.live_model import wrap_live_model
from modelaudit.restore.conversions import digest
from modelaudit.restore.proof import RestoreProof, prove
from modelaudit.settings import Limits

if TYPE_CHECKING:
    from modelaudit.probe.child.frames import Untyped

HERE = "this program"


def prove_restored(
    model: Untyped,
    path: str | PathLike[str],
    *,
    architecture: str | PathLike[str] | None = None,
) -> RestoreProof:
    """Compare every weight of a live model with the file that it was restored from.

    Args:
        model: a Keras model (2 or 3), or any other object that has `variables`.
        path: what it was restored from: a model, weights, or a checkpoint's prefix.
        architecture: for weights and checkpoints, the architecture that they were saved with, as
            JSON or as a model; by default the live model's own.

    Raises:
        UsageError: there is nothing at `path`, or it contains no weights, or no architecture.
        ReadError: the file cannot be read.
    """
    place = Path(fspath(path)).absolute()
    artifact = read(place, Limits())
    if architecture is None:
        artifact = _with_architecture_of(model, artifact)
    else:
        document = read_architecture(Path(fspath(architecture)), Limits())
        artifact = with_architecture(artifact, document, Limits())
    if not artifact.complete and artifact.problems:
        problem = artifact.problems[0]
        raise ReadError(problem.kind, problem.file, problem.detail)
    arrays = {name: np.asarray(value) for name, value in wrap_live_model(model).variables().items()}
    held = tuple(
        VariableDigest(name, array.shape, array.dtype.name, digest(array))
        for name, array in arrays.items()
        if array.dtype.kind not in "OSU"
    )
    seen = Observation(HERE, "its own loading", Status.LOADED, variables=held)
    proof = prove(artifact, seen, arrays.get)
    if proof is None:
        raise UsageError(f"{place}: contains no weights to compare with the model")
    return proof


def _with_architecture_of(model: Untyped, artifact: Artifact) -> Artifact:
    """The weights with the live model's own architecture, which shows which layer owns them.

    Without an architecture they are compared by names and shapes alone. That is the case for a
    model that is not a Keras model (no `to_json`), for one whose class or layers cannot be
    serialised (Keras raises NotImplementedError where a class lacks `get_config`, TypeError or
    ValueError for its values), and if our reader rejects the config.
    """
    try:
        document = Document("the live model", "", json.loads(model.to_json()))
        return with_architecture(artifact, document, Limits())
    except (AttributeError, NotImplementedError, ValueError, TypeError, ReadError):
        return artifact
