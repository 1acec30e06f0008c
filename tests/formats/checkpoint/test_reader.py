from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelaudit.errors import ReadError
from modelaudit.facts import Format
from modelaudit.findings import Outcome
from modelaudit.formats.checkpoint.index import read_tensor_bundle
from modelaudit.formats.checkpoint.object_graph import (
    checkpoint_objects,
    joined,
    key_roles,
    saved_objects,
)
from modelaudit.formats.checkpoint.reader import read_checkpoint
from modelaudit.formats.checkpoint.state_file import read_state_file
from modelaudit.formats.checkpoint.variables import name_roles
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.saved_model.reader import read_session_bundle
from modelaudit.formats.sniff import sniff
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.formats import bundle_writer
from tests.formats.bundle_writer import BundleWriter, write_bundle

LIMITS = Limits()


def kinds(artifact):
    return sorted((problem.kind, problem.file) for problem in artifact.problems)


def test_plain_tensors_are_a_tf1_checkpoint(tmp_path):
    prefix = write_bundle(tmp_path / "model.ckpt", {"w": np.ones((2, 3), "float32")})
    artifact = read_checkpoint(prefix, LIMITS)
    assert (artifact.format, artifact.complete, artifact.problems) == (
        *(Format.TF1_CHECKPOINT, True, ()),
    )
    assert {entry.path: entry.role for entry in artifact.files} == {
        "model.ckpt.index": "index",
        "model.ckpt.data-00000-of-00001": "weights",
    }
    assert artifact.extra["restore"]["unclaimed"] == []  # the variables to restore are unknown


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("layer_with_weights-0/bias/.ATTRIBUTES/VARIABLE_VALUE", Format.TF2_CHECKPOINT),
        ("dense/ATTRIBUTES/bias", Format.TF1_CHECKPOINT),
    ],
)
def test_keys_of_objects_tell_the_format_without_their_graph(tmp_path, key, form):
    """As of one part of a save that was interrupted: the graph of the objects is in another."""
    prefix = write_bundle(tmp_path / "part-00000-of-00002", {key: np.ones(2, "float32")})
    assert sniff(prefix) is form
    artifact = read_checkpoint(prefix, LIMITS)
    assert artifact.format is form
    graphs = run_rule(rule("MA423"), Facts(artifact)).outcome
    assert (graphs is Outcome.FAIL) is (form is Format.TF1_CHECKPOINT)


def test_leftovers_next_to_the_prefix(tmp_path):
    prefix = write_bundle(tmp_path / "m", {"w": np.ones(2, "float32")})
    for name in ("m.data-00000-of-00001.tempstate12", "m.data-00001-of-00002", "m_temp_ab"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "m").touch()
    for honest in ("m.png", "m2.index", "other"):
        (tmp_path / honest).write_bytes(b"x")
    assert kinds(read_checkpoint(prefix, LIMITS)) == [
        ("leftover", "m"),
        ("leftover", "m.data-00000-of-00001.tempstate12"),
        ("leftover", "m.data-00001-of-00002"),
        ("leftover", "m_temp_ab"),
    ]


def meta_file(path, version=pb.SaverDef.V2, tensorflow="1.4.0"):
    meta = pb.MetaGraphDef()
    meta.meta_info_def.tensorflow_version = tensorflow
    meta.saver_def.version = version
    meta.graph_def.node.add(name="w", op="VariableV2")
    path.write_bytes(meta.SerializeToString())


def test_index_that_was_never_committed(tmp_path):
    meta_file(tmp_path / "m.meta")
    artifact = read_checkpoint(tmp_path / "m", LIMITS)
    assert ("missing-file", "m.index") in kinds(artifact)
    assert not artifact.complete
    assert artifact.provenance.tensorflow == "1.4.0"


@pytest.mark.parametrize("name", ["m", "m-00000-of-00002"])
def test_v1_is_named_with_its_version_and_not_read(tmp_path, name):
    meta_file(tmp_path / "m.meta", pb.SaverDef.V1, "0.12.1")
    (tmp_path / name).write_bytes(bundle_writer.table([(b"", b"x")]))
    artifact = read_checkpoint(tmp_path / "m", LIMITS)
    assert (artifact.format, artifact.complete) == (Format.TF1_CHECKPOINT_V1, False)
    (problem,) = artifact.problems
    assert problem.kind == "unsupported"
    assert "0.12.1" in problem.detail
    assert name in {entry.path for entry in artifact.files}


