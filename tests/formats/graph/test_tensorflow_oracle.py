"""Files written by TensorFlow: its own reading compared with ours."""

from __future__ import annotations

import os

import numpy as np
import pytest

from modelaudit.facts import Format
from modelaudit.formats.checkpoint.reader import read_checkpoint
from modelaudit.formats.graph.frozen_graph import read_frozen_graph
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
LIMITS = Limits()


def assert_same_tensors(tf, prefix, artifact):
    """Assert that exactly the tensors listed by TensorFlow are read, bit by bit."""
    reader = tf.train.load_checkpoint(os.fspath(prefix))
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    listed = {key.removesuffix(suffix): key for key in reader.get_variable_to_shape_map()}
    assert {tensor.name for tensor in artifact.tensors} == set(listed)
    for tensor in artifact.tensors:
        expected = reader.get_tensor(listed[tensor.name])
        if tensor.dtype == "string":
            ours = tensor.source.array().tolist()
            assert ours == np.asarray(expected, dtype=object).tolist(), tensor.name
            continue
        assert tensor.shape == tuple(reader.get_variable_to_shape_map()[listed[tensor.name]])
        types = reader.get_variable_to_dtype_map()
        assert tensor.dtype == types[listed[tensor.name]].name
        np.testing.assert_array_equal(
            tensor.source.array(), np.asarray(expected).astype(tensor.source.array().dtype)
        )
        if tensor.stats and np.asarray(expected).size:
            wide = np.asarray(expected).astype(np.float64)
            assert tensor.stats.mean == pytest.approx(wide.mean(), rel=1e-12, abs=1e-12)
            assert tensor.stats.maximum == wide.max()


def assert_same_object_graph(tf, prefix, nodes):
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    reader = tf.train.load_checkpoint(os.fspath(prefix))
    proto = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )
    assert len(nodes) == len(proto.nodes)
    for ours, theirs in zip(nodes, proto.nodes, strict=True):
        assert ours.children == {child.local_name: child.node_id for child in theirs.children}
        assert ours.attributes == {
            item.name: {"full_name": item.full_name, "key": item.checkpoint_key}
            for item in theirs.attributes
        }
        assert ours.slots == tuple(
            (s.original_variable_node_id, s.slot_name, s.slot_variable_node_id)
            for s in theirs.slot_variables
        )


def assert_same_signatures(tf, path, artifact):
    loaded = tf.saved_model.load(os.fspath(path)).signatures
    assert {signature.name for signature in artifact.signatures} == set(loaded)
    for signature in artifact.signatures:
        function = loaded[signature.name]
        inputs = function.structured_input_signature[1]
        assert {item.name for item in signature.inputs} == set(inputs)
        for item in signature.inputs:
            assert item.dtype == inputs[item.name].dtype.name
            assert list(item.shape) == inputs[item.name].shape.as_list()
        outputs = function.structured_outputs
        assert {item.name: list(item.shape) for item in signature.outputs} == {
            name: spec.shape.as_list() for name, spec in outputs.items()
        }


@pytest.mark.parametrize("name", ["module_savedmodel", "keras3_export", "keras2_savedmodel"])
def test_saved_models_of_tf2(tf, made, name):
    path = made / name
    artifact = read_saved_model(path, LIMITS)
    assert (artifact.format, artifact.complete) == (Format.SAVEDMODEL_TF2, True)
    assert not artifact.problems
    assert artifact.provenance.tensorflow == tf.__version__
    assert_same_tensors(tf, path / "variables" / "variables", artifact)
    assert_same_signatures(tf, path, artifact)
    assert artifact.extra["restore"]["missing"] == []
    assert artifact.extra["restore"]["unclaimed"] == []
    exporters = {"module": "tf-module", "keras3": "keras3-export", "keras2": "keras2-save"}
    assert artifact.provenance.exporter == exporters[name.partition("_")[0]]


def test_graph_of_a_saved_model_is_the_one_tensorflow_sees(tf, made):
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    path = made / "keras2_savedmodel"
    (graph,) = read_saved_model(path, LIMITS).graphs
    (meta,) = parse_saved_model(os.fspath(path)).meta_graphs
    assert [(n.name, n.op, list(n.inputs)) for n in graph.nodes] == [
        (n.name, n.op, list(n.input)) for n in meta.graph_def.node
    ]
    library = {function.signature.name: function for function in meta.graph_def.library.function}
    assert set(graph.functions) == set(library)
    for name, function in graph.functions.items():
        assert [node.op for node in function.nodes] == [n.op for n in library[name].node_def]
        assert list(function.returns) == [out.name for out in library[name].signature.output_arg]
        for node, theirs in zip(function.nodes, library[name].node_def, strict=True):
            assert set(node.attrs) == set(theirs.attr)
    assert graph.producer == meta.graph_def.versions.producer
    assert graph.saver["restore_op_name"] == meta.saver_def.restore_op_name


