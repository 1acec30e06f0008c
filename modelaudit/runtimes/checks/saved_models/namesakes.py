"""Objects of a SavedModel with the name of a layer of Keras, which Keras makes in their place."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import is_custom, unknown_arguments

WITHOUT_CONFIG = "layer was saved without config"  # a key in place of one, from TensorFlow 2.2 on
_CONFIG = "config"
_FIRST, _END = (2, 5), (2, 12)  # Keras that rejects an object whose class is one of its own


def namesakes(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first object of whose config Keras cannot make the layer that has its name.

    A model without a `get_config` has an empty config. Layers of a model that connects them are
    not looked at here: the config of that model has them.
    """
    listed = artifact.architecture is not None and bool(artifact.architecture.layers)
    if listed or not _FIRST <= context.profile.keras < _END:
        return
    for document in artifact.documents:
        metadata = mapping(document.value)
        name, config = text(metadata.get("class_name")), mapping(metadata.get(_CONFIG))
        if _CONFIG not in metadata or WITHOUT_CONFIG in config or is_custom(metadata, context):
            continue  # without one it is revived, whatever its name
        if not has(name, Trait.MODEL) and context.profile.has_class("layers", name):
            given = {*config}
            found = [*unknown_arguments(name, "layers", given, context, document.route, {})]
            yield from found
            if found:
                return
