"""Variables of TensorFlow in layers of the program, which Keras 2 counts among the weights.

Keras 3 counts its own variables alone, so that a layer with a `tf.Variable`, such as a table of
indices, expects one weight less than Keras 2 wrote.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason


def tables_of_indices(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first table of integers in `.weights.h5` of Keras 2, for Keras 3.

    Layers of Keras 2 have no integers with more than one axis among their weights.
    """
    named = mapping(artifact.extra.get("h5")).get("vars_names")  # by Keras 3
    for tensor in weights(artifact) if context.profile.keras3 and not named else ():
        if len(tensor.shape) > 1 and tensor.dtype in ("int32", "int64"):
            layer = tensor.name.rpartition("/vars/")[0]
            yield Reason(
                "variable-not-counted",
                LoadOutcome.FAILS,
                f"`{layer}` has a table of {tensor.dtype} among its weights, as the `tf.Variable` "
                f"of a layer of the program, which {context.profile.name} does not count",
                "ValueError: A total of N objects could not be loaded. … expected 1 variables, but "
                "received 2 variables during loading",
                "Build the model from code, and assign the weights of the layer from the file.",
                layer,
                unless="the layer makes it by `add_weight`",
            )
            return