def test_keras2_architecture_is_bound_to_its_layers_values(tf, made):
    import tf_keras

    artifact = read_saved_model(made / "keras2_savedmodel", LIMITS)
    model = tf_keras.models.load_model(made / "keras2_savedmodel")
    assert artifact.provenance.keras == tf_keras.__version__
    for layer in model.layers:
        ours = artifact.architecture.layer(layer.name)
        stored = {
            role: artifact.tensor(name).source.array() for role, name in ours.variables.items()
        }
        live = {v.name.split("/")[-1].split(":")[0]: v.numpy() for v in layer.weights}
        assert set(stored) == set(live)
        for role, values in live.items():
            np.testing.assert_array_equal(stored[role], values)
    assert [kernel.route for kernel in artifact.kernels] == ["conv", "head"]
    assert {tensor.role for tensor in artifact.tensors} >= {"weight", "optimizer", "metric"}
    assert sum(t.size for t in artifact.tensors if t.role == "weight") == model.count_params()
    assert artifact.extra["config_differs"] == []


def test_keras3_export_counts_each_weight_once(made):
    artifact = read_saved_model(made / "keras3_export", LIMITS)
    weights = [tensor for tensor in artifact.tensors if tensor.role == "weight"]
    # conv 3*3*3*4+4, norm 4*4, head 4*5+5
    assert sum(tensor.size for tensor in weights) == 112 + 16 + 25
    assert [(k.kind, k.shape, k.activation) for k in artifact.kernels] == [
        ("conv", (3, 3, 3, 4), None),
        ("dense", (4, 5), "softmax"),
    ]
    assert all(artifact.tensor(kernel.bias).role == "weight" for kernel in artifact.kernels)


def test_tf2_checkpoint(tf, made):
    prefix = made / "tf2_checkpoint" / "ckpt-1"
    artifact = read_checkpoint(prefix, LIMITS)
    assert (artifact.format, artifact.problems) == (Format.TF2_CHECKPOINT, ())
    assert_same_tensors(tf, prefix, artifact)
    assert_same_object_graph(tf, prefix, artifact.object_graph)


def test_tf1_checkpoint_with_leftovers(tf, made):
    prefix = made / "tf1_checkpoint" / "model.ckpt"
    artifact = read_checkpoint(prefix, LIMITS)
    assert (artifact.format, artifact.complete) == (Format.TF1_CHECKPOINT, True)
    assert_same_tensors(tf, prefix, artifact)
    leftovers = {problem.file for problem in artifact.problems if problem.kind == "leftover"}
    assert leftovers == {
        "model.ckpt",
        "model.ckpt.data-00000-of-00001.tempstate4036577590216504352",
    }
    (kernel,) = artifact.kernels
    assert (kernel.tensor, kernel.bias, kernel.kind) == ("head/kernel", "head/bias", "dense")
    assert kernel.grid == (8, 8, 3)


def test_tf1_saved_model_and_frozen_graph(tf, made):
    artifact = read_saved_model(made / "tf1_savedmodel", LIMITS)
    assert (artifact.format, artifact.problems) == (Format.SAVEDMODEL_TF1, ())
    assert_same_tensors(tf, made / "tf1_savedmodel" / "variables" / "variables", artifact)
    assert_same_signatures(tf, made / "tf1_savedmodel", artifact)
    assert artifact.provenance.exporter == "tf1-builder"
    frozen = read_frozen_graph(made / "frozen_graph.pb", LIMITS)
    assert frozen.format is Format.FROZEN_GRAPH
    by_name = {tensor.name: tensor for tensor in frozen.tensors}
    assert {name: by_name[name].sha256 for name in ("head/kernel", "head/bias")} == {
        tensor.name: tensor.sha256 for tensor in artifact.tensors
    }
    assert [(k.tensor, k.bias) for k in frozen.kernels] == [("head/kernel", "head/bias")]


