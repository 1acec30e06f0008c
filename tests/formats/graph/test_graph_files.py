"""Graphs in files, as text, in constants and of any size."""

from __future__ import annotations

import pytest

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Format
from modelaudit.formats.graph.frozen_graph import read_frozen_graph
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.sniff import sniff
from modelaudit.settings import Limits
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
