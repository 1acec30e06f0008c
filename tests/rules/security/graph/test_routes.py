"""Ways to hide an operation or its path in a graph: all are resolved."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.formats.bundle_writer import write_bundle
from tests.made.graphs import Graph
from tests.made.saved_models import complete

PATH = b"/srv/there"


def packed(graph: Graph, nodes, name: str, *values: bytes) -> str:
    """A constant of short strings in `tensor_content`: all lengths, then all bytes."""
    node = graph.node(nodes, name, "Const")
    tensor = node.attr["value"].tensor
    tensor.dtype = pb.DT_STRING
    tensor.tensor_content = bytes(map(len, values)) + b"".join(values)
    if len(values) > 1:
        tensor.tensor_shape.dim.add(size=len(values))
    return f"{name}:output:0"


def evil(graph: Graph) -> None:
    body = graph.function("evil", "a").node_def
    graph.node(body, "w", "WriteFile", graph.text(body, "p", PATH), "a")


def is_written(graph: Graph, folder: Path) -> bool:
    found = {each.name: each for each in graph.findings(folder)}.get("graph-writes-file")
    return found is not None and found.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("op", "key"),
    [
        ("PartitionedCall", "f"),
        ("StatelessIf", "else_branch"),
        ("While", "body"),
        ("MapDataset", "f"),
        ("FilterDataset", "predicate"),
        ("OneShotIterator", "dataset_factory"),
        ("BatchFunction", "f"),
        ("SnapshotDatasetV2", "reader_func"),
    ],
)
def test_operations_that_call_a_function(tmp_path: Path, op: str, key: str) -> None:
    graph = Graph()
    evil(graph)
    graph.node(graph.served, "c", op, "x").attr[key].func.name = "evil"
    assert is_written(graph, tmp_path)


def test_a_function_in_a_list_of_branches(tmp_path: Path) -> None:
    graph = Graph()
    evil(graph)
    graph.node(graph.served, "c", "Case", "x").attr["branches"].list.func.add(name="evil")
    assert is_written(graph, tmp_path)


def test_a_call_with_the_function_s_name_as_operation(tmp_path: Path) -> None:
    """As TF1 called functions; it is not an unknown operation."""
    graph = Graph()
    evil(graph)
    graph.node(graph.served, "c", "evil", "x")
    assert is_written(graph, tmp_path)
    assert [each.name for each in graph.findings(tmp_path)] == ["graph-writes-file"]


def test_a_function_passed_to_another(tmp_path: Path) -> None:
    graph = Graph()
    evil(graph)
    between = graph.function("between", "a").node_def
    graph.node(between, "c", "PartitionedCall", "a").attr["f"].placeholder = "g"
    call = graph.node(graph.served, "c", "PartitionedCall", "x").attr["f"].func
    call.name = "between"
    call.attr["g"].func.name = "evil"
    assert is_written(graph, tmp_path)


@pytest.mark.parametrize(
    "collection", ["saved_model_main_op", "legacy_init_op", "table_initializer", "init_op"]
)
def test_operations_run_on_initialization(tmp_path: Path, collection: str) -> None:
    graph = Graph()
    path = graph.text(graph.graph.node, "p", PATH)
    graph.node(graph.graph.node, "init", "WriteFile", path, "x")
    graph.meta.collection_def[collection].node_list.value.append("init")
    assert is_written(graph, tmp_path)


def test_a_checkpoint_s_graph_is_not_initialised(tmp_path: Path) -> None:
    """It is the training graph, with the path of its vocabulary."""
    graph = Graph()
    nodes = graph.graph.node
    path = graph.text(nodes, "p", b"/home/me/words.txt")
    graph.node(nodes, "table", "InitializeTableFromTextFileV2", "x", path)
    graph.meta.collection_def["table_initializer"].node_list.value.append("table")
    graph.meta.saver_def.version = pb.SaverDef.V2
    prefix = tmp_path / "model.ckpt"
    write_bundle(prefix, {"w": np.ones(3, "float32")})
    complete(graph.graph)
    prefix.with_name("model.ckpt.meta").write_bytes(graph.meta.SerializeToString())
    results = run_rules(RULES, Facts(read(prefix, Limits())))
    found = [finding for result in results for finding in result.findings]
    assert [(each.name, each.severity) for each in found] == [("table-from-path", Severity.LOW)]


def test_a_tag_does_not_mark_a_graph_as_embedded_in_a_constant(tmp_path: Path) -> None:
    graph = Graph()
    graph.meta.meta_info_def.tags[:] = ["nested", "x"]
    graph.node(graph.served, "w", "WriteFile", graph.text(graph.served, "p", PATH), "x")
    assert is_written(graph, tmp_path)


def inner_graph() -> bytes:
    graph = pb.GraphDef()
    node = graph.node.add(name="p", op="Const")
    node.attr["value"].tensor.string_val.append(PATH)
    node.attr["value"].tensor.dtype = pb.DT_STRING
    graph.node.add(name="w", op="WriteFile", input=["p", "p"])
    return graph.SerializeToString()


@pytest.mark.parametrize(
    "encode",
    [
        zlib.compress,
        gzip.compress,
        base64.urlsafe_b64encode,
        lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
        lambda data: base64.urlsafe_b64encode(gzip.compress(data)),
    ],
)
def test_a_graph_in_an_encoded_constant(tmp_path: Path, encode: Callable[[bytes], bytes]) -> None:
    graph = Graph()
    graph.text(graph.served, "data", encode(inner_graph()))
    assert is_written(graph, tmp_path)


def test_a_graph_in_a_packed_constant_and_in_an_attribute(tmp_path: Path) -> None:
    graph = Graph()
    packed(graph, graph.served, "data", inner_graph())
    assert is_written(graph, tmp_path / "packed")
    graph = Graph()
    graph.node(graph.served, "n", "TRTEngineOp").attr["serialized_segment"].s = inner_graph()
    assert is_written(graph, tmp_path / "setting")


def test_a_graph_in_a_live_function_beside_a_dead_one_of_the_shorter_name(tmp_path: Path) -> None:
    graph = Graph()
    graph.function("a", "z")
    graph.text(graph.function("a/b", "z").node_def, "data", inner_graph())
    graph.call("c", "a/b", "x", nodes=graph.served)
    assert is_written(graph, tmp_path)


def test_inflation_of_constants_is_limited(tmp_path: Path) -> None:
    graph = Graph()
    bomb = zlib.compress(bytes(33 << 20))
    for name in ("a", "b"):
        graph.text(graph.served, name, bomb)
    (tmp_path / "saved_model.pb").write_bytes(graph.message.SerializeToString())
    problems = [problem.kind for problem in read(tmp_path, Limits()).problems]
    assert "limit-exceeded" in problems


def test_a_graph_that_is_made_when_the_model_runs(tmp_path: Path) -> None:
    graph = Graph()
    graph.node(graph.served, "d", "DatasetFromGraph", "x")
    assert [each.name for each in graph.findings(tmp_path)] == ["graph-in-constant"]


def joined(graph: Graph) -> str:
    parts = [graph.text(graph.served, name, name.encode()) for name in ("/srv", "there")]
    graph.node(graph.served, "j", "StringJoin", *parts).attr["separator"].s = b"/"
    return "j:output:0"


def reduced(graph: Graph) -> str:
    parts = graph.text(graph.served, "a", b"/srv/", b"there")
    graph.node(graph.served, "j", "ReduceJoin", parts, graph.numbers(graph.served, "n", 0))
    return "j:output:0"


def formatted(graph: Graph) -> str:
    node = graph.node(graph.served, "j", "StringFormat", graph.text(graph.served, "a", b"there"))
    node.attr["template"].s = b"/srv/%s"
    node.attr["placeholder"].s = b"%s"
    return "j:output:0"


def filled(graph: Graph) -> str:
    dims = graph.numbers(graph.served, "n", 1)
    graph.node(graph.served, "j", "Fill", dims, graph.text(graph.served, "a", PATH))
    return "j:output:0"


def spelled(graph: Graph) -> str:
    graph.node(graph.served, "j", "UnicodeEncode", graph.numbers(graph.served, "n", *PATH),
               graph.numbers(graph.served, "s", 0, len(PATH)))  # fmt: skip
    return "j:output:0"


def encoded(graph: Graph) -> str:
    text = base64.urlsafe_b64encode(PATH).rstrip(b"=")
    graph.node(graph.served, "j", "DecodeBase64", graph.text(graph.served, "a", text))
    return "j:output:0"


def chosen(graph: Graph) -> str:
    branch = graph.function("branch")
    branch.signature.output_arg.add(name="o")
    branch.ret["o"] = graph.text(branch.node_def, "p", PATH)
    node = graph.node(graph.served, "j", "If", "x")
    for key in ("then_branch", "else_branch"):
        node.attr[key].func.name = "branch"
    return "j:output:0"


def in_one_piece(graph: Graph) -> str:
    return packed(graph, graph.served, "a", PATH)


@pytest.mark.parametrize(
    "make", [joined, reduced, formatted, filled, spelled, encoded, chosen, in_one_piece]
)
def test_a_path_is_shown_resolved(tmp_path: Path, make: Callable[[Graph], str]) -> None:
    graph = Graph()
    graph.node(graph.served, "r", "ReadFile", make(graph))
    (found,) = graph.findings(tmp_path)
    assert found.evidence["targets"] == [PATH.decode()]


def saver_with_a_joined_path() -> Graph:
    """The saver of TF1: its target is a constant, which a save call replaces."""
    graph = Graph()
    nodes = graph.graph.node
    texts = {"model": b"model", "part": b"_temp/part"}
    parts = [graph.text(nodes, name, text) for name, text in texts.items()]
    graph.node(nodes, "join", "StringJoin", *parts)
    graph.node(nodes, "name", "ShardedFilename", "join")
    graph.node(nodes, "SaveV2", "SaveV2", "name")
    graph.node(nodes, "merge", "MergeV2Checkpoints", "name", "model")
    graph.node(nodes, "saved", "Identity", "model", "^merge", "^SaveV2", "^save")
    graph.meta.saver_def.filename_tensor_name = "model:0"
    graph.meta.saver_def.save_tensor_name = "saved:0"
    return graph


@pytest.mark.parametrize("served", [True, False])
def test_tf1_s_saver_joins_its_path_with_a_constant(tmp_path: Path, served: bool) -> None:
    graph = saver_with_a_joined_path()
    if not served:
        graph.meta.signature_def.clear()
    assert graph.findings(tmp_path) == []


@pytest.mark.parametrize("run", [False, True])
def test_a_saver_in_a_bare_graph(tmp_path: Path, run: bool) -> None:
    """As `tf.io.write_graph` writes one: without the MetaGraph, which names the saver."""
    graph = pb.GraphDef()
    make = Graph()
    nodes = graph.node
    make.text(nodes, "save/Const", b"model")
    make.node(nodes, "w", "VariableV2")
    make.node(nodes, "save/SaveV2", "SaveV2", "save/Const")
    make.node(nodes, "save/control", "Identity", "save/Const", "^save/SaveV2")
    make.node(nodes, "save/RestoreV2", "RestoreV2", "save/Const")
    make.node(nodes, "save/Assign", "Assign", "w", "save/RestoreV2")
    make.node(nodes, "save/restore_all", "NoOp", "^save/Assign")
    make.node(nodes, "y", "MatMul", "w", "w", *(["^save/Assign"] if run else []))
    complete(graph)
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    results = run_rules(RULES, Facts(read(tmp_path / "graph.pb", Limits())))
    found = [finding.name for result in results for finding in result.findings]
    assert found == (["checkpoint-outside-saver"] if run else [])


def test_a_path_joined_to_an_asset_is_shown(tmp_path: Path) -> None:
    graph = Graph()
    nodes = graph.graph.node
    entry = graph.meta.asset_file_def.add(filename="words.txt")
    entry.tensor_info.name = graph.text(nodes, "asset", b"ignored") + ":0"
    graph.node(nodes, "join", "StringJoin", "asset", graph.text(nodes, "more", b"/../../key"))
    graph.node(nodes, "table", "InitializeTableFromTextFileV2", "x", "join")
    graph.meta.collection_def["table_initializer"].node_list.value.append("table")
    (found,) = graph.findings(tmp_path)
    assert (found.name, found.evidence["from"]) == ("table-from-path", ["constant", "rewritten"])


def test_a_saver_with_a_packed_path_of_its_own(tmp_path: Path) -> None:
    graph = Graph()
    nodes = graph.functions["restoring"].node_def
    graph.node(nodes, "other", "RestoreV2", packed(graph, nodes, "p", PATH))
    (found,) = graph.findings(tmp_path)
    assert found.name == "checkpoint-outside-saver"


@pytest.mark.parametrize(
    ("op", "key", "value", "expected"),
    [
        ("DumpTensor", "log_dir_path", PATH, "graph-writes-file"),
        ("CalibrationStatisticsSaver", "output_file_path", PATH, "graph-writes-file"),
        ("ImmutableConst", "memory_region_name", PATH, "graph-reads-file"),
        ("ImmutableConst", "memory_region_name", b"memmapped_package://w", None),
        ("RecordInput", "file_pattern", PATH, "graph-reads-dataset"),
        ("XlaCustomCallV2", "call_target_name", b"x", "foreign-operation"),
        ("WriteScalarSummary", "x", b"x", "debug-or-summary-writer"),
        ("CollectiveReduceScatterV2", "x", b"x", "graph-uses-network"),
        ("IdentityReaderV2", "x", b"x", "graph-reads-dataset"),
    ],
)
def test_operations_with_a_path_attribute(
    tmp_path: Path, op: str, key: str, value: bytes, expected: str | None
) -> None:
    graph = Graph()
    graph.node(graph.served, "n", op, "x").attr[key].s = value
    assert [found.name for found in graph.findings(tmp_path)] == ([expected] if expected else [])
