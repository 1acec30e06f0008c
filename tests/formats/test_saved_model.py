from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Format
from modelaudit.formats.protos import saved_messages_pb2 as pb
from modelaudit.formats.saved_model import read_saved_model
from modelaudit.settings import Limits
from tests.formats.bundle_writer import BundleWriter, write_bundle

LIMITS = Limits()
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def tf1_message():
    """One MetaGraph: y = x @ w, with a saver, an asset and an initialiser."""
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
    return message


def write(root: Path, message: pb.SavedModel, variables: bool = True) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "saved_model.pb").write_bytes(message.SerializeToString())
    if variables:
        write_bundle(root / "variables" / "variables", {"w": np.eye(2, 3, dtype="float32")})
    return root


def kinds(artifact):
    return sorted((str(problem.kind), problem.file) for problem in artifact.problems)


def test_a_tf1_saved_model(tmp_path):
    artifact = read_saved_model(write(tmp_path, tf1_message()), LIMITS)
    assert (artifact.format, artifact.complete) == (Format.SAVEDMODEL_TF1, True)
    assert artifact.problems == ()
    provenance = artifact.provenance
    assert (provenance.tensorflow, provenance.producer) == ("1.12.0", 27)
    assert provenance.tensorflow_git == "b'v1.12.0-rc0-2760-g5e1ab96'"  # as written
    assert provenance.exporter == "tf1-builder"
    (signature,) = artifact.signatures
    assert (signature.name, signature.tags) == ("serving_default", ("serve",))
    assert (signature.inputs[0].shape, signature.outputs[0].shape) == ((None, 2), None)
    (graph,) = artifact.graphs
    assert graph.init_ops == ("main", "init")
    assert graph.assets == {"asset:0": "foo.txt"}
    assert graph.collections["saved_model_assets"] == ("foo.txt",)
    (kernel,) = artifact.kernels
    assert (kernel.tensor, kernel.kind, kernel.shape) == ("w", "dense", (2, 3))


def test_text_says_the_same(tmp_path):
    binary = read_saved_model(write(tmp_path / "b", tf1_message()), LIMITS)
    folder = write(tmp_path / "t", tf1_message())
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(tf1_message()))
    artifact = read_saved_model(folder, LIMITS)
    assert artifact.graphs == binary.graphs
    assert artifact.signatures == binary.signatures
    assert artifact.tensors == binary.tensors


def test_variables_that_were_never_committed(tmp_path):
    artifact = read_saved_model(write(tmp_path, tf1_message(), variables=False), LIMITS)
    assert kinds(artifact) == [("missing-file", "variables/variables.index")]
    assert not artifact.complete


def test_a_model_of_constants_needs_no_variables(tmp_path):
    message = tf1_message()
    message.meta_graphs[0].graph_def.node[1].op = "Const"
    artifact = read_saved_model(write(tmp_path, message, variables=False), LIMITS)
    assert (artifact.complete, artifact.problems) == (True, ())


def test_missing_shard_is_incomplete(tmp_path):
    write(tmp_path, tf1_message())
    (tmp_path / "variables" / "variables.data-00000-of-00001").unlink()
    artifact = read_saved_model(tmp_path, LIMITS)
    (problem,) = artifact.problems
    assert (problem.kind, problem.evidence) == ("missing-shard", {"needed": 24})
    assert not artifact.complete


def test_every_meta_graph_is_read(tmp_path):
    message = tf1_message()
    message.meta_graphs.add().CopyFrom(message.meta_graphs[0])
    message.meta_graphs[1].meta_info_def.tags[:] = ["train"]
    artifact = read_saved_model(write(tmp_path, message), LIMITS)
    assert [graph.tags for graph in artifact.graphs] == [("serve",), ("train",)]
    assert [signature.tags for signature in artifact.signatures] == [("serve",), ("train",)]


def test_foreign_files_and_nested_models(tmp_path):
    write(tmp_path, tf1_message())
    write(tmp_path / "1", tf1_message())
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "foo.txt").write_text("x")
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "config.pb").write_bytes(b"")
    (tmp_path / "run.py").write_text("print()")
    artifact = read_saved_model(tmp_path, LIMITS)
    assert {entry.path: entry.role for entry in artifact.files} == {
        "saved_model.pb": "graph",
        "variables/variables.index": "index",
        "variables/variables.data-00000-of-00001": "weights",
        "assets/foo.txt": "asset",
        "assets.extra/config.pb": "asset",
        "run.py": "foreign",
    }
    assert kinds(artifact) == [("leftover", "run.py")]