def test_v1_without_its_variables(tmp_path):
    meta_file(tmp_path / "m.meta", pb.SaverDef.V1)
    artifact = read_checkpoint(tmp_path / "m", LIMITS)
    assert {problem.kind for problem in artifact.problems} == {"unsupported", "missing-file"}


def test_session_bundle(tmp_path):
    meta_file(tmp_path / "export.meta", pb.SaverDef.V1)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "words.txt").write_text("a")
    (tmp_path / "assets" / "out").symlink_to("/etc/hostname")
    artifact = read_session_bundle(tmp_path, LIMITS)
    assert (artifact.format, artifact.root) == (Format.SESSION_BUNDLE, tmp_path)
    assert {entry.path: entry.role for entry in artifact.files} == {
        "export.meta": "graph",
        "assets/words.txt": "asset",
    }


def test_missing_checkpoint(tmp_path):
    with pytest.raises(ReadError) as caught:
        read_checkpoint(tmp_path / "m", LIMITS)
    assert caught.value.kind == "missing-file"


def test_corrupt_meta_leaves_the_tensors_readable(tmp_path):
    prefix = write_bundle(tmp_path / "m", {"w": np.ones(2, "float32")})
    (tmp_path / "m.meta").write_bytes(b"\xff\xff")
    artifact = read_checkpoint(prefix, LIMITS)
    assert kinds(artifact) == [("corrupt", "m.meta")]
    assert (len(artifact.tensors), artifact.complete) == (1, True)


@pytest.mark.parametrize(
    "path", ["/tmp/m", "../m", "a/../../m", "C:\\m", "..\\m", "gs://bucket/m", "\\\\host\\m"]
)
def test_state_file_with_a_path_outside(tmp_path, path):
    write_bundle(tmp_path / "m", {"w": np.ones(2, "float32")})
    escaped = path.replace("\\", "\\\\")
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{escaped}"')
    artifact = read_checkpoint(tmp_path / "m", LIMITS)
    (problem,) = artifact.problems
    assert (problem.kind, problem.evidence) == (
        "unsafe-path",
        {"path": path, "model_checkpoint_path": [path]},
    )


@pytest.mark.parametrize(("path", "kinds"), [("m", []), ("x/../m", ["unsafe-path"])])
def test_a_state_file_with_the_absolute_path_of_its_own_directory(tmp_path, path, kinds):
    """As `tf.train.Saver` writes it if it is given an absolute path."""
    write_bundle(tmp_path / "m", {"w": np.ones(2, "float32")})
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{tmp_path}/{path}"')
    artifact = read_checkpoint(tmp_path / "m", LIMITS)
    assert [problem.kind for problem in artifact.problems] == kinds


@pytest.mark.parametrize("text", [b"model_checkpoint_path: ", b"\xff\xfe", b"a" * 100])
def test_invalid_state_file(tmp_path, text):
    (tmp_path / "checkpoint").write_bytes(text)
    state, problems = read_state_file(tmp_path, tmp_path, Limits(text_bytes=90))
    assert state is None
    assert len(problems) == 1


def object_graph():
    """Root -> model -> layer -> kernel; root -> optimizer with a slot; a metric; a counter."""
    graph = pb.TrackableObjectGraph()
    nodes = [graph.nodes.add() for _ in range(9)]

    def link(parent, name, child):
        nodes[parent].children.add(local_name=name, node_id=child)

    link(0, "optimizer", 4)
    link(0, "model", 1)
    link(0, "save_counter", 8)
    link(1, "layer", 2)
    link(1, "metrics", 7)
    link(2, "kernel", 3)
    link(4, "iter", 5)
    link(4, "learning_rate", 6)
    nodes[4].slot_variables.add(original_variable_node_id=3, slot_name="m", slot_variable_node_id=6)
    for index in (3, 5, 6, 7, 8):
        nodes[index].attributes.add(name="VARIABLE_VALUE", checkpoint_key=f"k{index}")
    return graph


