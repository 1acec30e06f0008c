"""`load_model` on a SavedModel, which creates Keras objects from it."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Layer, ProblemKind
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.catalogue import has_keras2_objects, is_keras2_model
from modelaudit.runtimes.checks import (
    config as match_config,
)
from modelaudit.runtimes.checks import (
    lambda_code as match_lambda,
)
from modelaudit.runtimes.checks import (
    layer_parts as match_parts,
)
from modelaudit.runtimes.checks import (
    masks as match_masks,
)
from modelaudit.runtimes.checks import (
    meta_graphs as match_meta_graphs,
)
from modelaudit.runtimes.checks.constant_calls import constant_calls
from modelaudit.runtimes.checks.graph import argument_names, operations, protocol, types
from modelaudit.runtimes.checks.meta_graphs import needed_tags
from modelaudit.runtimes.checks.saved_models.lambdas import saved_lambdas
from modelaudit.runtimes.checks.saved_models.namesakes import WITHOUT_CONFIG, namesakes
from modelaudit.runtimes.checks.saved_models.uncalled_layers import uncalled_layers
from modelaudit.runtimes.checks.sizes import shapes
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.profile import numbers
from modelaudit.runtimes.saved_config import Config, is_custom, unknown_arguments
from modelaudit.runtimes.version_bounds import METADATA_FILE, REVIVES_BY_NAME

KERAS_METADATA = "keras_metadata.pb"
WITHOUT = "without predict()"
_OF_RECURRENT = {"return_sequences", "return_state", "go_backwards", "stateful", "unroll"}
CALL_SIGNATURE = "Use `tf.saved_model.load` and call its signature."


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """`load_model` on a directory: Keras 2 creates its own objects, Keras 3 raises an error."""
    profile = context.profile
    if profile.keras3:
        yield Reason(
            "savedmodel-in-keras-3",
            LoadOutcome.FAILS,
            "Keras 3 cannot load a SavedModel as a Keras model",
            "ValueError: File format not supported: filepath=… Keras 3 only supports V3 `.keras` "
            "files",
            'Use `keras.layers.TFSMLayer(path, call_endpoint="serving_default")`, '
            "`tf.saved_model.load`, or tf-keras (TF_USE_LEGACY_KERAS=1).",
        )
        return
    yield from match_meta_graphs.check(artifact, context)
    if needed_tags(artifact):
        return
    if METADATA_FILE.holds(context.profile) and _damaged(artifact):
        yield Reason(
            "metadata-damaged",
            LoadOutcome.FAILS,
            f"{KERAS_METADATA} is damaged, and {profile.name} reads it before all else",
            "OSError: Cannot parse keras metadata at path …Received error: …",
            f"Copy the file again. {CALL_SIGNATURE}",
        )
        return
    if has_keras2_objects(artifact):
        yield from _objects(artifact, context)
    if not is_keras2_model(artifact):
        yield _no_model(artifact)


def _objects(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Models and layers, which the loader creates even where the root object is none."""
    yield from _metadata(artifact, context)
    yield from _networks(artifact, context)
    yield from _without_layers(artifact, context)
    yield from operations(artifact, context)
    yield from types(artifact, context)
    yield from shapes(artifact)
    yield from argument_names(artifact, context)
    yield from protocol(context)
    yield from _revived(artifact, context)
    yield from _recurrent(artifact, context)
    yield from _inner_inputs(artifact, context)
    yield from _calls(artifact)
    yield from saved_lambdas(artifact, context)
    yield from uncalled_layers(artifact, context)
    yield from namesakes(artifact, context)
    yield from match_masks.check(artifact, context)


def _damaged(artifact: Artifact) -> bool:
    """Whether the file of the Keras metadata cannot be parsed."""
    problems = ((each.file, each.kind) for each in artifact.problems)
    return (KERAS_METADATA, ProblemKind.CORRUPT) in problems


def _no_model(artifact: Artifact) -> Reason:
    """A root object of another class; it may have a function of the name `predict`."""
    own = any(node.index == 0 and "predict" in node.children for node in artifact.object_graph)
    return Reason(
        "no-keras-model",
        LoadOutcome.FAILS,
        "the SavedModel has functions but no Keras model: load_model returns an object "
        + ("whose predict is a function of the file, not that of Keras" if own else WITHOUT),
        "" if own else "AttributeError: '_UserObject' object has no attribute 'predict'",
        CALL_SIGNATURE,
    )