def test_links_out_of_the_model_are_told_and_not_followed(tmp_path):
    outside = tmp_path / "secret"
    outside.write_text("do not read")
    root = write(tmp_path / "model", tf1_message())
    (root / "assets").mkdir()
    (root / "assets" / "words.txt").symlink_to(outside)
    (root / "inside").symlink_to(root / "saved_model.pb")
    (root / "loop").symlink_to(root / "loop")
    artifact = read_saved_model(root, LIMITS)
    unsafe = [problem for problem in artifact.problems if problem.kind == "unsafe-path"]
    told = {problem.file: problem.evidence["link"] for problem in unsafe}
    assert told["assets/words.txt"] == str(outside)
    assert "loop" in {problem.file for problem in artifact.problems}
    assert "assets/words.txt" not in {entry.path for entry in artifact.files}
    assert "inside" in {entry.path for entry in artifact.files}


def test_graph_that_is_a_link_out_is_refused(tmp_path):
    root = write(tmp_path / "model", tf1_message())
    (root / "saved_model.pb").rename(tmp_path / "elsewhere")
    (root / "saved_model.pb").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReadError) as caught:
        read_saved_model(root, LIMITS)
    assert caught.value.kind == "unsafe-path"


def test_number_of_files_is_bounded(tmp_path):
    write(tmp_path, tf1_message())
    with pytest.raises(LimitExceeded):
        read_saved_model(tmp_path, Limits(files=2))


@pytest.mark.parametrize(
    ("content", "kind"), [(b"", "empty"), (b"\xff\xff", "corrupt"), (None, "missing-file")]
)
def test_no_saved_model(tmp_path, content, kind):
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ReadError) as caught:
        read_saved_model(tmp_path, LIMITS)
    assert caught.value.kind == kind


def test_saved_model_without_a_graph(tmp_path):
    message = pb.SavedModel(saved_model_schema_version=1)
    artifact = read_saved_model(write(tmp_path, message, variables=False), LIMITS)
    assert kinds(artifact) == [("corrupt", "saved_model.pb")]
    assert not artifact.complete


def test_what_is_left_when_the_graph_is_gone(tmp_path):
    whole = read_saved_model(write(tmp_path, tf1_message()), LIMITS)
    (tmp_path / "saved_model.pb").unlink()
    artifact = read_saved_model(tmp_path, LIMITS)
    assert kinds(artifact) == [("missing-file", "saved_model.pb")]
    assert not artifact.complete
    assert artifact.format is Format.SAVEDMODEL_TF1
    assert {t.name: t.sha256 for t in artifact.tensors} == {t.name: t.sha256 for t in whole.tensors}
    assert [entry.path for entry in artifact.files] == [
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]


def test_fingerprint_hashes_keep_all_their_bits(tmp_path):
    write(tmp_path, tf1_message())
    fingerprint = pb.FingerprintDef(saved_model_checksum=(1 << 64) - 1, uuid="1-2")
    fingerprint.version.producer = 3
    (tmp_path / "fingerprint.pb").write_bytes(fingerprint.SerializeToString())
    facts = read_saved_model(tmp_path, LIMITS).extra["fingerprint"]
    assert facts["saved_model_checksum"] == "18446744073709551615"
    assert (facts["uuid"], facts["producer"]) == ("1-2", 3)


# ---- TF2 ------------------------------------------------------------------------------------

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


def _keras_variables(root: Path, copy: float | None = None) -> None:
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
        kept[0].children.add(local_name="_all_variables", node_id=3)
        again.attributes.add(name="VARIABLE_VALUE", checkpoint_key=f"_all_variables{SUFFIX}")
        values = np.arange(18, dtype="float32").reshape(3, 3, 1, 2) + np.float32(copy)
        writer.add(f"_all_variables{SUFFIX}", values)
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
    _keras_variables(root)
    return root