@pytest.mark.parametrize("sharded", [False, True])
def test_saver_with_partitions_shards_and_every_type(tf, tmp_path, sharded):
    v1 = tf.compat.v1
    rng = np.random.default_rng(3)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable(
            "rows",
            (7, 3),
            initializer=v1.random_normal_initializer(),
            partitioner=v1.fixed_size_partitioner(3),
        )
        v1.get_variable(
            "columns",
            (4, 20_000),
            initializer=v1.random_normal_initializer(),
            partitioner=v1.fixed_size_partitioner(3, axis=1),
        )
        for dtype in ("float16", "bfloat16", "float64", "int8", "uint16", "int64", "complex64"):
            values = tf.cast(tf.constant(rng.integers(0, 100, (2, 3))), dtype)
            v1.get_variable(f"types/{dtype}", initializer=values)
        v1.get_variable("types/bool", initializer=tf.constant([True, False]))
        v1.get_variable("types/string", initializer=tf.constant([b"", b"long" * 100]))
        v1.get_variable("types/scalar", initializer=tf.constant(2.5))
        v1.get_variable("types/empty", initializer=tf.zeros((0, 4)))
        weight = v1.get_variable("w", initializer=tf.ones((2, 2)))
        v1.train.AdamOptimizer().minimize(tf.reduce_sum(weight**2))
        v1.train.get_or_create_global_step()
        session.run(v1.global_variables_initializer())
        prefix = tmp_path / "model.ckpt"
        v1.train.Saver(sharded=sharded).save(session, os.fspath(prefix))
    artifact = read_checkpoint(prefix, LIMITS)
    assert artifact.complete
    assert {problem.kind for problem in artifact.problems} <= {"unsafe-path"}  # absolute path
    assert_same_tensors(tf, prefix, artifact)
    roles = {tensor.name: tensor.role for tensor in artifact.tensors}
    assert {name for name, role in roles.items() if role == "optimizer"} == {
        *("w/Adam", "w/Adam_1", "beta1_power", "beta2_power")
    }
    assert (roles["w"], roles["global_step"]) == ("weight", "other")


def test_object_checkpoint_with_optimizer_strings_and_tables(tf, tmp_path):
    import tf_keras

    model = tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(2,), name="d/slash")])
    model.compile(tf_keras.optimizers.legacy.Adam(), "mse")
    model.fit(np.zeros((2, 2)), np.zeros((2, 3)), verbose=0)
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert(["a", "b"], [1, 2])
    words = tf.Variable(["one", "two"])
    prefix = tf.train.Checkpoint(model=model, table=table, words=words).save(
        os.fspath(tmp_path / "ck")
    )
    artifact = read_checkpoint(tmp_path / "ck-1", LIMITS)
    assert artifact.problems == ()
    assert_same_tensors(tf, prefix, artifact)
    assert_same_object_graph(tf, prefix, artifact.object_graph)
    roles = {tensor.name: tensor.role for tensor in artifact.tensors}
    assert roles["model/layer_with_weights-0/kernel"] == "weight"
    slot = "model/layer_with_weights-0/kernel/.OPTIMIZER_SLOT/model/optimizer/m"
    assert roles[slot] == "optimizer"
    assert roles["model/optimizer/iter"] == "optimizer"
    assert roles["save_counter"] == "other"
    restore = artifact.extra["restore"]
    assert (restore["missing"], restore["unclaimed"]) == ([], [])


def test_text_and_binary_saved_models_are_equal(tf, made, tmp_path):
    from google.protobuf import text_format
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    message = parse_saved_model(os.fspath(made / "module_savedmodel"))
    (tmp_path / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    (tmp_path / "variables").symlink_to(made / "module_savedmodel" / "variables")
    ours = read_saved_model(tmp_path, LIMITS)
    binary = read_saved_model(made / "module_savedmodel", LIMITS)
    assert ours.graphs == binary.graphs
    assert ours.signatures == binary.signatures
    assert {problem.kind for problem in ours.problems} == {"unsafe-path"}  # a link out of the model
    assert not ours.complete


def test_our_messages_work_in_one_process_with_tensorflow_s(tf):
    from tensorflow.core.protobuf import saved_model_pb2

    from modelaudit.formats.graph.protos import saved_messages_pb2

    theirs = saved_model_pb2.SavedModel(saved_model_schema_version=3)
    ours = saved_messages_pb2.SavedModel.FromString(theirs.SerializeToString())
    assert ours.saved_model_schema_version == 3
    assert type(ours).DESCRIPTOR.full_name != type(theirs).DESCRIPTOR.full_name
