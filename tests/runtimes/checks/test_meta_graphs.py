"""Tags in code to paste are those of the file, whatever they contain."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import Artifact, Format, Graph
from modelaudit.runtimes.checks.meta_graphs import tags_argument


def _export(*tags: tuple[str, ...]) -> Artifact:
    graphs = tuple(Graph(tags=each, nodes=()) for each in tags)
    return Artifact(root=Path("m"), format=Format.SAVEDMODEL_TF2, graphs=graphs)


@given(st.text(max_size=20))
def test_the_argument_is_one_line_that_gives_the_tag(tag: str) -> None:
    argument = tags_argument(_export((tag,), ("train", "gpu")))
    assert len(argument.splitlines()) == 1
    call = ast.parse(f"load('m'{argument})", mode="eval").body
    assert isinstance(call, ast.Call)
    assert [(each.arg, ast.literal_eval(each.value)) for each in call.keywords] == [("tags", [tag])]


def test_one_graph_needs_none_and_the_served_one_is_preferred() -> None:
    assert tags_argument(_export(("serve",))) == ""
    assert tags_argument(_export(("train",), ("gpu", "serve"))) == ", tags=['gpu', 'serve']"