def _inner_inputs(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Sequential models inside others, saved by TensorFlow 2.0 or older.

    Their InputLayer is an ordinary layer, the first of the model. TensorFlow 2.2 and newer, which
    rebuild the model without it, expect other layers under the numbers of these.
    """
    if context.profile.keras < (2, 3) or context.profile.tensorflow < (2, 2):
        return
    nodes = {node.index: node for node in artifact.object_graph}
    for node in artifact.object_graph:
        first = nodes.get(node.children.get("layer-0", 0))
        if (
            node.index
            and first is not None
            and node.detail.get("identifier") == "_tf_keras_sequential"
            and first.detail.get("identifier") == "_tf_keras_layer"
            and str(first.detail.get("metadata")).startswith('{"class_name": "InputLayer"')
        ):
            yield Reason(
                "input-layer-of-inner-model",
                LoadOutcome.FAILS,
                "a Sequential model inside the model was saved by TensorFlow 2.0 or older with its "
                f"input layer among its layers; {context.profile.name} numbers them otherwise",
                "ValueError: Called Trackable._track_trackable() with name='layer-1', but a "
                "Trackable with this name is already declared as a dependency.",
                "Use `tf.saved_model.load` and call its signature, or TensorFlow 2.1.",
                f"object_graph/{node.index}",
            )
            return


def _calls(artifact: Artifact) -> Iterator[Reason]:
    """The first call that a model's config lost: models are connected anew by their configs."""
    for document in artifact.documents:
        if lost := next(constant_calls(mapping(document.value)), None):
            yield lost
            return


def _networks(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Networks of the author's own class, as TF-Agents has, saved by TensorFlow 2.0 to 2.2.

    Without a config they are revived as a subclass of Functional, which from 2.3 on needs inputs.
    """
    if context.profile.tensorflow < (2, 3):
        return
    described = {each.route: mapping(each.value) for each in artifact.documents}
    for node in artifact.object_graph:
        metadata = described.get(f"nodes/{node.index}")
        network = node.detail.get("identifier") == "_tf_keras_network"
        config = mapping(metadata.get("config")) if metadata is not None else {}
        if network and metadata is not None and (not config or WITHOUT_CONFIG in config):
            yield Reason(
                "network-without-config",
                LoadOutcome.FAILS,
                f"the object {text(metadata.get('class_name'))} was saved as a network, without a "
                f"config, and {context.profile.name} cannot create a network without its inputs",
                "TypeError: …__init__() missing 2 required positional arguments: 'inputs' and "
                "'outputs'",
                CALL_SIGNATURE,
                f"object_graph/{node.index}",
            )
            return


def _without_layers(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A model of layers whose own `get_config` leaves them out: Keras connects them by it."""
    for document in artifact.documents:
        metadata = mapping(document.value)
        config, name = mapping(metadata.get("config")), text(metadata.get("class_name"))
        kept = not config or WITHOUT_CONFIG in config or "layers" in config
        connected = metadata.get("is_graph_network") is True
        if connected and not kept and not is_custom(metadata, context):
            yield Reason(
                "network-without-layers",
                LoadOutcome.FAILS,
                f"{name} is made of layers, and its `get_config` returns none of them, by which "
                f"{context.profile.name} connects what it loads",
                "KeyError: 'layers'",
                f"{CALL_SIGNATURE} Or pass {name} in custom_objects, with a constructor that takes "
                "its config.",
                document.route,
                unless=f"{name} is passed in custom_objects",
                sign="'layers'",
            )
            return


def _metadata(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """From 2.5 on, the Keras metadata is in its own file."""
    own_file = any(entry.path == KERAS_METADATA for entry in artifact.files)
    inside = not own_file and bool(artifact.documents)
    saved_by = numbers(artifact.provenance.keras or "")
    old_loader = context.profile.keras < (2, 3) <= saved_by
    if inside and old_loader and not _revived_whole(artifact):
        yield Reason(
            "keras-objects-of-newer-version",
            LoadOutcome.FAILS,
            f"{context.profile.name} cannot create a Keras model from objects saved by a newer "
            "Keras",
            "AttributeError: 'Functional' object has no attribute 'predict'",
            CALL_SIGNATURE,
        )
    elif artifact.extra.get("foreign_metadata") and METADATA_FILE.holds(context.profile):
        yield Reason(
            "metadata-of-another-save",
            LoadOutcome.FAILS,
            f"{KERAS_METADATA} is that of another save, with other objects than saved_model.pb",
            fix=f"Copy the file of the same save. {CALL_SIGNATURE}",
        )
    elif own_file and not METADATA_FILE.holds(context.profile):
        yield Reason(
            "metadata-in-other-file",
            LoadOutcome.FAILS,
            f"the Keras metadata is in {KERAS_METADATA}, which {context.profile.name} cannot read",
            "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
            CALL_SIGNATURE,
        )
    elif not own_file and not inside:
        yield Reason(
            "no-keras-metadata",
            LoadOutcome.FAILS,
            "the SavedModel was written by tf.saved_model.save and has no Keras metadata",
            "ValueError: Unable to create a … model from SavedModel… This SavedModel was exported "
            "with `tf.saved_model.save`, and lacks the …Keras metadata file",
            "Use `tf.saved_model.load` and call its signature, or save it with `model.save`.",
        )


def _revived_whole(artifact: Artifact) -> bool:
    """Whether TensorFlow 1.15 revives the model from its functions, not from its config.

    It does so for models it cannot rebuild: subclassed models, custom layers, ragged inputs.
    """
    architecture = artifact.architecture
    if architecture is None or not architecture.layers:
        return True
    return any(layer.custom or layer.config.get("ragged") is True for layer in architecture.layers)


def _recurrent(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Recurrent layers, which Keras rebuilds from their config only: it needs their classes."""
    for document in artifact.documents:
        for route, node in _recurrent_nodes(mapping(document.value), ""):
            found = tuple(match_config.check_layer(node, context, route))
            if found and context.behaviour("revives_recurrent") is False:
                yield from found


def _recurrent_nodes(node: Config, route: str) -> Iterator[tuple[str, Config]]:
    """Recurrent layers in a config, or subclasses of theirs, with the route of what they are in."""
    config = mapping(node.get("config"))
    told = {"cell", "cells"} & config.keys() or config.keys() >= _OF_RECURRENT
    of_program = node.get("is_graph_network") is False  # a model, whatever its class is called
    if told or (has(text(node.get("class_name")), Trait.RECURRENT) and not of_program):
        yield route, node
        return
    inside = f"{route}/{text(config.get('name'))}".strip("/")
    wrapped = (config[key] for key in match_config.WRAPPED if key in config)
    for layer in (*sequence(config.get("layers")), *wrapped):
        yield from _recurrent_nodes(mapping(layer), inside)


def _old_table(context: CheckContext) -> bool:
    """Whether the file has lookup tables from before Keras 2.7 moved them, and the runtime not."""
    writer = context.writer
    return writer is not None and writer.keras < (2, 7) <= context.profile.keras


def _parts(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    """Regularizers and the like. A layer whose config is not accepted does without them.

    The regularizer of its outputs is needed in any case. Keras 2.5 to 2.11 reject a layer if one of
    them is not accepted although its class is a built-in one.
    """
    key = "activity_regularizer"
    needed = {key: layer.config.get(key)}
    yield from match_parts.check(needed, context, layer.route, archive=False)
    if REVIVES_BY_NAME.holds(context.profile) and not (layer.is_model or layer.custom):
        others = {name: value for name, value in layer.config.items() if name != key}
        for reason in match_parts.check(others, context, layer.route, archive=False):
            if reason.code == "unknown-argument":
                yield reason


def _revived(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers that are rebuilt from their config, including Lambda layers.

    A layer whose config is not accepted is revived from its saved functions instead, so an unknown
    argument matters only in the InputLayers of a Sequential model, which have no functions.
    Keras 2.5 to 2.11 reject such a layer if its class is a built-in one.
    """
    architecture = artifact.architecture
    if architecture is None:
        return
    profile = context.profile
    for layer in architecture.layers:
        if not layer.custom:
            given = dict(layer.config)
            yield from match_parts.text_functions(layer.class_name, given, context, layer.route)
        yield from _parts(layer, context)
        written = WITHOUT_CONFIG not in layer.config  # without one it is revived, whatever its name
        if REVIVES_BY_NAME.holds(profile) and not layer.is_model and written:
            name, keys = layer.class_name, set(layer.config)
            # No values: nobody edits the config of a SavedModel by hand.
            yield from unknown_arguments(name, "layers", keys, context, layer.route, {})
        if has(layer.class_name, Trait.VOCABULARY) and _old_table(context):
            yield Reason(
                "lookup-table-of-old-version",
                LoadOutcome.FAILS,
                f"the table of `{layer.route}` was saved by TensorFlow 2.6 or older, and "
                f"{profile.name} expects it in a different place",
                "AssertionError: Found 2 Python objects that were not bound to checkpointed values",
                CALL_SIGNATURE,
                layer.route,
            )
        if profile.keras < (2, 5) and layer.class_name == "MultiHeadAttention":
            yield Reason(
                "attention-of-old-version",
                LoadOutcome.DIFFERS,
                f"{profile.name} rebuilds `{layer.route}` without the shapes that it was built "
                "with, so it computes something else",
                "no error",
                CALL_SIGNATURE,
                layer.route,
            )
    for layer in architecture.layers:
        if layer.class_name == "Lambda":
            found = match_lambda.check("Lambda", layer.config, context, layer.route, archive=False)
            yield from (each for each in found if each.code == "lambda-may-crash")
        elif layer.class_name == "InputLayer" and architecture.class_name == "Sequential":
            keys = set(layer.config)
            yield from unknown_arguments("InputLayer", "layers", keys, context, layer.route, {})
