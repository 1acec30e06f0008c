"""SavedModels made without TensorFlow, with our own message schema and bundle writer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.formats.bundle_writer import BundleWriter, write_bundle

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def tf1_message():
    """One MetaGraph: y = x @ w, with a saver, an asset and an initializer."""
    message = pb.SavedModel(saved_model_schema_version=1)
    meta = message.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "1.12.0"
    meta.meta_info_def.tensorflow_git_version = "b'v1.12.0-rc0-2760-g5e1ab96'"
    meta.graph_def.versions.producer = 27
    meta.graph_def.node.add(name="x", op="Placeholder")
    meta.graph_def.node.add(name="w", op="VariableV2")
    meta.graph_def.node.add(name="y", op="MatMul", input=["x", "w"])
    meta.saver_def.restore_op_name = "save/restore_all"
    signature = meta.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["x"].name = "x:0"
    signature.inputs["x"].dtype = pb.DT_FLOAT
    signature.inputs["x"].tensor_shape.dim.add(size=-1)
    signature.inputs["x"].tensor_shape.dim.add(size=2)
    signature.outputs["y"].name = "y:0"
    signature.outputs["y"].dtype = pb.DT_FLOAT
    signature.outputs["y"].tensor_shape.unknown_rank = True
    meta.signature_def["__saved_model_init_op"].outputs["op"].name = "init:0"
    meta.collection_def["saved_model_main_op"].node_list.value.append("main")
    packed = meta.collection_def["saved_model_assets"].any_list.value.add()
    packed.type_url = "type.googleapis.com/tensorflow.AssetFileDef"
    asset = pb.AssetFileDef(filename="foo.txt")
    asset.tensor_info.name = "asset:0"
    packed.value = asset.SerializeToString()
    complete(meta.graph_def)
    return message


def complete(graph: pb.GraphDef) -> None:
    """Give each operation the attributes that it must have, empty."""
    known = known_operations()
    for node in (*graph.node, *(node for each in graph.library.function for node in each.node_def)):
        for key in known[node.op].needed if node.op in known else ():
            node.attr[key].SetInParent()


def write(root: Path, message: pb.SavedModel, variables: bool = True) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for meta in message.meta_graphs:
        complete(meta.graph_def)
    (root / "saved_model.pb").write_bytes(message.SerializeToString())
    if variables:
        write_bundle(root / "variables" / "variables", {"w": np.eye(2, 3, dtype="float32")})
    return root


CONV = {
    "class_name": "Conv2D",
    "config": {
        "name": "c",
        "filters": 2,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "same",
        "activation": "relu",
        "use_bias": False,
        "batch_input_shape": [None, 8, 8, 1],
    },
}
ROOT = {
    "class_name": "Sequential",
    "config": {"name": "m", "layers": [CONV]},
    "keras_version": "2.8.0",
    "backend": "tensorflow",
    "training_config": {"loss": "mse"},
}


def _convolving_graph(meta: pb.MetaGraphDef, graph_strides: int) -> None:
    graph = meta.graph_def
    graph.node.add(name="x", op="Placeholder")
    graph.node.add(name="handle", op="VarHandleOp")
    call = graph.node.add(name="call", op="StatefulPartitionedCall", input=["x", "handle"])
    call.attr["f"].func.name = "serve"
    body = graph.library.function.add()
    body.signature.name = "serve"
    body.signature.input_arg.add(name="x", type=pb.DT_FLOAT)
    body.signature.input_arg.add(name="unknown", type=pb.DT_RESOURCE)
    body.signature.output_arg.add(name="y")
    body.ret["y"] = "relu:activations:0"
    body.node_def.add(name="read", op="ReadVariableOp", input=["unknown"])
    conv = body.node_def.add(name="conv", op="Conv2D", input=["x", "read:value:0"])
    conv.attr["strides"].list.i.extend([1, graph_strides, graph_strides, 1])
    conv.attr["padding"].s = b"SAME"
    body.node_def.add(name="relu", op="Relu", input=["conv:output:0"])
    meta.signature_def["serving_default"].outputs["y"].name = "call:0"


def keras_variables(root: Path, copy: float | None = None, where: str = "_all_variables") -> None:
    stored = pb.TrackableObjectGraph()
    kept = [stored.nodes.add() for _ in range(3)]
    kept[0].children.add(local_name="layer_with_weights-0", node_id=1)
    kept[1].children.add(local_name="kernel", node_id=2)
    key = f"layer_with_weights-0/kernel{SUFFIX}"
    kept[2].attributes.add(name="VARIABLE_VALUE", full_name="c/kernel", checkpoint_key=key)
    writer = BundleWriter(root / "variables" / "variables")
    writer.add(key, np.arange(18, dtype="float32").reshape(3, 3, 1, 2))
    if copy is not None:
        again = stored.nodes.add()
        kept[0].children.add(local_name=where, node_id=3)
        again.attributes.add(name="VARIABLE_VALUE", checkpoint_key=f"{where}{SUFFIX}")
        values = np.arange(18, dtype="float32").reshape(3, 3, 1, 2) + np.float32(copy)
        writer.add(f"{where}{SUFFIX}", values)
    writer.add_strings("_CHECKPOINTABLE_OBJECT_GRAPH", [stored.SerializeToString()], ())
    writer.write()


def tf2_model(root: Path, *, metadata_inside: bool = False, graph_strides: int = 1) -> Path:
    """A Keras 2 SavedModel of one convolution, captured by one signature function."""
    message = pb.SavedModel(saved_model_schema_version=1)
    meta = message.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "2.8.0"
    _convolving_graph(meta, graph_strides)
    objects = meta.object_graph_def
    nodes = [objects.nodes.add() for _ in range(4)]
    nodes[0].user_object.identifier = "_tf_keras_sequential"
    nodes[0].children.add(local_name="layer_with_weights-0", node_id=1)
    nodes[0].children.add(local_name="signatures", node_id=3)
    nodes[1].user_object.identifier = "_tf_keras_layer"
    nodes[1].children.add(local_name="kernel", node_id=2)
    nodes[2].variable.name = "c/kernel"
    nodes[2].variable.dtype = pb.DT_FLOAT
    for size in (3, 3, 1, 2):
        nodes[2].variable.shape.dim.add(size=size)
    nodes[3].bare_concrete_function.concrete_function_name = "serve"
    objects.concrete_functions["serve"].bound_inputs.append(2)
    texts = {0: json.dumps(ROOT), 1: json.dumps({"name": "c", **CONV})}
    if metadata_inside:
        for index, text in texts.items():
            nodes[index].user_object.metadata = text
    write(root, message, variables=False)
    if not metadata_inside:
        metadata = pb.KerasMetadata()
        identifiers = {0: "_tf_keras_sequential", 1: "_tf_keras_layer"}
        for index, text in texts.items():
            metadata.nodes.add(node_id=index, identifier=identifiers[index], metadata=text)
        (root / "keras_metadata.pb").write_bytes(metadata.SerializeToString())
    keras_variables(root)
    return root
