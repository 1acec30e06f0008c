"""A SavedModel's graph against the operations of a runtime, and against its loaders."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from modelaudit.facts import Artifact, Format, Signature
from modelaudit.runtimes import differences, match_lambda
from modelaudit.runtimes.catalogue import has_keras2_objects
from modelaudit.runtimes.graph_usage import graph_nodes, usage_of
from modelaudit.runtimes.match_config import unknown_arguments
from modelaudit.runtimes.model import Call, Context, Predicted, Reason
from modelaudit.runtimes.profile import numbers

LOOKUPS = ("TextVectorization", "StringLookup", "IntegerLookup")
KERAS_METADATA = "keras_metadata.pb"
# First TensorFlow that makes Python parameters of signature inputs and so wants names that can be
# one: of functions saved by TensorFlow 2 (seen between 2.8 and 2.12), of object graphs of 1.15
# (between 2.12 and 2.15) and of graphs without objects (between 2.18 and 2.21).
NAMES_CHECKED = (2, 10)
NAMES_CHECKED_IN_TF1_OBJECTS = (2, 14)
NAMES_CHECKED_IN_TF1_GRAPHS = (2, 20)
SIGNATURES = ("serving_default", "serve")
EXPORT = "the old version, or a newer TensorFlow to load it with"
BY_NAME = "call the signature with keyword arguments: tf.saved_model.load(...).signatures[...](x=…)"


def check(artifact: Artifact, context: Context) -> Iterator[Reason]:
    """Reasons of one of the calls that take a SavedModel's directory."""
    call = context.request.call
    if call is Call.LOAD_MODEL:
        yield from _load_model(artifact, context)
    elif call is Call.SESSION:
        yield from _operations(artifact, context)
    elif call in (Call.SAVED_MODEL, Call.TFSM_LAYER):
        yield from _operations(artifact, context)
        yield from _casts(artifact)
        yield from differences.graph_addition(artifact, context)
        yield from _argument_names(artifact, context)
        yield from _protocol(artifact, context)
        if call is Call.TFSM_LAYER:
            yield from _layer(artifact)


def _operations(artifact: Artifact, context: Context) -> Iterator[Reason]:
    """The first operation, and the first attribute, that the runtime does not have.

    A session imports the main graph, and takes functions as they are until one is called. The
    object loader makes the functions, and never looks at the main graph.
    """
    by_objects = (
        context.request.call is not Call.SESSION and artifact.format is Format.SAVEDMODEL_TF2
    )
    usage = usage_of(artifact)
    unknown = next(
        (
            place
            for (in_main, op), place in usage.operations.items()
            if not (in_main and by_objects) and context.profile.attributes(op) is None
        ),
        None,
    )
    attribute = next(
        (
            (*place, name)
            for (in_main, op, name), place in usage.attributes.items()
            if in_main != by_objects
            and (known := context.profile.attributes(op)) is not None
            and name not in known
        ),
        None,
    )
    if unknown:
        where, node = unknown
        yield Reason(
            "unknown-operation",
            Predicted.FAILS,
            f"the graph has the operation {node.op} ({where}), which {context.profile.name} does "
            "not have",
            f"NotFoundError: Op type not registered '{node.op}' in binary running on …. Make sure "
            "the Op and Kernel are registered in the binary running in this process.",
            f"import the library that defines the operation; else export from {EXPORT}",
            f"{where}/{node.name}",
        )
    elif attribute:
        where, node, name = attribute
        yield Reason(
            "unknown-attribute",
            Predicted.FAILS,
            f"{node.op} in {where} has the attribute {name}, which {context.profile.name} does not "
            "know",
            f"ValueError: NodeDef mentions attr '{name}' not in Op<name={node.op}; …>",
            f"export from {EXPORT}",
            f"{where}/{node.name}",
        )


