"""The loading calls of TensorFlow and Keras, by name.

Each takes a path and returns an adapter, or raises the error that a user would see. All run in the
sandbox. Python 3.7 syntax; TensorFlow 1.15 and later, which is passed in.
"""

from __future__ import annotations

import base64
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .adapters import AdapterError, KerasModel, LoadedModel
from .callables import only_function
from .graph_adapters import SessionModel, SignatureModel
from .graph_heads import choose_outputs, label, needed_sources
from .lite_adapter import interpret

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .frames import Untyped

    Loader = Callable[["LoadContext"], LoadedModel]

KERAS_HUB = "keras_hub"  # only where presets are run
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # key of the object graph in a checkpoint


class LoadContext:
    """Modules of the runtime, the request, and values of weights that came with it."""

    def __init__(
        self, tf: Untyped, keras: Untyped, request: dict[str, Any], values: dict[str, NDArray[Any]]
    ) -> None:
        self.tf, self.keras, self.values = tf, keras, values
        self.weights, self.graph = request.get("weights") or [], request.get("graph")
        self.path = str(request["path"])
        self.architecture, self.signature = request.get("architecture"), request.get("signature")
        self.tags = request.get("tags") or ["serve"]
        self.tensors_in, self.tensors_out = (request.get(k) or [] for k in ("inputs", "outputs"))
        self.threads = int(request["threads"])

    def session(self, graph: Untyped) -> Untyped:
        """A TensorFlow 1 session on `graph` with a limited number of threads."""
        v1 = self.tf.compat.v1
        config = v1.ConfigProto(
            intra_op_parallelism_threads=self.threads,
            inter_op_parallelism_threads=self.threads,
            allow_soft_placement=True,  # graphs may name the GPU that they were made on
        )
        return v1.Session(graph=graph, config=config)


def run_ops_directly(tf: Untyped) -> None:
    """Run each op directly when it is called, instead of in a function created at its first use.

    Newer versions of TensorFlow create one for each kind of op, which takes a considerable part of
    the time in a process with one small model. Results are equal up to rounding. There is no
    public switch; versions without this one are not changed.
    """
    wrapper = sys.modules.get("tensorflow.python.pywrap_tfe")
    switch = getattr(wrapper, "TFE_ContextSetRunEagerOpAsFunction", None)
    if switch is not None and tf.executing_eagerly():
        eager = sys.modules["tensorflow.python.eager.context"].context()
        eager.ensure_initialized()
        handle = getattr(eager, "_handle", None)
        if handle is not None:
            switch(handle, False)


def _need_keras(context: LoadContext) -> Untyped:
    if context.keras is None:
        raise AdapterError("this runtime has no Keras")
    run_ops_directly(context.tf)
    return context.keras


def load_model(context: LoadContext) -> LoadedModel:
    """`keras.models.load_model(path, compile=False)`, with Keras's default of safe mode."""
    keras = _need_keras(context)
    model = keras.models.load_model(context.path, compile=False)
    return KerasModel(context.tf, keras, model)


def saved_model_load(context: LoadContext) -> LoadedModel:
    """`tf.saved_model.load(path)` and one of its signatures; a session in TensorFlow 1."""
    if not context.tf.executing_eagerly():
        return session(context)
    run_ops_directly(context.tf)
    root = context.tf.saved_model.load(context.path)
    function = _choose(getattr(root, "signatures", {}), context.signature)
    if function is not None:
        return SignatureModel(context.tf, root, function)
    if hasattr(root, "prune"):  # a graph of TensorFlow 1, of which a session can run any tensor
        raise AdapterError("the SavedModel has no signature to call")
    try:
        function, call = only_function(context.tf, root)
    except AdapterError as error:
        return SignatureModel(context.tf, root, None, note=str(error))
    return SignatureModel(context.tf, root, function, call)


def from_preset(context: LoadContext) -> LoadedModel:
    """`from_preset` of the class of KerasHub that the directory names: a task, or a backbone."""
    keras = _need_keras(context)
    models, task = importlib.import_module(KERAS_HUB).models, Path(context.path, "task.json")
    name = json.loads(task.read_text())["class_name"] if task.exists() else "Backbone"
    return KerasModel(context.tf, keras, getattr(models, name).from_preset(context.path))


def _choose(signatures: Untyped, wanted: str | None) -> Untyped:
    if wanted is not None:
        if wanted not in signatures:
            raise AdapterError(f"no signature {wanted!r}; available: {sorted(signatures)}")
        return signatures[wanted]
    for name in ["serving_default", *sorted(signatures)]:
        if name in signatures and not name.startswith("__"):
            return signatures[name]
    return None