@pytest.mark.parametrize("inside", [False, True])
def test_a_keras2_saved_model(tmp_path, inside):
    artifact = read_saved_model(tf2_model(tmp_path, metadata_inside=inside), LIMITS)
    assert (artifact.format, artifact.complete) == (Format.SAVEDMODEL_TF2, True)
    assert artifact.problems == ()
    assert (artifact.provenance.keras, artifact.provenance.exporter) == ("2.8.0", "keras2-save")
    assert artifact.training == {"loss": "mse"}
    name = "layer_with_weights-0/kernel"
    assert artifact.architecture.layer("c").variables == {"kernel": name}
    assert artifact.kernels[0].tensor == name
    assert (artifact.kernels[0].route, artifact.kernels[0].strides) == ("c", (1, 1))
    assert artifact.extra["config_differs"] == []
    variable = artifact.object_graph[2]
    assert variable.detail["shape"] == [3, 3, 1, 2]
    assert variable.attributes["VARIABLE_VALUE"]["full_name"] == "c/kernel"
    assert artifact.object_graph[3].detail["captures"] == {"serve": [2]}


def test_config_that_tells_another_model_than_the_graph(tmp_path):
    artifact = read_saved_model(tf2_model(tmp_path, graph_strides=2), LIMITS)
    assert artifact.extra["config_differs"] == [
        {
            "tensor": "layer_with_weights-0/kernel",
            "field": "strides",
            "config": [1, 1],
            "graph": [2, 2],
        }
    ]


def test_variables_of_another_shape_are_restore_facts(tmp_path):
    tf2_model(tmp_path)
    message = pb.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    message.meta_graphs[0].object_graph_def.nodes[2].variable.shape.dim[3].size = 7
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    (entry,) = read_saved_model(tmp_path, LIMITS).extra["restore"]["shapes"]
    assert (entry["expected"], entry["stored"]) == ([3, 3, 1, 7], [3, 3, 1, 2])


def test_variable_without_a_key_is_missing(tmp_path):
    tf2_model(tmp_path)
    message = pb.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    objects = message.meta_graphs[0].object_graph_def
    objects.nodes.add().variable.name = "lost"
    objects.nodes[1].children.add(local_name="lost", node_id=4)
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    assert read_saved_model(tmp_path, LIMITS).extra["restore"]["missing"] == ["lost"]


@pytest.mark.parametrize("difference", [0.0, 1.0])
def test_a_second_copy_of_a_weight_counts_once_or_diverges(tmp_path, difference):
    tf2_model(tmp_path)
    message = pb.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    objects = message.meta_graphs[0].object_graph_def
    objects.nodes.add().variable.CopyFrom(objects.nodes[2].variable)
    objects.nodes[0].children.add(local_name="_all_variables", node_id=4)
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    _keras_variables(tmp_path, copy=difference)
    artifact = read_saved_model(tmp_path, LIMITS)
    name = "layer_with_weights-0/kernel"
    differs = {"used": name, "copy": "_all_variables"}
    assert artifact.extra["restore"]["divergent"] == ([differs] if difference else [])
    assert artifact.tensor(name).role == "weight"
    assert artifact.tensor("_all_variables").role == ("weight" if difference else "other")


@pytest.mark.parametrize("metadata", [b"\xff", b"\x0a\x06\x10\x00\x2a\x02no"])
def test_broken_keras_metadata_leaves_the_rest(tmp_path, metadata):
    tf2_model(tmp_path)
    (tmp_path / "keras_metadata.pb").write_bytes(metadata)
    artifact = read_saved_model(tmp_path, LIMITS)
    assert {problem.file for problem in artifact.problems} == {"keras_metadata.pb"}
    assert artifact.architecture is None
    assert [kernel.tensor for kernel in artifact.kernels] == ["layer_with_weights-0/kernel"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_mutated_models_raise_nothing_but_read_errors(tmp_path, data):
    tf2_model(tmp_path)
    name = data.draw(
        st.sampled_from(
            ["saved_model.pb", "keras_metadata.pb", "variables/variables.data-00000-of-00001"]
        )
    )
    content = bytearray((tmp_path / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(content)
    try:
        artifact = read_saved_model(tmp_path, LIMITS)
    except ReadError:
        return
    for graph in artifact.graphs:  # lazy attributes too
        for node in graph.nodes:
            dict(node.attrs)
