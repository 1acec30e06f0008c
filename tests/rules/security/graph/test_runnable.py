"""Graphs that TensorFlow does not run, and fields that it does not know, beside honest ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.facts import Format, GraphNode
from modelaudit.facts import Graph as GraphFacts
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.security.graph.examples import harmless
from modelaudit.rules.security.graph.runnable import facts_with
from modelaudit.structs import replace
from tests.made.graphs import Graph
from tests.made.saved_models import complete

PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(40)
PICKLE = b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00c" + b"os\nsystem\n" + bytes(8) + b"."
UNKNOWN = 900


def unknown(value: bytes) -> bytes:
    """A field that no message has."""
    key = UNKNOWN << 3 | 2
    return bytes([key & 127 | 128, key >> 7, len(value)]) + value


def two_nodes(graph: Graph) -> None:
    graph.node(graph.graph.node, "x", "Identity", "saver_filename")


def two_nodes_in_a_function(graph: Graph) -> None:
    for _ in range(2):
        graph.node(graph.served, "same", "Identity", "x")


def two_constants(graph: Graph) -> None:
    for value in (1, 2):
        graph.numbers(graph.graph.node, "n", value)


def circle(graph: Graph) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        graph.node(graph.graph.node, one, "Identity", other)


def itself(graph: Graph) -> None:
    graph.node(graph.graph.node, "a", "AddV2", "a", "x")


def control_circle(graph: Graph) -> None:
    graph.node(graph.served, "a", "Identity", "x", "^b")
    graph.node(graph.served, "b", "Identity", "a:output:0")


def lost_input(graph: Graph) -> None:
    graph.node(graph.graph.node, "a", "Identity", "nowhere:0")


def lost_control(graph: Graph) -> None:
    graph.node(graph.graph.node, "a", "NoOp", "^nowhere")


def lost_argument(graph: Graph) -> None:
    graph.node(graph.served, "a", "Identity", "y")


def output_to_nowhere(graph: Graph) -> None:
    graph.meta.signature_def["serving_default"].outputs["z"].name = "gone:0"


def input_to_nowhere(graph: Graph) -> None:
    graph.meta.signature_def["serving_default"].inputs["z"].name = "gone:0"


def signature_to_nowhere(graph: Graph) -> None:
    graph.meta.signature_def["other"].outputs["y"].name = "gone"


def placed(device: str) -> Callable[[Graph], None]:
    def build(graph: Graph) -> None:
        graph.node(graph.graph.node, "a", "Identity", "x").device = device

    return build


def too_few_inputs(graph: Graph) -> None:
    graph.graph.node.add(name="a", op="Sub", input=["x"])


def too_many_inputs(graph: Graph) -> None:
    graph.served.add(name="a", op="Tanh", input=["x", "x"])


def control_input_first(graph: Graph) -> None:
    graph.graph.node.add(name="a", op="Sub", input=["^x", "x", "x"])


def second_output(graph: Graph) -> None:
    graph.node(graph.graph.node, "a", "Tanh", "x:1")


def output_of_none(graph: Graph) -> None:
    """Of an operation that has no output, as GraphDefs name the first."""
    graph.node(graph.graph.node, "nothing", "NoOp")
    graph.node(graph.graph.node, "b", "Tanh", "nothing")


def typed(graph: Graph, own: int, given: int) -> None:
    number = graph.node(graph.graph.node, "n", "Const")
    number.attr["dtype"].type = given
    graph.node(graph.graph.node, "a", "Sub", "n", "n").attr["T"].type = own


def other_types(graph: Graph) -> None:
    typed(graph, pb.DT_INT64, pb.DT_FLOAT)


def same_types(graph: Graph) -> None:
    typed(graph, pb.DT_FLOAT, pb.DT_FLOAT)
    graph.node(graph.graph.node, "s", "Split", "n", "n")
    graph.node(graph.graph.node, "t", "Tanh", "s:1", "^n")


def absent_function(graph: Graph) -> None:
    graph.node(graph.graph.node, "a", "PartitionedCall", "x").attr["f"].func.name = "gone"


def saver_to_nowhere(graph: Graph) -> None:
    graph.meta.saver_def.restore_op_name = "gone"


def strange_name(graph: Graph) -> None:
    graph.node(graph.graph.node, "a b\n", "NoOp")


def unknown_type(graph: Graph) -> None:
    """Of a number that no type has, as it is or as that of a reference."""
    for name, number in (("a", 99), ("b", 177)):
        graph.node(graph.graph.node, name, "Identity", "x").attr["T"].type = number


def lost_result(graph: Graph) -> None:
    function = graph.functions["served"]
    function.signature.output_arg.add(name="o")
    function.ret["o"] = "ghost:output:0"


def third_result(graph: Graph) -> None:
    """A signature names more outputs than a call has."""
    (call,) = [each for each in graph.graph.node if each.name == "call"]
    call.attr["Tout"].list.type.extend([pb.DT_FLOAT] * 2)
    graph.meta.signature_def["serving_default"].outputs["z"].name = "call:2"


def loads_nothing(graph: Graph) -> None:
    graph.meta.collection_def["saved_model_main_op"].node_list.value.append("gone")


def twice_the_same(graph: Graph) -> None:
    for _ in range(2):
        graph.function("again", "x")


def another_served(graph: Graph) -> None:
    graph.node(graph.function("served", "x").node_def, "other", "Identity", "x")


def another_saver(graph: Graph) -> None:
    graph.function("saving", "other")


HOSTILE = [
    *(twice_the_same, another_served, another_saver),
    *(strange_name, unknown_type, lost_result, third_result, loads_nothing),
    *(
        too_few_inputs,
        too_many_inputs,
        control_input_first,
        second_output,
        output_of_none,
        other_types,
    ),
    *(absent_function, saver_to_nowhere),
    *(two_nodes, two_nodes_in_a_function, two_constants, circle, itself, control_circle),
    *(lost_input, lost_control, lost_argument, output_to_nowhere, input_to_nowhere),
    signature_to_nowhere,
    *map(placed, ("/job:worker/replica:0/task:0", "/job:localhost/task:3", "/job:ps/device:CPU:0")),
]


@pytest.mark.parametrize("build", HOSTILE)
def test_what_tensorflow_does_not_run(build: Callable[[Graph], None], tmp_path: Path) -> None:
    graph = Graph()
    build(graph)
    assert {each.name for each in graph.findings(tmp_path)} == {"graph-cannot-run"}


@pytest.mark.parametrize(
    ("op", "key"), [("Sum", "T"), ("Const", "dtype"), ("PartitionedCall", "f"), ("Cast", "DstT")]
)
def test_a_missing_attribute(tmp_path: Path, op: str, key: str) -> None:
    """Also in a function that nothing calls; of those with a default, none is there."""
    graph = Graph()
    node = graph.node(graph.function("other", "x").node_def, "n", op, "x")
    complete(graph.graph)
    del node.attr[key]
    found = graph.findings(tmp_path, whole=False)
    assert {each.name for each in found} == {"graph-cannot-run"}
    assert any(each.evidence["names"] == [f"other/n ({op})"] for each in found)


def test_an_operation_without_a_kind(tmp_path: Path) -> None:
    graph = Graph()
    graph.graph.node.add(name="a")
    assert "graph-cannot-run" in {each.name for each in graph.findings(tmp_path)}


def old_loop(graph: Graph) -> None:
    """A loop of TensorFlow 1, whose next round is no circle."""
    graph.old_loop(9)


def second_result(graph: Graph) -> None:
    third_result(graph)
    graph.meta.signature_def["serving_default"].outputs["z"].name = "call:1"


def rare_names(graph: Graph) -> None:
    """Names and types that TensorFlow takes; it loads what it initializes."""
    node = graph.node(graph.graph.node, "0.a/b-c\\>D_", "Identity", "x")
    node.attr["T"].type = pb.DT_FLOAT + 100  # of a reference
    graph.meta.collection_def["saved_model_main_op"].node_list.value.append(node.name)
    graph.functions["served"].signature.output_arg.add(name="o")
    graph.functions["served"].ret["o"] = "x"


HONEST = [
    *(second_result, rare_names),
    old_loop,
    same_types,
    *map(placed, ("/device:GPU:0", "/job:localhost/replica:0/task:0/device:CPU:0")),
]


@pytest.mark.parametrize("build", HONEST)
def test_what_it_runs_is_silent(build: Callable[[Graph], None], tmp_path: Path) -> None:
    graph = Graph()
    build(graph)
    assert graph.findings(tmp_path) == []


def with_unknown(place: str, value: bytes) -> Graph:
    graph = Graph()
    node = graph.node(graph.served, "c", "Const")
    node.attr["value"].tensor.dtype = pb.DT_INT64
    found = {
        "file": graph.message,
        "node": node,
        "tensor": node.attr["value"].tensor,
        "function": graph.functions["served"],
    }[place]
    found.MergeFromString(unknown(value))
    return graph


@pytest.mark.parametrize("place", ["file", "node", "tensor", "function"])
@pytest.mark.parametrize("program", [PROGRAM, PICKLE, b"#!/bin/sh\necho a\necho b\n"])
def test_a_program_in_a_field_that_no_schema_has(
    place: str, program: bytes, tmp_path: Path
) -> None:
    assert {e.name for e in with_unknown(place, program).findings(tmp_path / "a")} == {
        "program-in-model"
    }
    assert with_unknown(place, bytes(40)).findings(tmp_path / "b") == []


@pytest.mark.parametrize("place", ["bytes", "any", "info"])
@pytest.mark.parametrize("program", [PROGRAM, PICKLE])
def test_a_program_in_a_value_whose_meaning_no_schema_says(
    place: str, program: bytes, tmp_path: Path
) -> None:
    found = []
    for data in (program, b"\x0a\x08variable" * 9):
        graph = Graph()
        if place == "info":
            graph.meta.meta_info_def.any_info.value = data
        elif place == "any":
            graph.meta.collection_def["more"].any_list.value.add(value=data)
        else:
            graph.meta.collection_def["more"].bytes_list.value.append(data)
        found.append({each.name for each in graph.findings(tmp_path)})
    assert found == [{"program-in-model"}, set()]


@pytest.mark.parametrize(
    ("form", "operation", "refused"),
    [
        (Format.FROZEN_GRAPH, "_FusedConv2D", True),
        (Format.TFJS_GRAPH, "_FusedConv2D", False),
        (Format.TFJS_GRAPH, "Conv2D", True),  # without strides and padding
    ],
)
def test_a_converter_writes_what_its_own_runtime_reads(
    form: Format, operation: str, refused: bool
) -> None:
    """TArgs of a fused convolution came with TensorFlow 2.7; TensorFlow.js does not read it."""
    inputs = ("x", "k", "b") if "Fused" in operation else ("x", "k")
    node = GraphNode("conv", operation, inputs, {"T": "float32"})
    facts = facts_with(harmless(), GraphFacts((), (node,), {}))
    facts = replace(facts, artifact=replace(facts.artifact, format=form))
    keys = {each.location.route for each in run_rule(rule("MA760"), facts).findings}
    assert ("attributes" in keys) is refused


@pytest.mark.parametrize(
    ("name", "reference", "expected"),
    [
        ("a", "b", "`a` takes `b`"),
        ("a takes b", "c", "`a takes b` takes `c`"),
        ("a returns b", "c names d", "`a returns b` takes `c names d`"),
        ("loading runs a", "b", "`loading runs a` takes `b`"),
        ("a (Const)", "b (", "`a (Const)` takes `b (`"),
        ("a` and `b", "c", "`a' and 'b` takes `c`"),
    ],
)
def test_words_in_names_are_names(name, reference, expected):
    (graph,) = harmless().artifact.graphs
    node = GraphNode(name, "Identity", (reference,))
    facts = facts_with(harmless(), replace(graph, nodes=(*graph.nodes, node)))
    found = run_rule(rule("MA760"), facts).findings
    (lost,) = [each for each in found if "missing" in each.detail]
    assert lost.detail.endswith(f": {expected}.")
    assert lost.evidence["names"] == [f"{name} takes {reference}"]
