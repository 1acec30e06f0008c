"""Tags in code to paste are those of the file, whatever they contain."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import Artifact, Format, Graph
from modelaudit.formats.reader import read_artifact
from modelaudit.runtimes.checks.meta_graphs import tags_argument
from modelaudit.runtimes.model import LoadCall
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits
from tests.runtimes.checks.cases.meta_graphs import with_a_switch
from tests.runtimes.checks.cases.shared import tensorflow
from tests.runtimes.checks.quotes import says


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


@pytest.mark.slow
@pytest.mark.parametrize("controls", [False, True])
@pytest.mark.parametrize("kind", ["Placeholder", "PlaceholderWithDefault"])
def test_a_placeholder_that_is_no_input_stops_the_loader_of_objects(
    tmp_path: Path, kind: str, controls: bool
) -> None:
    """TensorFlow is the oracle; one with a default needs no value."""
    path = with_a_switch(kind, controls=controls)(tmp_path)
    real = ""
    try:
        tensorflow().saved_model.load(str(path))
    except Exception as error:  # any error is what a user sees
        real = f"{type(error).__name__}: {error}"
    found = predict(read_artifact(path, Limits()), ["tf==2.21.0"])
    told = [
        why.error
        for each in found
        if each.call == LoadCall.SAVED_MODEL
        for why in each.because
        if why.code == "unfed-placeholder"
    ]
    assert bool(told) is bool(real) is (kind == "Placeholder")
    assert all(says(each, real) for each in told)