def _argument_names(artifact: Artifact, context: Context) -> Iterator[Reason]:
    """Signature inputs that are no Python parameter names."""
    if artifact.format is Format.SAVEDMODEL_TF1:
        first = NAMES_CHECKED_IN_TF1_GRAPHS
    elif context.writer is not None and context.writer.tensorflow < (2,):
        first = NAMES_CHECKED_IN_TF1_OBJECTS
    else:
        first = NAMES_CHECKED
    if context.profile.tensorflow < first:
        return
    for signature in artifact.signatures:
        for endpoint in signature.inputs:
            name = endpoint.name
            if keyword.iskeyword(name) or not name.isidentifier():
                yield Reason(
                    "parameter-name",
                    Predicted.FAILS,
                    f"input {name} of the signature {signature.name} is no name that a Python "
                    "parameter can have",
                    f"ValueError: '{name}' is not a valid parameter name",
                    "use tf.compat.v1.saved_model.load in a session, or TensorFlow 2.8 and older",
                    f"signatures/{signature.name}/{name}",
                )
                return


def _protocol(artifact: Artifact, context: Context) -> Iterator[Reason]:
    """Lookup tables: their save functions take tensors up to 2.12 and text from 2.13 on."""
    tensorflow = context.profile.tensorflow
    if tensorflow >= (2, 13) or tensorflow < (2, 7):
        return
    if context.writer is None or context.writer.tensorflow < (2, 13):
        return
    tables = ("HashTableV2", "MutableHashTableV2", "MutableHashTableOfTensorsV2")
    for (_, op), (where, node) in usage_of(artifact).operations.items():
        if op in tables:
            yield Reason(
                "save-function-protocol",
                Predicted.FAILS,
                f"the lookup table {node.name} was saved by TensorFlow 2.13 or newer, whose save "
                f"functions {context.profile.name} cannot call",
                "TypeError: save_fn(checkpoint_key) expected a Tensor in checkpoint_key, but got "
                "str value",
                "use TensorFlow 2.13 or newer",
                where,
            )
            return


def _casts(artifact: Artifact) -> Iterator[Reason]:
    """Keras 3.3 traced text inputs as float32 and casts them, for which there is no kernel."""
    if not any(op == "Cast" for _, op in usage_of(artifact).operations):
        return
    for graph in artifact.graphs:
        for where, node in graph_nodes(graph):
            if node.op == "Cast" and node.attrs.get("DstT") == "string":
                yield Reason(
                    "cast-to-text",
                    Predicted.FAILS,
                    f"{where} casts its {node.attrs.get('SrcT')} input to text: the signature was "
                    "traced with the wrong type, and takes neither text nor numbers",
                    "TypeError: Cannot convert [...] to EagerTensor of dtype float",
                    "export again with model.export() and an input_signature of tf.string",
                    f"{where}/{node.name}",
                )
                return


def serving(artifact: Artifact) -> Signature | None:
    """The signature that TFSMLayer takes by default."""
    by_name = {signature.name: signature for signature in artifact.signatures}
    return next((by_name[name] for name in SIGNATURES if name in by_name), None)


def _layer(artifact: Artifact) -> Iterator[Reason]:
    """TFSMLayer, a layer around one signature."""
    signature = serving(artifact)
    if signature is None:
        yield Reason(
            "no-signature",
            Predicted.FAILS,
            "the SavedModel has no signature serving_default",
            "ValueError: The endpoint 'serving_default' is neither an attribute of the reloaded "
            "SavedModel nor an entry in the `signatures` field",
            "name another endpoint: keras.layers.TFSMLayer(path, call_endpoint=...)",
        )
    elif len(signature.inputs) > 1 and not _exported(artifact):
        yield Reason(
            "several-inputs",
            Predicted.FAILS,
            f"the signature {signature.name} has {len(signature.inputs)} inputs, which a TFSMLayer "
            "hands over by position",
            "TypeError: Exception encountered when calling TFSMLayer.call(). Binding inputs to "
            "tf.function failed due to `too many positional arguments`",
            BY_NAME,
            f"signatures/{signature.name}",
        )
    elif signature.inputs and signature.inputs[0].dtype in ("float16", "bfloat16"):
        yield Reason(
            "half-precision-input",
            Predicted.FAILS,
            f"input {signature.inputs[0].name} of {signature.name} is {signature.inputs[0].dtype}, "
            "and a TFSMLayer hands over float32",
            "TypeError: Exception encountered when calling TFSMLayer.call(). Binding inputs to "
            "tf.function failed",
            "cast the inputs, and give the layer dtype='float16'",
            f"signatures/{signature.name}",
        )


