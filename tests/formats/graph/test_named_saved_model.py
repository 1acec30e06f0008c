"""GraphDefs that are named like the graph of a SavedModel."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format

from modelaudit.file_formats import Format
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.registry.discover import discover
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Limits, Settings
from tests.made.saved_models import tf1_message, write


def _graph(*, variable: bool, library: bool) -> pb.GraphDef:
    graph = pb.GraphDef()
    graph.versions.producer = 1395
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = pb.DT_FLOAT
    weights = graph.node.add(name="w", op="VariableV2" if variable else "Const")
    if not variable:
        weights.attr["value"].tensor.dtype = pb.DT_FLOAT
        for size in (2, 3):
            weights.attr["value"].tensor.tensor_shape.dim.add(size=size)
        weights.attr["value"].tensor.float_val.extend(range(6))
    graph.node.add(name="y", op="MatMul", input=["x", "w"])
    if library:
        graph.library.function.add().signature.name = "__inference_g_7"
    return graph


def _named(folder: Path, graph: pb.GraphDef, *, textual: bool = False) -> Path:
    folder.mkdir()
    path = folder / ("saved_model.pbtxt" if textual else "saved_model.pb")
    data = text_format.MessageToString(graph).encode() if textual else graph.SerializeToString()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("textual", [False, True])
@pytest.mark.parametrize("library", [False, True])
@pytest.mark.parametrize("variable", [False, True])
def test_a_graph_is_told_by_its_content(
    tmp_path: Path, variable: bool, library: bool, textual: bool
) -> None:
    path = _named(tmp_path / "m", _graph(variable=variable, library=library), textual=textual)
    for asked in (path, path.parent):
        artifact = read(asked, Limits())
        assert (artifact.format, artifact.root) == (Format.FROZEN_GRAPH, path)
        assert [each.name for each in artifact.graphs[0].nodes] == ["x", "w", "y"]
        (only,) = discover(asked).candidates
        assert (only.path, only.format) == (path, Format.FROZEN_GRAPH)
    facts = static_facts(path, Settings())
    assert not run_rule(rule("MA106"), facts).findings
    (found,) = run_rule(rule("MA117"), facts).findings
    assert found.title == "A GraphDef has the name of a SavedModel's graph"
    assert "tf.graph_util.import_graph_def" in found.fix
    assert ("from their checkpoint" in found.fix) == variable


def test_a_checkpoint_beside_it_is_no_litter(tmp_path: Path) -> None:
    path = _named(tmp_path / "m", _graph(variable=True, library=False))
    for suffix in ("index", "data-00000-of-00001"):
        (path.parent / f"net.{suffix}").write_bytes(b"?")
    found = {each.path.name for each in discover(tmp_path).candidates}
    assert found == {"saved_model.pb", "net"}
    assert not run_rule(rule("MA115"), static_facts(path, Settings())).findings


def test_a_saved_model_remains_one(tmp_path: Path) -> None:
    message = tf1_message()
    write(tmp_path / "m", message)
    assert read(tmp_path / "m", Limits()).format is Format.SAVEDMODEL_TF1
    # TensorFlow skips fields of unknown types: a node in front hides no MetaGraph.
    node = _graph(variable=False, library=False).SerializeToString()
    both = node + message.SerializeToString()
    (tmp_path / "m" / "saved_model.pb").write_bytes(both)
    assert pb.SavedModel.FromString(both).meta_graphs == message.meta_graphs
    artifact = read(tmp_path / "m", Limits())
    assert artifact.format is Format.SAVEDMODEL_TF1
    assert [each.name for each in artifact.graphs[0].nodes] == ["x", "w", "y"]


@pytest.mark.parametrize("hidden", ["behind many fields", "behind fields inside", "as gradients"])
def test_a_saved_model_that_is_a_graph_too_is_one(tmp_path: Path, hidden: str) -> None:
    """Files that both messages parse: what `tf.saved_model.load` would run has to be looked at."""
    meta = tf1_message().meta_graphs[0]
    inner = meta.SerializeToString()
    before = _graph(variable=False, library=False).SerializeToString()
    if hidden == "behind many fields":
        before += b"\x22\x00" * 100_001  # empty `versions`, which a SavedModel does not have
    elif hidden == "behind fields inside":
        inner = b"\xa2\x06\x00" * 100_001 + inner  # of the unknown number 100
    data = before + b"\x12" + _varint(len(inner)) + inner
    assert pb.SavedModel.FromString(data).meta_graphs[0].graph_def == meta.graph_def
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(data)
    assert read(tmp_path / "m", Limits()).format.is_saved_model


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def test_what_is_neither_stays_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    assert read(folder, Limits()).format.is_saved_model
    assert run_rule(rule("MA106"), static_facts(folder, Settings())).findings


@pytest.mark.slow
def test_tensorflow_imports_the_graph_and_loads_no_model(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")

    @tf.function
    def inner(x):
        return x + tf.constant([1.0, 2.0])

    @tf.function
    def outer(x):
        return 2 * inner(x)

    graph = outer.get_concrete_function(tf.TensorSpec([None, 2])).graph.as_graph_def()
    path = _named(tmp_path / "m", graph)
    with pytest.raises(Exception, match=r"version|MetaGraph"):
        tf.saved_model.load(str(path.parent))
    with tf.Graph().as_default():
        tf.graph_util.import_graph_def(graph)
    artifact = read(path.parent, Limits())
    assert artifact.format is Format.FROZEN_GRAPH
    assert {each.name for each in artifact.graphs[0].nodes} == {each.name for each in graph.node}
