"""Paths that begin as an asset's and are changed before a file is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.findings import Severity
from tests.made.graphs import Graph
from tests.rules.security.graph.costly import looped

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


def part(start: int, unit: bytes = b"BYTE") -> Rewriting:
    def add(graph: Graph) -> str:
        nodes = graph.graph.node
        numbers = [graph.numbers(nodes, f"n{at}", at, shape=()) for at in (start, 3)]
        graph.node(nodes, "r", "Substr", "asset", *numbers).attr["unit"].s = unit
        return "r"

    return add


def split(op: str, output: int, *more: bytes) -> Rewriting:
    """One of the parts of the path."""

    def add(graph: Graph) -> str:
        nodes = graph.graph.node
        texts = [graph.text(nodes, f"t{i}", text) for i, text in enumerate(more)]
        graph.node(nodes, "s", op, "asset", *texts)
        first = graph.numbers(nodes, "n", 0, shape=())
        graph.node(nodes, "r", "GatherV2", f"s:{output}", first, first)
        return "r"

    return add


def points(graph: Graph) -> str:
    """Split into code points, which are texts again."""
    nodes = graph.graph.node
    graph.node(nodes, "s", "UnicodeDecode", "asset")
    graph.node(nodes, "r", "UnicodeEncode", "s:1", "s")
    return "r"


def in_a_loop(graph: Graph) -> str:
    """Joined in the body of a loop."""
    looped(graph, "Less", 3)
    body = graph.functions["body"]
    graph.node(body.node_def, "j", "StringJoin", "v", "v")
    body.ret["v"] = "j:output:0"
    loop = graph.served[-1]
    node = graph.graph.node.add(name="loop", op="StatelessWhile")
    node.attr["cond"].func.name, node.attr["body"].func.name = "when", "body"
    node.input.extend([graph.numbers(graph.graph.node, "start", 0, shape=()), "asset"])
    graph.served.remove(loop)
    return "loop:1"


def chosen(graph: Graph) -> str:
    """Selected between the asset itself and a changed one."""
    nodes = graph.graph.node
    graph.node(nodes, "s", "StringLower", "asset")
    graph.node(nodes, "r", "SelectV2", "x", "asset", "s")
    return "r"


def beside(graph: Graph) -> str:
    """The second of two values that one operation passes on, the first of which is the asset."""
    nodes = graph.graph.node
    graph.node(nodes, "s", "StringLower", "asset")
    graph.node(nodes, "r", "IdentityN", "asset", "s")
    return "r:1"


def called(graph: Graph) -> str:
    """Changed inside a function."""
    function = graph.function("change", "a")
    graph.node(function.node_def, "u", "StringUpper", "a")
    function.signature.output_arg.add(name="o")
    function.ret["o"] = "u:output:0"
    graph.call("r", "change", "asset", nodes=graph.graph.node)
    return "r"


def called_twice(graph: Graph) -> str:
    """Changed in a function that another one calls."""
    called(graph)
    outer = graph.function("outer", "a")
    graph.call("c", "change", "a", nodes=outer.node_def)
    outer.signature.output_arg.add(name="o")
    outer.ret["o"] = "c:output:0"
    graph.call("r2", "outer", "asset", nodes=graph.graph.node)
    return "r2"


KINDS: dict[str, dict[str, Rewriting]] = {
    "replaced": {
        "all": one("StaticRegexReplace", pattern=b".*", rewrite=b"/etc/passwd"),
        "start": one("StaticRegexReplace", pattern=b"^assets", rewrite=b"/etc"),
        "by inputs": one("RegexReplace", b".*", b"/etc/passwd"),
    },
    "joined": {
        "texts": one("StringJoin", b"/../../key"),
        "added": one("AddV2", b"/../key"),
        "reduced": one("ReduceJoin", b"0"),
        "segments": one("UnsortedSegmentJoin", b"0", b"1"),
        "sharded": one("ShardedFilename", b"1", b"2"),
    },
    "split": {
        "at a text": split("StringSplitV2", 1, b"@"),
        "as before": split("StringSplit", 1, b"@"),
        "into code points": points,
        "into runs": split("StringNGrams", 0, b"0"),
    },
    "part": {"from 3": part(3), "the end": part(-9), "of characters": part(2, b"UTF8_CHAR")},
    "decoded": {
        "base64": one("DecodeBase64"),
        "compressed": one("DecodeCompressed", compression_type=b"ZLIB"),
        "transcoded": one("UnicodeTranscode"),
        "bytes": one("DecodeRaw"),
        "encoded": one("EncodeBase64"),
    },
    "letters": {
        "lower": one("StringLower"),
        "upper": one("StringUpper"),
        "stripped": one("StringStrip"),
        "formatted": one("AsString"),
        "template": one("StringFormat", template=b"/%s", placeholder=b"%s"),
    },
    "elsewhere": {
        "chosen": chosen,
        "beside": beside,
        "called": called,
        "called twice": called_twice,
    },
}
REWRITING = {f"{kind}: {way}": made for kind, some in KINDS.items() for way, made in some.items()}
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


def test_there_are_three_of_each_kind() -> None:
    assert min(map(len, KINDS.values())) >= 3


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


def test_a_path_that_a_loop_makes_longer_is_high(tmp_path: Path) -> None:
    found = graph_with(in_a_loop, "ReadFile").findings(tmp_path)
    (named,) = [each for each in found if each.evidence.get("op") == "ReadFile"]
    assert named.severity.rank >= Severity.HIGH.rank


def plain(graph: Graph) -> str:
    return "asset"


def passed(graph: Graph) -> str:
    """Through operations that do not change a text."""
    nodes = graph.graph.node
    graph.node(nodes, "a", "Identity", "asset")
    graph.node(nodes, "b", "Pack", "a")
    graph.node(nodes, "c", "Reshape", "b", graph.numbers(nodes, "n", shape=(0,)))
    return "c"


def second(graph: Graph) -> str:
    """Beside a text that nothing opens."""
    nodes = graph.graph.node
    graph.node(nodes, "i", "IdentityN", graph.text(nodes, "t", b"/etc/passwd"), "asset")
    return "i:1"


@pytest.mark.parametrize("path", [plain, passed, second])
def test_an_asset_that_is_only_passed_on_is_silent(tmp_path: Path, path: Rewriting) -> None:
    for op in ("InitializeTableFromTextFileV2", "ReadFile"):
        found = graph_with(path, op).findings(tmp_path)
        assert [each for each in found if each.evidence.get("op") == op] == []
