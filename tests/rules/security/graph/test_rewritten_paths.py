"""Paths that begin as an asset's and are changed before a file is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.findings import Severity
from tests.made.graphs import Graph

Rewriting = Callable[[Graph], str]


def one(op: str, *more: bytes, **attributes: bytes) -> Rewriting:
    """An operation on the asset's path and further texts."""

    def add(graph: Graph) -> str:
        nodes = graph.graph.node
        texts = [graph.text(nodes, f"t{i}", text) for i, text in enumerate(more)]
        node = graph.node(nodes, "r", op, "asset", *texts)
        for key, value in attributes.items():
            node.attr[key].s = value
        return "r"

    return add


def part(graph: Graph) -> str:
    nodes = graph.graph.node
    where = graph.numbers(nodes, "n", 3, shape=())
    graph.node(nodes, "r", "Substr", "asset", where, where)
    return "r"


def split(graph: Graph) -> str:
    nodes = graph.graph.node
    graph.node(nodes, "s", "StringSplitV2", "asset", graph.text(nodes, "by", b"@"))
    graph.node(nodes, "r", "GatherV2", "s:1", graph.numbers(nodes, "n", 0, shape=()))
    return "r"


def chosen(graph: Graph) -> str:
    """Selected between the asset itself and a changed one."""
    nodes = graph.graph.node
    graph.node(nodes, "s", "StringLower", "asset")
    graph.node(nodes, "r", "SelectV2", "x", "asset", "s")
    return "r"


def called(graph: Graph) -> str:
    """Changed inside a function."""
    function = graph.function("change", "a")
    graph.node(function.node_def, "u", "StringUpper", "a")
    function.signature.output_arg.add(name="o")
    function.ret["o"] = "u:output:0"
    graph.call("r", "change", "asset", nodes=graph.graph.node)
    return "r"


REWRITING: dict[str, Rewriting] = {
    "replaced": one("StaticRegexReplace", pattern=b".*", rewrite=b"/etc/passwd"),
    "replaced by inputs": one("RegexReplace", b".*", b"/etc/passwd"),
    "joined": one("StringJoin", b"/../../key"),
    "decoded": one("DecodeBase64"),
    "lower": one("StringLower"),
    "stripped": one("StringStrip"),
    "transcoded": one("UnicodeTranscode"),
    "formatted": one("AsString"),
    "added": one("AddV2", b"/../key"),
    "sharded": one("ShardedFilename", b"1", b"2"),
    "part": part,
    "split": split,
    "chosen": chosen,
    "called": called,
}
READERS = {
    "ReadFile": ("r",),
    "InitializeTableFromTextFileV2": ("x", "r"),
    "WriteFile": ("r", "x"),
    "TextLineDataset": ("r", "x", "x"),
}


def graph_with(path: Rewriting, op: str) -> Graph:
    graph = Graph()
    nodes = graph.graph.node
    entry = graph.meta.asset_file_def.add(filename="words.txt")
    entry.tensor_info.name = graph.text(nodes, "asset", b"ignored") + ":0"
    path_node = path(graph)
    inputs = [path_node if each == "r" else each for each in READERS[op]]
    graph.node(nodes, "used", op, *inputs)
    graph.meta.signature_def["serving_default"].outputs["z"].name = "used:0"
    return graph


@pytest.mark.parametrize("rewriting", REWRITING)
@pytest.mark.parametrize("op", READERS)
def test_a_changed_path_is_no_asset(tmp_path: Path, rewriting: str, op: str) -> None:
    found = graph_with(REWRITING[rewriting], op).findings(tmp_path)
    (named,) = [each for each in found if each.evidence.get("op") == op]
    assert named.severity.rank >= Severity.HIGH.rank
    origins = named.evidence["from"]
    assert isinstance(origins, list)
    assert "rewritten" in origins
    assert "computes from that of an asset (" in named.detail
    assert "'words.txt'" in named.detail


def plain(graph: Graph) -> str:
    return "asset"


def passed(graph: Graph) -> str:
    """Through operations that do not change a text."""
    nodes = graph.graph.node
    graph.node(nodes, "a", "Identity", "asset")
    graph.node(nodes, "b", "Pack", "a")
    graph.node(nodes, "c", "Reshape", "b", graph.numbers(nodes, "n", shape=(0,)))
    return "c"


@pytest.mark.parametrize("path", [plain, passed])
def test_an_asset_that_is_only_passed_on_is_silent(tmp_path: Path, path: Rewriting) -> None:
    for op in ("InitializeTableFromTextFileV2", "ReadFile"):
        found = graph_with(path, op).findings(tmp_path)
        assert [each for each in found if each.evidence.get("op") == op] == []
