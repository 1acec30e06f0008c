"""Weights that an archive has for the optimizer only, as their layer is in a list of lists.

Keras 2 and Keras 3 up to 3.11 save the layers that an object holds in a list or a dictionary, and
not those in lists inside these. The optimizer lists all that it trains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason

_OPTIMIZER = "optimizer/"
_KERAS = ("keras", "tf_keras")  # packages
_FORMATS = (Format.KERAS_ARCHIVE, Format.WEIGHTS_H5_V3)


def optimizer_only(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A shape of the optimizer's variables that no weight of the file has.

    Optimizers have one or more variables of the shape of each weight. Some have sums of rows and of
    columns in place of them, all of other shapes. One of the program's own may keep any.
    """
    if artifact.format not in _FORMATS or context.request.call is LoadCall.FROM_JSON:
        return
    compiled = mapping((artifact.training or {}).get("optimizer"))
    if compiled and text(compiled.get("module")).partition(".")[0] not in _KERAS:
        return
    kept = {tuple(tensor.shape) for tensor in weights(artifact)}
    listed = Counter(
        tuple(tensor.shape)
        for tensor in artifact.tensors
        if tensor.name.startswith(_OPTIMIZER) and len(tensor.shape) > 1
    )
    lost = [shape for shape in listed if shape not in kept]
    if lost and len(lost) < len(listed):
        shown = "×".join(map(str, lost[0]))
        yield Reason(
            "weights-of-optimizer-only",
            LoadOutcome.DIFFERS,
            f"the optimizer keeps a variable of {shown}, and no weight of the file has this shape: "
            "what it trained there is of a layer in a list of lists, or in another place where "
            "Keras finds none to save, and keeps its random values",
            "no error",
            "Hold the layers in a list of an object of its own, or in attributes, and save it "
            "again.",
            unless="the optimizer is the program's own, or trained another model, too",
        )