def tfsm_layer(context: LoadContext) -> LoadedModel:
    """`keras.layers.TFSMLayer(path, call_endpoint=…)`, Keras 3's way to load a SavedModel."""
    keras = _need_keras(context)
    if not hasattr(keras.layers, "TFSMLayer"):
        raise AdapterError("this Keras has no TFSMLayer")
    endpoint = context.signature or "serving_default"
    layer = keras.layers.TFSMLayer(context.path, call_endpoint=endpoint)
    root = layer._reloaded_obj
    function = _choose(root.signatures, endpoint if endpoint in root.signatures else None)
    if endpoint == "serving_default" and hasattr(root, "serve"):
        return _exported_layer(context, root, function)
    return SignatureModel(context.tf, root, function, lambda tensors: layer(*tensors.values()))


def _exported_layer(context: LoadContext, root: Untyped, function: Untyped) -> LoadedModel:
    """The layer for an export of Keras 3, whose `serve` takes the inputs as the model did."""
    layer = context.keras.layers.TFSMLayer(context.path, call_endpoint="serve")
    structure = root.serve.concrete_functions[0].structured_input_signature[0][0]

    def call(tensors: Untyped) -> Untyped:
        return layer(context.tf.nest.map_structure(lambda spec: tensors[spec.name], structure))

    return SignatureModel(context.tf, root, function, call)


def session(context: LoadContext) -> LoadedModel:
    """`tf.compat.v1.saved_model.loader.load` with the requested tags, or `serve`."""
    v1 = context.tf.compat.v1
    graph = v1.Graph()
    with graph.as_default():
        live = context.session(graph)
        meta = v1.saved_model.loader.load(live, context.tags, context.path)
        definition = _signature_def(meta, context.signature)
        if definition is None:
            inputs, outputs = _endpoints(context, graph)
            return SessionModel(context.tf, live, inputs, outputs)
        ports = []
        for entries in (definition.inputs, definition.outputs):
            names = [name for name in sorted(entries) if entries[name].name]
            ports.append([(n, graph.get_tensor_by_name(entries[n].name)) for n in names])
        return SessionModel(context.tf, live, ports[0], ports[1])


def _signature_def(meta: Untyped, wanted: str | None) -> Untyped:
    signatures = meta.signature_def
    for name in [wanted] if wanted else ["serving_default", *sorted(signatures)]:
        if name in signatures and not name.startswith("__") and signatures[name].inputs:
            return signatures[name]
    return None


def import_meta_graph(context: LoadContext) -> LoadedModel:
    """`tf.train.import_meta_graph(prefix + ".meta")` and `Saver.restore`."""
    v1 = context.tf.compat.v1
    graph = v1.Graph()
    with graph.as_default():
        saver = v1.train.import_meta_graph(context.path + ".meta", clear_devices=True)
        live = context.session(graph)
        if saver is None:  # the graph has no variables
            raise AdapterError("the graph has no variables to restore")
        saver.restore(live, context.path)
        inputs, outputs = _endpoints(context, graph)
        return SessionModel(context.tf, live, inputs, outputs)


def import_graph_def(context: LoadContext) -> LoadedModel:
    """`tf.import_graph_def` of a frozen graph, or of one given without its constants."""
    v1 = context.tf.compat.v1
    definition = v1.GraphDef()
    if context.graph:
        definition.ParseFromString(base64.b64decode(context.graph))
        _set_constants(context, definition)
    else:
        definition.ParseFromString(Path(context.path).read_bytes())
    graph = v1.Graph()
    with graph.as_default():
        v1.import_graph_def(definition, name="")
        inputs, outputs = _endpoints(context, graph)
        return SessionModel(context.tf, context.session(graph), inputs, outputs)


def _set_constants(context: LoadContext, definition: Untyped) -> None:
    """Give the constants of a graph their values, by their names."""
    functions = [each.node_def for each in definition.library.function]
    for nodes in [definition.node, *functions]:
        for node in nodes:
            if node.op != "Const":
                continue
            if node.name not in context.values:
                raise AdapterError(f"the constant {node.name} has no value in the weights")
            dtype = context.tf.as_dtype(node.attr["dtype"].type)
            value = context.values[node.name].astype(dtype.as_numpy_dtype)
            node.attr["value"].tensor.CopyFrom(context.tf.make_tensor_proto(value, dtype))


def lite_interpreter(context: LoadContext) -> LoadedModel:
    """An interpreter of TensorFlow Lite, for one signature or the main subgraph."""
    return interpret(context.tf, context.path, context.threads, context.signature)


def _endpoints(context: LoadContext, graph: Untyped) -> tuple[Any, Any]:
    """Inputs and outputs of a graph without signatures: as requested, or else inferred."""
    if context.tensors_out:
        outputs = [(n, graph.get_tensor_by_name(n)) for n in context.tensors_out]
    else:
        outputs = choose_outputs(graph)
    if context.tensors_in:
        return [(n, graph.get_tensor_by_name(n)) for n in context.tensors_in], outputs
    return [(label(t), t) for t in needed_sources(tensor for _, tensor in outputs)], outputs


