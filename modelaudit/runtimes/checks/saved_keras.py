"""A SavedModel given to `load_model`, which makes Keras objects of it."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.catalogue import has_keras2_objects
from modelaudit.runtimes.checks import lambda_code as match_lambda
from modelaudit.runtimes.checks.graph import argument_names, operations, protocol
from modelaudit.runtimes.model import CheckContext, LoadOutcome, Reason
from modelaudit.runtimes.profile import numbers
from modelaudit.runtimes.saved_config import unknown_arguments

KERAS_METADATA = "keras_metadata.pb"


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """`load_model` on a directory: Keras 2 makes its own objects, Keras 3 refuses."""
    profile = context.profile
    if profile.keras3:
        yield Reason(
            "savedmodel-in-keras-3",
            LoadOutcome.FAILS,
            "Keras 3 reads no SavedModel as a model",
            "ValueError: File format not supported: filepath=… Keras 3 only supports V3 `.keras` "
            "files and legacy H5 format files",
            'keras.layers.TFSMLayer(path, call_endpoint="serving_default"), tf.saved_model.load, '
            "or tf-keras (TF_USE_LEGACY_KERAS=1)",
        )
        return
    if not has_keras2_objects(artifact):
        yield Reason(
            "no-keras-model",
            LoadOutcome.FAILS,
            "the SavedModel holds functions and no Keras model",
            "AttributeError: '_UserObject' object has no attribute 'predict'",
            "tf.saved_model.load and call its signature",
        )
        return
    yield from _metadata(artifact, context)
    yield from operations(artifact, context)
    yield from argument_names(artifact, context)
    yield from protocol(context)
    yield from _revived(artifact, context)


def _metadata(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """From 2.5 on the Keras metadata stand in a file of their own."""
    own_file = any(entry.path == KERAS_METADATA for entry in artifact.files)
    inside = not own_file and bool(artifact.documents)
    old_loader = context.profile.keras < (2, 3) and _newer_than(artifact, (2, 3))
    if inside and old_loader and not _revived_whole(artifact):
        yield Reason(
            "keras-objects-of-newer-version",
            LoadOutcome.FAILS,
            f"{context.profile.name} makes no Keras model of what a newer Keras saved",
            "AttributeError: 'Functional' object has no attribute 'predict'",
            "tf.saved_model.load and call its signature",
        )
    elif own_file and context.profile.keras < (2, 5):
        yield Reason(
            "metadata-in-other-file",
            LoadOutcome.FAILS,
            f"the Keras metadata stand in {KERAS_METADATA}, where {context.profile.name} does not "
            "look",
            "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
            "tf.saved_model.load and call its signature",
        )
    elif not own_file and not inside:
        yield Reason(
            "no-keras-metadata",
            LoadOutcome.FAILS,
            "the SavedModel was written by tf.saved_model.save and lacks the Keras metadata",
            "ValueError: Unable to create a Keras model from SavedModel. This SavedModel was "
            "exported with `tf.saved_model.save`, and lacks the Keras metadata file.",
            "tf.saved_model.load and call its signature; save with model.save",
        )


def _revived_whole(artifact: Artifact) -> bool:
    """Whether TensorFlow 1.15 revives the model from its functions, not from its config.

    It does so for what it cannot make: subclassed models, own layers, ragged inputs.
    """
    architecture = artifact.architecture
    if architecture is None or not architecture.layers:
        return True
    return any(layer.custom or layer.config.get("ragged") is True for layer in architecture.layers)


def _old_table(context: CheckContext) -> bool:
    """Lookup tables of the preprocessing layers moved in Keras 2.7."""
    writer = context.writer
    return writer is not None and writer.keras < (2, 7) <= context.profile.keras


def _newer_than(artifact: Artifact, version: tuple[int, ...]) -> bool:
    return numbers(artifact.provenance.keras or "") >= version


def _revived(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers that are made again from their config, Lambdas among them.

    A layer whose config does not fit is revived from its saved functions instead, so an unknown
    argument matters only in the InputLayers of a Sequential model, which has nothing else.
    Keras 2.5 to 2.11 refuse such a layer if its class is one of their own.
    """
    architecture = artifact.architecture
    if architecture is None:
        return
    profile = context.profile
    for layer in architecture.layers:
        if (2, 5) <= profile.keras < (2, 12) and not layer.is_model:
            name, given = layer.class_name, set(layer.config)
            # No values: nobody edits the config of a SavedModel by hand.
            yield from unknown_arguments(name, "layers", given, context, layer.route, {})
        if has(layer.class_name, Trait.VOCABULARY) and _old_table(context):
            yield Reason(
                "lookup-table-of-old-version",
                LoadOutcome.FAILS,
                f"the table of {layer.route} was saved by TensorFlow 2.6 or older, and "
                f"{profile.name} looks for it elsewhere",
                "AssertionError: Found 2 Python objects that were not bound to checkpointed values",
                "tf.saved_model.load and call its signature",
                layer.route,
            )
        if profile.keras < (2, 5) and layer.class_name == "MultiHeadAttention":
            yield Reason(
                "attention-of-old-version",
                LoadOutcome.DIFFERS,
                f"{profile.name} makes {layer.route} again without the shapes that it was built "
                "with, and it computes something else",
                "no error",
                "tf.saved_model.load and call its signature",
                layer.route,
            )
    for layer in architecture.layers:
        if layer.class_name == "Lambda":
            found = [
                reason
                for reason in match_lambda.check(
                    "Lambda", layer.config, context, layer.route, archive=False
                )
                if reason.code == "lambda-may-crash"
            ]
            yield from found
        elif layer.class_name == "InputLayer" and architecture.class_name == "Sequential":
            given = set(layer.config)
            yield from unknown_arguments("InputLayer", "layers", given, context, layer.route, {})