def _exported(artifact: Artifact) -> bool:
    """Whether Keras' `export` made it: its endpoint `serve` takes the inputs as one structure."""
    return artifact.provenance.exporter == "keras3-export" and any(
        signature.name == "serve" for signature in artifact.signatures
    )


def _load_model(artifact: Artifact, context: Context) -> Iterator[Reason]:
    """`load_model` on a directory: Keras 2 makes its own objects, Keras 3 refuses."""
    profile = context.profile
    if profile.keras3:
        yield Reason(
            "savedmodel-in-keras-3",
            Predicted.FAILS,
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
            Predicted.FAILS,
            "the SavedModel holds functions and no Keras model",
            "AttributeError: '_UserObject' object has no attribute 'predict'",
            "tf.saved_model.load and call its signature",
        )
        return
    yield from _metadata(artifact, context)
    yield from _operations(artifact, context)
    yield from _argument_names(artifact, context)
    yield from _protocol(artifact, context)
    yield from _revived(artifact, context)


def _metadata(artifact: Artifact, context: Context) -> Iterator[Reason]:
    """From 2.5 on the Keras metadata stand in a file of their own."""
    own_file = any(entry.path == KERAS_METADATA for entry in artifact.files)
    inside = not own_file and bool(artifact.documents)
    old_loader = context.profile.keras < (2, 3) and _newer_than(artifact, (2, 3))
    if inside and old_loader and not _revived_whole(artifact):
        yield Reason(
            "keras-objects-of-newer-version",
            Predicted.FAILS,
            f"{context.profile.name} makes no Keras model of what a newer Keras saved",
            "AttributeError: 'Functional' object has no attribute 'predict'",
            "tf.saved_model.load and call its signature",
        )
    elif own_file and context.profile.keras < (2, 5):
        yield Reason(
            "metadata-in-other-file",
            Predicted.FAILS,
            f"the Keras metadata stand in {KERAS_METADATA}, where {context.profile.name} does not "
            "look",
            "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
            "tf.saved_model.load and call its signature",
        )
    elif not own_file and not inside:
        yield Reason(
            "no-keras-metadata",
            Predicted.FAILS,
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


def _old_table(context: Context) -> bool:
    """Lookup tables of the preprocessing layers moved in Keras 2.7."""
    writer = context.writer
    return writer is not None and writer.keras < (2, 7) <= context.profile.keras


def _newer_than(artifact: Artifact, version: tuple[int, ...]) -> bool:
    return numbers(artifact.provenance.keras or "") >= version


def _revived(artifact: Artifact, context: Context) -> Iterator[Reason]:
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
            yield from unknown_arguments(name, "layers", given, context, layer.route)
        if layer.class_name in LOOKUPS and _old_table(context):
            yield Reason(
                "lookup-table-of-old-version",
                Predicted.FAILS,
                f"the table of {layer.route} was saved by TensorFlow 2.6 or older, and "
                f"{profile.name} looks for it elsewhere",
                "AssertionError: Found 2 Python objects that were not bound to checkpointed values",
                "tf.saved_model.load and call its signature",
                layer.route,
            )
        if profile.keras < (2, 5) and layer.class_name == "MultiHeadAttention":
            yield Reason(
                "attention-of-old-version",
                Predicted.DIFFERS,
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
            yield from unknown_arguments("InputLayer", "layers", given, context, layer.route)
