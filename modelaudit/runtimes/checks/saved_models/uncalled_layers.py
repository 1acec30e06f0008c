"""Layers of a SavedModel without a saved function, which only their class can call."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.graphs import ObjectNode
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, is_custom, is_model
from modelaudit.runtimes.version_bounds import METADATA_FILE

_KERAS_LAYER = "_tf_keras_layer"
_LAYER, _OWN, _CALL = "layer-", "keras_api", "call_and_return_conditional_losses"


def uncalled_layers(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first layer of an own class that a model calls again, and that was saved uncalled.

    Keras traces a layer when its model is called: not where another method of the model makes
    new layers in each call, and not with `save_traces=False`.
    """
    nodes = {node.index: node for node in artifact.object_graph}
    for document in artifact.documents if METADATA_FILE.holds(context.profile) else ():
        number = document.route.removeprefix("nodes/")
        model = nodes.get(int(number)) if number.isdecimal() else None
        for layer, node in connected(mapping(document.value), model, nodes):
            if _lost(layer, node, nodes, context):
                yield _uncalled(layer, context)
                return


def connected(
    config: Config, model: ObjectNode | None, nodes: dict[int, ObjectNode]
) -> Iterator[tuple[Config, ObjectNode]]:
    """The layers of a model, and of models in it, with their objects."""
    listed = list(map(mapping, sequence(mapping(config.get("config")).get("layers"))))
    if text(config.get("class_name")) == "Sequential":  # which does not count its input
        listed = [each for each in listed if text(each.get("class_name")) != "InputLayer"]
    if model is None or f"{_LAYER}{len(listed)}" in model.children:
        return  # the objects have other numbers
    for place, layer in enumerate(listed):
        node = nodes.get(model.children.get(f"{_LAYER}{place}", -1))
        if is_model(layer):
            yield from connected(layer, node, nodes)
        elif node is not None:
            yield layer, node


def _lost(
    layer: Config, node: ObjectNode, nodes: dict[int, ObjectNode], context: CheckContext
) -> bool:
    own = nodes.get(node.children.get(_OWN, -1))
    saved = nodes.get(own.children.get(_CALL, -1)) if own is not None else None
    functions = saved.detail.get("concrete_functions") if saved is not None else None
    kept = text(layer.get("class_name")) in LAYER_CLASSES or is_custom(layer, context)
    return not functions and not kept and node.detail.get("identifier") == _KERAS_LAYER


def _uncalled(layer: Config, context: CheckContext) -> Reason:
    kind = text(layer.get("class_name"))
    name = text(layer.get("name")) or text(mapping(layer.get("config")).get("name"))
    return Reason(
        "layer-without-function",
        LoadOutcome.FAILS,
        f"`{name}` ({kind}) was saved without a function of its call, and {context.profile.name} "
        "calls it again when it connects the model",
        f"ValueError: …Cannot call custom layer {name} of type",
        f"Load it inside `with keras.utils.custom_object_scope({{{kind!r}: {kind}}}):`, or use "
        "`tf.saved_model.load` and call its signature.",
        name,
        unless=f"{kind} is passed in custom_objects, with a config that makes it again",
        sign=name,
    )
