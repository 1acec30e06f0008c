from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Format
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.settings import Limits
from tests.made.saved_models import (
    keras_variables,
    tf1_message,
    tf2_model,
    write,
)

LIMITS = Limits()


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
    (kernel,) = artifact.kernels
    assert (kernel.tensor, kernel.kind, kernel.shape) == ("w", "dense", (2, 3))


def test_text_gives_the_same_facts(tmp_path):
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
    (tmp_path / "policy_specs.pbtxt").write_text("")  # which loaders of TF-Agents read
    artifact = read_saved_model(tmp_path, LIMITS)
    assert {entry.path: entry.role for entry in artifact.files} == {
        "saved_model.pb": "graph",
        "variables/variables.index": "index",
        "variables/variables.data-00000-of-00001": "weights",
        "assets/foo.txt": "asset",
        "assets.extra/config.pb": "asset",
        "policy_specs.pbtxt": "metadata",
        "run.py": "foreign",
    }
    assert kinds(artifact) == [("leftover", "run.py")]


def test_links_out_of_the_model_are_reported_and_not_followed(tmp_path):
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


def test_graph_that_is_a_link_out_is_rejected(tmp_path):
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


def test_saved_model_whose_graph_is_missing(tmp_path):
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


def test_config_that_contradicts_the_graph(tmp_path):
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


def test_a_variable_of_the_same_name_elsewhere_is_no_copy(tmp_path):
    """A metric and a Normalization layer both have a `count`."""
    tf2_model(tmp_path)
    message = pb.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    objects = message.meta_graphs[0].object_graph_def
    objects.nodes.add().variable.CopyFrom(objects.nodes[2].variable)
    objects.nodes[0].children.add(local_name="other", node_id=4)
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    keras_variables(tmp_path, copy=1.0, where="other")
    artifact = read_saved_model(tmp_path, LIMITS)
    assert artifact.extra["restore"]["divergent"] == []
    assert artifact.tensor("other").role == "weight"


@pytest.mark.parametrize("difference", [0.0, 1.0])
def test_a_second_copy_of_a_weight_is_equal_or_diverges(tmp_path, difference):
    tf2_model(tmp_path)
    message = pb.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    objects = message.meta_graphs[0].object_graph_def
    objects.nodes.add().variable.CopyFrom(objects.nodes[2].variable)
    objects.nodes[0].children.add(local_name="_all_variables", node_id=4)
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    keras_variables(tmp_path, copy=difference)
    artifact = read_saved_model(tmp_path, LIMITS)
    name = "layer_with_weights-0/kernel"
    differs = {"used": name, "copy": "_all_variables"}
    assert artifact.extra["restore"]["divergent"] == ([differs] if difference else [])
    assert artifact.tensor(name).role == "weight"
    assert artifact.tensor("_all_variables").role == ("weight" if difference else "other")


@pytest.mark.parametrize("inside", [True, False])
def test_metadata_of_another_save_does_not_describe_the_model(tmp_path, inside):
    """A later save left its file; TensorFlow 2.4 and older keep the config in saved_model.pb."""
    tf2_model(tmp_path, metadata_inside=inside)
    other = pb.KerasMetadata()
    other.nodes.add(node_id=0, identifier="_tf_keras_sequential", metadata='{"config": {}}')
    other.nodes.add(node_id=7, identifier="_tf_keras_layer", metadata='{"name": "hidden"}')
    (tmp_path / "keras_metadata.pb").write_bytes(other.SerializeToString())
    artifact = read_saved_model(tmp_path, LIMITS)
    assert artifact.extra["foreign_metadata"] is True
    layers = artifact.architecture.layers if artifact.architecture else ()
    assert [layer.name for layer in layers] == ["c"] * inside
    hidden = [each for each in artifact.documents if each.value == {"name": "hidden"}]
    assert [each.file for each in hidden] == ["keras_metadata.pb"]  # rules on security read it


@pytest.mark.parametrize("inside", [True, False])
def test_metadata_of_the_same_save_is_not_foreign(tmp_path, inside):
    tf2_model(tmp_path, metadata_inside=inside)
    assert "foreign_metadata" not in read_saved_model(tmp_path, LIMITS).extra


@pytest.mark.parametrize("metadata", [b"\xff", b"\x0a\x06\x10\x00\x2a\x02no"])
def test_corrupt_keras_metadata_leaves_the_rest_readable(tmp_path, metadata):
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
