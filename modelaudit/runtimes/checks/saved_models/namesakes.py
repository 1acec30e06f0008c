"""Objects of a SavedModel with the name of a layer of Keras, which Keras makes in their place."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.runtimes.saved_config import (
    NAMELESS,
    is_custom,
    is_model,
    nodes_in,
    unknown_arguments,
)
from modelaudit.runtimes.version_bounds import REVIVES_BY_NAME

WITHOUT_CONFIG = "layer was saved without config"  # a key in place of one, from TensorFlow 2.2 on
_CONFIG = "config"
_EPSILON = "epsilon"
_NORMALIZES = frozenset(("gamma", "beta"))  # weights that Keras looks for in such a layer


def normalizations(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first normalization of the program, by its code, of whose config Keras makes its own.

    A config of Keras has all its arguments. What Keras makes has other constants, and perhaps
    other names of weights.
    """
    of_every = context.profile.accepts("layers", "Layer") or frozenset()
    every = (x for each in artifact.documents for x in nodes_in(mapping(each.value)))
    for node in every if context.code.classes else ():
        name, config = text(node.get("class_name")), mapping(node.get(_CONFIG))
        own = context.code.find(name)
        if own is None or not (has(name, Trait.SAME_SHAPE) and has(name, Trait.FEATURE_WEIGHTS)):
            continue
        known = context.profile.accepts("layers", name) or frozenset()
        foreign = WITHOUT_CONFIG in config or not config.keys() <= known
        if foreign or known - of_every <= config.keys() or own.registered:
            continue
        whole = context.code.weights(own) >= _NORMALIZES
        taken = {*own.constructor.names} if own.constructor is not None else set[str]()
        if whole and _EPSILON in config and config.keys() - of_every <= taken:
            continue  # the layer of Keras by another author: the same settings and weights
        yield Reason(
            "class-of-the-same-name",
            LoadOutcome.DIFFERS if whole else LoadOutcome.FAILS,
            f"`{text(config.get('name'))}` is a {own.name} of the program ({own.where}), and "
            f"{context.profile.name} makes the layer of Keras with this name in its place",
            "no error" if whole else "AssertionError: …Unresolved object",
            f"Give {own.name} another name, or register it with Keras, and save the model again.",
            text(config.get("name")),
            unless=f"the {own.name} of the program computes the same, with the same weights",
        )
        return


def namesakes(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first object of whose config Keras cannot make the layer that has its name.

    A model without a `get_config` has an empty config. Layers of a model that connects them are
    not looked at here: the config of that model has them.
    """
    yield from normalizations(artifact, context)
    yield from _of_several(artifact, context)
    yield from _base_classes(artifact, context)
    listed = artifact.architecture is not None and bool(artifact.architecture.layers)
    if listed or not REVIVES_BY_NAME.holds(context.profile):
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


def _base_classes(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first class of the program called `Model`, of whose config Keras makes its own."""
    for document in artifact.documents if context.profile.keras >= REVIVES_BY_NAME.first else ():
        metadata = mapping(document.value)
        own = text(metadata.get("class_name")) == NAMELESS and not is_model(metadata)
        if own and WITHOUT_CONFIG not in mapping(metadata.get(_CONFIG)):
            if is_custom(metadata, context):
                continue
            yield Reason(
                "class-of-the-same-name",
                LoadOutcome.FAILS,
                f"`{document.route}` is a class of the program called {NAMELESS}, and "
                f"{context.profile.name} makes the base class of Keras with this name in its "
                "place, which has no `call`",
                "NotImplementedError: …Unimplemented `tf.keras.Model.call()`",
                f"Pass it, as in `custom_objects={{'{NAMELESS}': …}}`; or give it another name and "
                "save the model again.",
                document.route,
                unless=f"{NAMELESS} is passed in custom_objects",
                later=FIRST_CALL,
                loads=True,
            )
            return


def _of_several(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first model of one tensor with the name of a layer of several, made in its place.

    A model that holds such a model without saying whether it trains is not called as it was saved.
    """
    trains = False
    for document in artifact.documents if context.profile.keras >= REVIVES_BY_NAME.first else ():
        metadata = mapping(document.value)
        name, config = text(metadata.get("class_name")), mapping(metadata.get(_CONFIG))
        trains |= metadata.get("expects_training_arg") is True
        merges = has(name, Trait.MERGE)
        if not (merges or (has(name, Trait.ATTENTION) and not trains)):
            continue
        one = mapping(metadata.get("save_spec")).get("class_name") == "TypeSpec"
        own = metadata.get("is_graph_network") is False and one
        accepted = context.profile.accepts("layers", name) or frozenset()
        made = config.keys() <= accepted and {*context.profile.needs("layers", name)} <= {*config}
        if own and made and _CONFIG in metadata and not is_custom(metadata, context):
            yield Reason(
                "class-of-the-same-name",
                LoadOutcome.FAILS,
                f"`{document.route}` is a model of the program called {name}, and "
                f"{context.profile.name} makes the layer of Keras with this name in its place, "
                "which takes several tensors",
                "ValueError: … should be called on a list of inputs" if merges else "",
                f"Give {name} another name, or register it with Keras, and save the model again.",
                document.route,
            )
            return