def test_roles_follow_the_object_graph():
    roles = key_roles(checkpoint_objects(object_graph(), "f"))
    assert roles == {
        "k3": "weight",
        "k5": "optimizer",
        "k6": "optimizer",
        "k7": "metric",
        "k8": "other",
    }


@pytest.mark.parametrize(("name", "role"), [("base_optimizer", "optimizer"), ("base", "weight")])
def test_the_loss_scale_of_tensorflow_2_2_is_the_state_of_an_optimizer(name, role):
    """`LossScaleOptimizer` then had no steps of its own, but those of the one that it wraps."""
    graph = object_graph()
    wrapper, scale, value = (graph.nodes.add() for _ in range(3))
    graph.nodes[0].children[0].node_id = 9
    wrapper.children.add(local_name=name, node_id=4)
    wrapper.children.add(local_name="loss_scale", node_id=10)
    scale.children.add(local_name="current_loss_scale", node_id=11)
    value.attributes.add(name="VARIABLE_VALUE", checkpoint_key="k11")
    roles = key_roles(checkpoint_objects(graph, "f"))
    assert (roles["k11"], roles["k5"], roles["k3"]) == (role, "optimizer", "weight")


def test_a_checkpoint_with_an_optimizer_and_a_loss_scale_is_no_optimizer():
    """`tf.train.Checkpoint(model=…, base_optimizer=…, loss_scale=…)`."""
    graph = object_graph()
    scale = graph.nodes.add()
    scale.attributes.add(name="VARIABLE_VALUE", checkpoint_key="k9")
    graph.nodes[0].children.add(local_name="base_optimizer", node_id=4)
    graph.nodes[0].children.add(local_name="loss_scale", node_id=9)
    roles = key_roles(checkpoint_objects(graph, "f"))
    assert (roles["k3"], roles["k5"]) == ("weight", "optimizer")


def test_weights_below_a_keras3_optimizer_are_weights():
    graph = object_graph()
    graph.nodes[1].children.pop(0)  # the model has no path to its kernel
    del graph.nodes[4].slot_variables[:]
    graph.nodes[4].children.add(local_name="_trainable_variables", node_id=2)
    roles = key_roles(checkpoint_objects(graph, "f"))
    assert (roles["k3"], roles["k5"]) == ("weight", "optimizer")


@pytest.mark.parametrize("target", [-1, 9, 1 << 30])
def test_references_out_of_the_object_graph_are_corrupt(target):
    graph = object_graph()
    graph.nodes[0].children[0].node_id = target
    with pytest.raises(ReadError):
        checkpoint_objects(graph, "f")
    graph = object_graph()
    graph.nodes[4].slot_variables[0].slot_variable_node_id = target
    with pytest.raises(ReadError):
        checkpoint_objects(graph, "f")


def test_saved_objects_get_their_keys_by_equal_names():
    stored = checkpoint_objects(object_graph(), "f")
    saved = pb.SavedObjectGraph()
    nodes = [saved.nodes.add() for _ in range(6)]  # another order, one branch less
    nodes[0].children.add(local_name="model", node_id=3)
    nodes[0].children.add(local_name="optimizer", node_id=4)
    nodes[3].children.add(local_name="layer", node_id=2)
    nodes[2].children.add(local_name="kernel", node_id=1)
    nodes[4].slot_variables.add(original_variable_node_id=1, slot_name="m", slot_variable_node_id=5)
    nodes[1].variable.name = nodes[5].variable.name = "v"
    result = joined(saved_objects(saved, "f"), stored)
    keys = {node.index: node.attributes for node in result if node.attributes}
    assert {index: item["VARIABLE_VALUE"]["key"] for index, item in keys.items()} == {
        1: "k3",
        5: "k6",
    }


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("conv/kernel", "weight"),
        ("conv/kernel/Adam", "optimizer"),
        ("conv/kernel/Adam_1", "optimizer"),
        ("other/Adam", "weight"),  # no variable `other`: a layer of that name
        ("conv/conv/kernel/Adam_1", "optimizer"),  # an optimizer in a scope
        ("train/conv/kernel/Adam", "optimizer"),
        ("head/kernel/Adam_1:0", "optimizer"),  # a saver given a dict of variables
        ("conv/kernel/t_0/Adam", "optimizer"),  # a canned Estimator
        ("conv/kernel/part_1/Adam_1", "optimizer"),
        ("other/t_0/Adam", "weight"),
        ("beta1_power", "optimizer"),
        ("beta2_power:0", "optimizer"),
        ("global_step", "other"),
        ("training/Adam/conv/kernel/m", "optimizer"),
        ("conv/kernel/ExponentialMovingAverage", "weight"),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", "other"),
    ],
)
def test_roles_by_name(name, role):
    assert name_roles(["conv/kernel", "head/kernel:0", name])[name] == role


