"""Operations in graphs: severity depends on what runs them; origins of paths are reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.facts import Format, GraphNode, Json
from modelaudit.facts import Graph as SavedGraph
from modelaudit.findings import Finding, Severity
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.rules.engine import run_rules
from modelaudit.rules.security import RULES
from modelaudit.rules.security.graph.examples import constant, graph_facts
from modelaudit.structs import replace
from tests.made.graphs import Graph
from tests.made.saved_models import complete


def only(graph: Graph, folder: Path) -> Finding:
    (found,) = graph.findings(folder)
    return found


def test_a_saver_alone_is_not_a_finding(tmp_path: Path) -> None:
    assert Graph().findings(tmp_path) == []


def test_a_write_that_a_signature_runs(tmp_path: Path) -> None:
    graph = Graph()
    path = graph.text(graph.served, "where", b"/srv/there")
    graph.node(graph.served, "WriteFile", "WriteFile", path, "x")
    found = only(graph, tmp_path)
    assert (found.name, found.severity) == ("graph-writes-file", Severity.CRITICAL)
    assert str(found.location) == "saved_model.pb:function/served/WriteFile"
    assert found.evidence["targets"] == ["/srv/there"]
    assert found.evidence["reached"] == "signature serving_default"


def test_an_unreachable_write(tmp_path: Path) -> None:
    graph = Graph()
    dead = graph.function("dead").node_def
    graph.node(dead, "WriteFile", "WriteFile", graph.text(dead, "where", b"/srv/there"))
    found = only(graph, tmp_path)
    assert found.severity is Severity.MEDIUM
    assert found.evidence["reached"] is None


@pytest.mark.parametrize("saver", ["restoring", "saving"])
def test_a_write_hidden_in_the_saver(tmp_path: Path, saver: str) -> None:
    graph = Graph()
    graph.node(graph.functions[saver].node_def, "WriteFile", "WriteFile", "prefix")
    assert only(graph, tmp_path).severity is Severity.CRITICAL


def test_a_node_named_like_a_function_does_not_hide_it(tmp_path: Path) -> None:
    graph = Graph()
    graph.node(graph.graph.node, "served", "NoOp")
    path = graph.text(graph.served, "path", b"/srv/there")
    graph.node(graph.served, "WriteFile", "WriteFile", path)
    assert only(graph, tmp_path).severity is Severity.CRITICAL


def test_functions_are_followed_through_loops_and_recursion(tmp_path: Path) -> None:
    graph = Graph()
    loop = graph.node(graph.served, "loop", "While", "x")
    loop.attr["cond"].func.name = "served"
    loop.attr["body"].func.name = "body"
    graph.node(graph.function("body", "x").node_def, "ReadFile", "ReadFile", "x")
    assert only(graph, tmp_path).name == "graph-reads-file"


def test_operations_run_on_loading(tmp_path: Path) -> None:
    graph = Graph()
    graph.node(graph.graph.node, "init", "MatchingFiles", graph.text(graph.graph.node, "p", b"/*"))
    graph.meta.signature_def["__saved_model_init_op"].outputs["o"].name = "init:0"
    found = only(graph, tmp_path)
    assert found.evidence["reached"] == "loading the model"


def test_a_path_is_followed_through_calls_and_joins(tmp_path: Path) -> None:
    graph = Graph()
    inner = graph.function("inner", "name").node_def
    graph.node(inner, "copy", "Identity", "name")
    graph.node(inner, "ReadFile", "ReadFile", "copy:output:0")
    parts = [graph.text(graph.served, name, name.encode()) for name in ("etc", "host")]
    graph.node(graph.served, "join", "StringJoin", *parts)
    graph.call("inside", "inner", "join:output:0", nodes=graph.served)
    found = only(graph, tmp_path)
    told = found.evidence["targets"]
    assert told == ["etchost"]


def test_a_path_from_the_model_s_input_is_less_severe(tmp_path: Path) -> None:
    graph = Graph()
    graph.node(graph.served, "ReadFile", "ReadFile", "x")
    found = only(graph, tmp_path)
    assert found.severity is Severity.MEDIUM
    assert found.evidence["from"] == ["input"]


def test_a_function_that_nothing_runs_gets_no_path_from_the_model_s_input(tmp_path: Path) -> None:
    """As the reader of an input pipeline in a frozen graph: only a caller could name a file."""
    graph = Graph()
    graph.node(graph.function("reader", "name").node_def, "ReadFile", "ReadFile", "name")
    idle = only(graph, tmp_path)
    assert "named by its caller; not run" in idle.detail
    graph = Graph()
    graph.node(graph.function("reader", "name").node_def, "ReadFile", "ReadFile", "name")
    graph.call("read", "reader", "x", nodes=graph.served)
    assert "named by the model's input; run by" in only(graph, tmp_path).detail


def asset(graph: Graph, filename: str) -> None:
    graph.text(graph.graph.node, "path", b"ignored")
    entry = graph.meta.asset_file_def.add(filename=filename)
    entry.tensor_info.name = "path:0"
    graph.node(graph.graph.node, "table", "InitializeTableFromTextFileV2", "x", "path")
    graph.meta.signature_def["__saved_model_init_op"].outputs["o"].name = "table"


def test_a_table_from_an_asset_is_benign(tmp_path: Path) -> None:
    graph = Graph()
    asset(graph, "words.txt")
    assert graph.findings(tmp_path) == []


def test_an_asset_with_a_path_outside(tmp_path: Path) -> None:
    graph = Graph()
    asset(graph, "../../words.txt")
    assert only(graph, tmp_path).name == "asset-path-traversal"


def test_a_table_from_a_path(tmp_path: Path) -> None:
    graph = Graph()
    path = graph.text(graph.served, "p", b"/srv/words.txt")
    graph.node(graph.served, "t", "InitializeTableFromTextFileV2", "x", path)
    assert only(graph, tmp_path).name == "table-from-path"


def with_attribute(op: str, key: str, *values: bytes) -> Callable[[Graph], None]:
    def add(graph: Graph) -> None:
        node = graph.node(graph.served, "n", op, "x")
        if key == "debug_urls":
            node.attr[key].list.s.extend(values)
        else:
            node.attr[key].s = values[0]

    return add


def with_path(op: str, position: int, value: bytes = b"/srv/there") -> Callable[[Graph], None]:
    def add(graph: Graph) -> None:
        path = graph.text(graph.served, "p", value)
        graph.node(graph.served, "n", op, *["x"] * position, path)

    return add


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (with_attribute("PrintV2", "output_stream", b"file:///tmp/x"), "graph-prints-to-file"),
        (with_attribute("PrintV2", "output_stream", b"stderr"), None),
        (with_attribute("DebugIdentity", "debug_urls", b"grpc://h:1"), "debug-or-summary-writer"),
        (with_attribute("DecodeProtoV2", "descriptor_source", b"/x"), "graph-reads-descriptor"),
        (with_attribute("DecodeProtoV2", "descriptor_source", b"local://"), None),
        (with_path("CreateSummaryFileWriter", 1), "debug-or-summary-writer"),
        (with_path("TFRecordDataset", 0), "graph-reads-dataset"),
        (with_path("SqlDataset", 1), "graph-reads-dataset"),
        (with_path("CacheDatasetV2", 1, b""), None),
        (with_path("CacheDatasetV2", 1), "graph-reads-dataset"),
        (with_path("SaveDatasetV2", 1), "graph-writes-file"),
        (with_path("RestoreV2", 0), "checkpoint-outside-saver"),
        (with_path("SaveV2", 0), "checkpoint-outside-saver"),
        (with_path("LoadAndRemapMatrix", 0), "graph-reads-descriptor"),
        (with_path("DataServiceDatasetV2", 2), "graph-uses-network"),
        (with_path("EagerPyFunc", 0), "python-callback"),
        (with_path("WholeFileReaderV2", 0), "graph-reads-dataset"),
        (with_path("PlantedOperation", 0), "foreign-operation"),
        (with_path("Abort", 0), "graph-never-ends"),
        (with_path("StringLower", 0), None),
    ],
)
def test_operations(tmp_path: Path, add: Callable[[Graph], None], expected: str | None) -> None:
    graph = Graph()
    add(graph)
    assert [found.name for found in graph.findings(tmp_path)] == ([expected] if expected else [])


def test_operations_of_one_library_are_one_finding(tmp_path: Path) -> None:
    graph = Graph()
    for op in ("PlantedForce", "PlantedEnergy"):
        graph.node(graph.served, op, op)
    (found,) = graph.findings(tmp_path)
    assert "PlantedForce (once), PlantedEnergy (once) are not TensorFlow operations" in found.detail
    assert found.evidence["ops"] == ["PlantedForce", "PlantedEnergy"]
    assert found.evidence["measured"] == 2


def test_operations_of_builds_with_tensorrt_are_tensorflows_own(tmp_path: Path) -> None:
    graph = Graph()
    graph.node(graph.served, "engine", "TRTEngineOp")
    (found,) = graph.findings(tmp_path)
    assert found.name == "foreign-operation"
    assert "not a TensorFlow operation" not in found.detail and "TensorRT" in found.fix


@pytest.mark.parametrize(
    ("update", "op", "severity"),
    [
        ("ApplyAdam", "TFRecordReaderV2", Severity.MEDIUM),
        ("Identity", "TFRecordReaderV2", Severity.HIGH),
        ("ApplyAdam", "ReadFile", Severity.HIGH),
    ],
)
def test_a_graph_for_training_has_an_input_pipeline(
    update: str, op: str, severity: Severity
) -> None:
    path = constant("path", "/srv/train.tfrecords")
    reader = GraphNode("reader", op, ("path",))
    facts = graph_facts(SavedGraph((), (path, reader, GraphNode("update", update, ()))))
    artifact = replace(facts.artifact, signatures=(), format=Format.FROZEN_GRAPH)
    found = [
        finding
        for result in run_rules(RULES, replace(facts, artifact=artifact))
        for finding in result.findings
        if finding.evidence.get("op") == op
    ]
    assert [each.severity for each in found] == [severity]
    assert "run by any program that asks for this part of the graph" in found[0].detail


def test_deleting_is_critical(tmp_path: Path) -> None:
    graph = Graph()
    with_path("MergeV2Checkpoints", 0)(graph)
    assert only(graph, tmp_path).severity is Severity.CRITICAL


def test_a_saver_with_a_constant_path(tmp_path: Path) -> None:
    graph = Graph()
    nodes = graph.functions["restoring"].node_def
    graph.node(nodes, "other", "RestoreV2", graph.text(nodes, "p", b"/srv/other"))
    found = only(graph, tmp_path)
    assert (found.name, found.location.route) == (
        "checkpoint-outside-saver",
        "function/restoring/other",
    )


def test_a_graph_inside_of_a_constant(tmp_path: Path) -> None:
    inner = pb.GraphDef()
    node = inner.node.add(name="p", op="Const")
    node.attr["value"].tensor.string_val.append(b"/srv/there")
    node.attr["value"].tensor.dtype = pb.DT_STRING
    inner.node.add(name="w", op="WriteFile", input=["p", "p"])
    complete(inner)
    graph = Graph()
    data = graph.text(graph.served, "data", inner.SerializeToString())
    graph.node(graph.served, "d", "DatasetFromGraph", data)
    found = {each.name: each for each in graph.findings(tmp_path)}
    assert found.keys() == {"graph-in-constant", "graph-writes-file"}
    assert found["graph-writes-file"].severity is Severity.CRITICAL
    assert found["graph-writes-file"].evidence["targets"] == ["/srv/there"]


def test_a_cycle_of_values_terminates(tmp_path: Path) -> None:
    graph = Graph()
    graph.node(graph.served, "a", "Identity", "b:output:0")
    graph.node(graph.served, "b", "Identity", "a:output:0")
    graph.node(graph.served, "r", "ReadFile", "a:output:0")
    graph.node(graph.served, "f", "Fill", "a:output:0")
    graph.call("again", "served", "x", nodes=graph.served)
    names = [found.name for found in graph.findings(tmp_path)]
    assert names == ["graph-reads-file", "graph-never-ends", "graph-cannot-run"]


def test_a_flood_of_operations_is_counted(tmp_path: Path) -> None:
    graph = Graph()
    for number in range(1001):
        graph.node(graph.served, f"r{number}", "ReadFile", "x")
    found = graph.findings(tmp_path)
    assert [each.evidence["measured"] for each in found] == [1000, 1001]
    assert found[-1].evidence == {"measured": 1001, "unit": "operations", "threshold": 1000}


def test_a_path_that_doubles_with_every_step_is_followed_to_a_limit(tmp_path: Path) -> None:
    graph = Graph()
    value = graph.text(graph.served, "p", b"/srv")
    for number in range(60):
        graph.node(graph.served, f"j{number}", "StringJoin", value, value)
        value = f"j{number}:output:0"
    graph.node(graph.served, "r", "ReadFile", value)
    reading, joined = graph.findings(tmp_path)
    assert (reading.name, joined.name) == ("graph-reads-file", "oversized-tensor")
    (target,) = reading.evidence["targets"]
    assert target == ("/srv" * 100)[:300]


@pytest.mark.parametrize(
    ("given", "format_", "severity"),
    [
        ((), Format.FROZEN_GRAPH, Severity.MEDIUM),
        (("x",), Format.FROZEN_GRAPH, Severity.HIGH),  # a wait beside the inputs
        ((), Format.SAVEDMODEL_TF2, Severity.HIGH),  # servers run it and give nothing
    ],
)
def test_a_queue_that_is_the_only_input_is_left_from_training(
    given: tuple[str, ...], format_: Format, severity: Severity
) -> None:
    """`freeze_graph` of an Estimator keeps the dequeue, whose outputs a program can feed."""
    held: dict[str, Json] = {"component_types": ["float32"]}
    eight: dict[str, Json] = {"dtype": "int32", "shape": [], "value": [8]}
    queue = GraphNode("queue", "FIFOQueueV2", (), held)
    most = GraphNode("n", "Const", (), {"dtype": "int32", "value": eight})
    take = GraphNode("take", "QueueDequeueUpToV2", ("queue", "n"), held)
    out = GraphNode("out", "Relu", ("take",), {"T": "float32"})
    inputs = tuple(GraphNode(name, "Placeholder", (), {"dtype": "float32"}) for name in given)
    facts = graph_facts(SavedGraph((), (*inputs, queue, most, take, out)), outputs=("out",))
    signatures = facts.artifact.signatures if format_ is Format.SAVEDMODEL_TF2 else ()
    artifact = replace(facts.artifact, signatures=signatures, format=format_)
    results = run_rules(RULES, replace(facts, artifact=artifact))
    (finding,) = [found for each in results for found in each.findings if each.code == "MA753"]
    assert finding.severity is severity
    assert ('feed_dict={"take:0": ...}' in finding.fix) is (severity is Severity.MEDIUM)