def _rebuilt(context: LoadContext) -> tuple[Any, Any]:
    """The Keras module, and the model rebuilt from the architecture for the weights.

    The model is not compiled: an optimizer has variables of its own, and where the architecture
    does not name one, Keras 3 creates another than the one that was saved.
    """
    keras = _need_keras(context)
    if not context.architecture:
        raise AdapterError("only weights, without an architecture to load them into")
    config = json.loads(context.architecture, object_hook=_uncompiled)
    return keras, keras.models.model_from_json(json.dumps(config))


def _uncompiled(entry: dict[str, Any]) -> dict[str, Any]:
    """A serialized object without the settings of `compile`; other entries as they are."""
    if "class_name" in entry:
        entry.pop("compile_config", None)
    return entry


def load_weights(context: LoadContext) -> LoadedModel:
    """`model_from_json` with the given architecture, then `load_weights`."""
    keras, model = _rebuilt(context)
    model.load_weights(context.path)
    return KerasModel(context.tf, keras, model)


def model_from_json(context: LoadContext) -> LoadedModel:
    """`model_from_json` with the given architecture, then the given weights, layer by layer."""
    keras, model = _rebuilt(context)
    layers = {layer.name: layer for layer in model.layers}
    for name, given in context.weights:
        # Keras 2 stores the weights of a layer so, and those of a model in it.
        held = [*layers[name].trainable_weights, *layers[name].non_trainable_weights]
        if len(held) != len(given):
            raise AdapterError(f"{name} has {len(held)} weights, the file {len(given)}")
        for i, variable in enumerate(held):
            variable.assign(context.values[given[i]])
    return KerasModel(context.tf, keras, model)


def load_checkpoint(context: LoadContext) -> LoadedModel:
    """`tf.train.Checkpoint(…).read` into the given architecture; all variables must match.

    Only the model is restored, whatever else is in the checkpoint. If several objects in it may
    be the model, the first that matches is taken.
    """
    keras, model = _rebuilt(context)
    checkpoint, errors = context.tf.train.Checkpoint, []
    for key in _model_keys(context, model):
        holder = checkpoint(model) if key is None else checkpoint(**{key: model})
        try:
            # `read` restores what was saved; `restore` would also require a save counter.
            holder.read(context.path).assert_existing_objects_matched().expect_partial()
        except (AssertionError, ValueError) as error:  # not matched; another shape
            errors.append(error)
            keras, model = _rebuilt(context)
        else:
            return KerasModel(context.tf, keras, model)
    raise errors[0]


def _model_keys(context: LoadContext, model: Untyped) -> list[str | None]:
    """Keys of the objects in the checkpoint that are most like the model; None is the root.

    Restoring follows names of children, so the model is where most of them are its own. That does
    not depend on the names of the tensors, which Keras 3 stores below the optimizer if there is
    one.
    """
    reader = context.tf.train.load_checkpoint(context.path)
    protos = sys.modules["tensorflow.core.protobuf.trackable_object_graph_pb2"]
    graph = protos.TrackableObjectGraph.FromString(reader.get_tensor(OBJECT_GRAPH))
    places: dict[str | None, int] = {None: 0}
    places.update((child.local_name, child.node_id) for child in graph.nodes[0].children)

    if hasattr(model, "_trackable_children"):
        own = set(model._trackable_children())
    else:  # TensorFlow before 2.7
        model._maybe_initialize_trackable()
        own = {child.name for child in model._checkpoint_dependencies}
    alike = {
        key: len(own.intersection(child.local_name for child in graph.nodes[node].children))
        for key, node in places.items()
    }
    keys = [key for key, count in alike.items() if count == max(alike.values())]
    return sorted(keys, key=lambda key: (key is not None, key != "model"))


LOADERS: dict[str, Loader] = {
    "load_model": load_model,
    "from_preset": from_preset,
    "saved_model.load": saved_model_load,
    "TFSMLayer": tfsm_layer,
    "session": session,
    "import_meta_graph": import_meta_graph,
    "import_graph_def": import_graph_def,
    "lite.Interpreter": lite_interpreter,
    "load_weights": load_weights,
    "model_from_json": model_from_json,
    "load_checkpoint": load_checkpoint,
}


def load(
    tf: Untyped, keras: Untyped, request: dict[str, Any], values: dict[str, NDArray[Any]]
) -> LoadedModel:
    """Load the model with the loading call `request["call"]`."""
    context = LoadContext(tf, keras, request, values)
    if not Path(context.path).is_absolute():
        raise AdapterError("the path must be absolute")
    return LOADERS[str(request["call"])](context)