def test_slots_are_known_by_an_optimizer_s_own_name():
    adam = {f"{v}/D_opt{n}" for v in ("a/kernel", "a/bias") for n in ("", "_1")}
    averages = {f"{v}/ExponentialMovingAverage" for v in ("a/kernel", "a/bias")}
    layer = {"b", "b/w", "b/w_1"}  # one variable named like the scope of two others
    roles = name_roles([*adam, *averages, *layer, "a/kernel", "a/bias"])
    assert {name for name, role in roles.items() if role == "optimizer"} == adam


def with_objects(tmp_path):
    writer = BundleWriter(tmp_path / "m")
    for index in (3, 5, 6, 7):
        writer.add(f"k{index}", np.full(2, index, "float32"))
    writer.add("stray", np.zeros(1, "float32"))
    writer.add_strings("_CHECKPOINTABLE_OBJECT_GRAPH", [object_graph().SerializeToString()], ())
    return writer.write()


def test_restore_facts_name_what_is_missing_and_what_is_unclaimed(tmp_path):
    artifact = read_checkpoint(with_objects(tmp_path), LIMITS)
    assert artifact.format is Format.TF2_CHECKPOINT
    restore = artifact.extra["restore"]
    assert (restore["missing"], restore["unclaimed"]) == (["k8"], ["stray"])
    assert {entry["key"] for entry in restore["names"]} == {f"k{i}" for i in (3, 5, 6, 7, 8)}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_mutated_object_graphs_and_state_files_raise_nothing(tmp_path, data):
    graph = bytearray(object_graph().SerializeToString())
    for _ in range(data.draw(st.integers(1, 5))):
        graph[data.draw(st.integers(0, len(graph) - 1))] = data.draw(st.integers(0, 255))
    writer = BundleWriter(tmp_path / "m")
    writer.add_strings("_CHECKPOINTABLE_OBJECT_GRAPH", [bytes(graph)], ())
    writer.write()
    (tmp_path / "checkpoint").write_bytes(data.draw(st.binary(max_size=60)))
    assert read_tensor_bundle(tmp_path / "m", tmp_path, LIMITS).entries
    read_checkpoint(tmp_path / "m", LIMITS)


def test_an_object_graph_in_a_missing_shard_still_makes_a_tf2_checkpoint(tmp_path):
    """Whose variable each tensor is cannot be told, so no layer lacks one."""
    writer = BundleWriter(tmp_path / "m")
    writer.add("model/dense/_kernel/.ATTRIBUTES/VARIABLE_VALUE", np.ones((4, 2), "float32"))
    writer.add("optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE", np.ones((), "int64"))
    writer.add_strings("_CHECKPOINTABLE_OBJECT_GRAPH", [object_graph().SerializeToString()], ())
    writer.write()
    (tmp_path / "m.data-00000-of-00001").unlink()
    artifact = read_checkpoint(tmp_path / "m", LIMITS)
    assert artifact.format is Format.TF2_CHECKPOINT
    assert kinds(artifact) == [("missing-shard", "m.data-00000-of-00001")]
    architecture = examples.healthy().artifact.architecture
    facts = Facts(replace(artifact, architecture=architecture, extra={"unclaimed": ["a", "b"]}))
    for code in ("MA112", "MA113", "MA114"):
        result = run_rule(rule(code), facts)
        assert (result.outcome, result.findings) == (Outcome.NOT_APPLICABLE, ())
