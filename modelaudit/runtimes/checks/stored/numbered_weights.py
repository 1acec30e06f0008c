"""Weights of Keras 0.x, whose layers have numbers in place of names."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.dialects import NUMBERED
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason


def check_numbered(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Keras 1 and newer look for lists of layers, which these files lack."""
    names = [tensor.name for tensor in weights(artifact)]
    if names and all(NUMBERED.fullmatch(name) for name in names):
        yield Reason(
            "keras-0-weights",
            LoadOutcome.FAILS,
            "the groups of weights are numbered (layer_0/param_0), as Keras 0.x did, but "
            f"{context.profile.name} looks for a list of layer names",
            "ValueError: Layer count mismatch when loading weights from file. Model expected … "
            "layers, found 0 saved layers.",
            "Build the model in code, read the arrays with h5py, and pass those of each layer to "
            "its `set_weights`; kernels of convolutions from Theano are flipped and in its order.",
        )
