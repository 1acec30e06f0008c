from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelaudit.errors import ReadError
from modelaudit.facts import Format
from modelaudit.findings import Outcome
from modelaudit.formats.checkpoint.index import read_tensor_bundle
from modelaudit.formats.checkpoint.reader import read_checkpoint
from modelaudit.formats.checkpoint.state_file import read_state_file
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
from tests.formats.checkpoint.objects import object_graph

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
