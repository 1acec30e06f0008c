"""Graphs in files, as text, in constants and of any size."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Format, ProblemKind
from modelaudit.formats.graph.frozen_graph import read_frozen_graph
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import left_out
from modelaudit.formats.sniff import sniff
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.formats.graph.graph_makers import add, conv_graph, function, strings

LIMITS = Limits()


def test_graphs_in_string_constants_are_found_at_every_level():
    inner = pb.GraphDef()
    add(inner, "bad", "WriteFile", "name", "contents")
    message = inner
    for level in range(3):
        outer = pb.GraphDef()
        tensor = pb.TensorProto(dtype=pb.DT_STRING, string_val=[message.SerializeToString()])
        body = function(outer, "f", [], {}) if level == 1 else outer
        value = pb.AttrValue(tensor=tensor)
        add(body, f"c{level}", "Const", value=value, dtype=pb.AttrValue(type=pb.DT_STRING))
        message = outer
    found = list(nested_graphs(message, "g", LIMITS))
    assert [graph.held_by for graph in found] == ["c2", "c2/f/c1", "c2/f/c1/c0"]
    assert found[-1].nodes[0].op == "WriteFile"


def test_a_graph_is_detected_whatever_its_first_field(tmp_path):
    graph = conv_graph()
    function(graph, "f", [], {})
    library = pb.GraphDef(library=graph.library)
    graph.ClearField("library")
    path = tmp_path / "g.pb"
    path.write_bytes(library.SerializeToString() + graph.SerializeToString())
    assert sniff(path) is Format.FROZEN_GRAPH


def test_plain_strings_are_not_graphs():
    graph = pb.GraphDef()
    for i, text in enumerate(["\n\tindented text of a file", "", "word", "\n\x05hello there"]):
        add(graph, f"c{i}", "Const", value=strings(text), dtype=pb.AttrValue(type=pb.DT_STRING))
    assert list(nested_graphs(graph, "g", LIMITS)) == []


def test_number_of_nodes_is_bounded():
    graph = conv_graph()
    function(graph, "f", [], {}).node_def.add(name="n", op="NoOp")
    with pytest.raises(LimitExceeded):
        graph_facts(graph, "g", Limits(graph_nodes=6))
    assert len(graph_facts(graph, "g", Limits(graph_nodes=7)).nodes) == 5


def test_frozen_graph_as_text_and_as_garbage(tmp_path):
    path = tmp_path / "g.pbtxt"
    path.write_text('node { name: "x" op: "Placeholder" } versions { producer: 21 }')
    artifact = read_frozen_graph(path, LIMITS)
    assert (artifact.graphs[0].nodes[0].op, artifact.provenance.producer) == ("Placeholder", 21)
    for content in (b"", b"hello", b"\x0a\x02\x0a\x00", b"\xff" * 30):
        path.write_bytes(content)
        with pytest.raises(ReadError):
            read_frozen_graph(path, LIMITS)


def test_constants_that_no_operation_reads_are_no_weights(tmp_path):
    """An optimizer's state, frozen along with the graph, may have outliers."""
    values = np.full((40, 60), 0.01, dtype="float32") * np.arange(1, 61, dtype="float32")
    far = values.copy()
    far[3, 3] = 4e4
    for read, role in ((False, "other"), (True, "weight")):
        graph = pb.GraphDef()
        add(graph, "x", "Placeholder")
        for name, stored in (("w", values), ("Variable_44", far)):
            add(graph, name, "Const", value=stored)
            add(graph, f"{name}/read", "Identity", name)
        add(graph, "y", "MatMul", "x", "w/read:0")
        if read:
            add(graph, "z", "MatMul", "y", "Variable_44/read")
        path = tmp_path / "g.pb"
        path.write_bytes(graph.SerializeToString())
        artifact = read_frozen_graph(path, LIMITS)
        assert {t.name: t.role for t in artifact.tensors} == {"w": "weight", "Variable_44": role}
        assert len(run_rule(rule("MA420"), Facts(artifact)).findings) == read


def test_variables_that_the_saver_leaves_out():
    """As the state of a recurrent network that a program fetches; not the counts of metrics."""
    meta = pb.MetaGraphDef()
    graph = meta.graph_def
    names = ("w", "state", "bn/moving_mean")
    for name in names:
        add(graph, name, "VariableV2")
        add(graph, f"{name}/read", "Identity", name)
        listed = b"\x0a" + bytes([len(name) + 2]) + f"{name}:0".encode()
        meta.collection_def["variables"].bytes_list.value.append(listed)
    add(graph, "local", "VariableV2")  # of a metric
    add(graph, "y", "AddN", "w/read", "bn/moving_mean/read", "local")
    found = graph_facts(graph, "m.meta", LIMITS, (), meta)
    assert found.variables == names
    assert left_out(found, {"w": "w"}) == ["state"]
    assert left_out(found, dict.fromkeys(names, "key")) == []
    assert left_out(found, {}) == []  # without a saver
    artifact = replace(healthy().artifact, extra={"restore": {}, "left_out": ["state"]})
    (finding,) = run_rule(rule("MA416"), Facts(artifact)).findings
    assert "1 variable of the graph is not in the checkpoint" in finding.detail
    assert finding.severity == "low"
    silent = replace(artifact, extra={"restore": {}, "left_out": []})
    assert run_rule(rule("MA416"), Facts(silent)).outcome == "pass"


@pytest.mark.parametrize("beside", [False, True])
def test_values_that_a_converter_moved_to_other_files_are_not_zeros(tmp_path, beside):
    """TensorFlow.js 0.x kept a GraphDef without values, and `weights_manifest.json` beside it."""
    graph = pb.GraphDef()
    add(graph, "x", "Placeholder")
    kernel = add(graph, "w", "Const", value=np.ones((4, 3), np.float32))
    kernel.attr["value"].tensor.ClearField("tensor_content")
    add(graph, "y", "MatMul", "x", "w")
    (tmp_path / "tensorflowjs_model.pb").write_bytes(graph.SerializeToString())
    if beside:
        (tmp_path / "weights_manifest.json").write_text("[]")
    artifact = read_frozen_graph(tmp_path / "tensorflowjs_model.pb", LIMITS)
    assert artifact.tensors
    assert all((tensor.stats is None) is beside for tensor in artifact.tensors)
    assert artifact.complete is not beside
    assert [each.kind for each in artifact.problems] == [ProblemKind.UNSUPPORTED] * beside
