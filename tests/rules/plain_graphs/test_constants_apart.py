"""Constants of TensorFlow.js are in files of weights, and are not zeros."""

from __future__ import annotations

import pytest

from modelaudit.facts import Artifact, Format, Graph, GraphNode
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.rules import examples
from modelaudit.rules.plain_graphs.reader import GraphReader


@pytest.mark.parametrize(
    ("form", "found"), [(Format.TFJS_GRAPH, None), (Format.FROZEN_GRAPH, (0.0,))]
)
def test_numbers_without_content(form, found, tmp_path):
    def held(name):
        value = {"dtype": "float32", "shape": [1], "value": [0.0]}
        return GraphNode(name, "Const", (), {"dtype": "float32", "value": value})

    product = GraphNode("mul", "Mul", ("x", "gamma"))
    nodes = (GraphNode("x", "Placeholder", ()), held("gamma"), held("axis"), product)
    tensors = (examples.tensor("gamma", (1,)),)
    artifact = Artifact(tmp_path, form, tensors=tensors, graphs=(Graph((), nodes),))
    reader = GraphReader(artifact, artifact.graphs[0])
    place = NodeOutput(reader.walker.main, product)
    assert reader.numbers(place, 1) == found
    inside = NodeOutput(reader.walker.main, GraphNode("sum", "Sum", ("mul", "axis")))
    assert reader.numbers(inside, 1) == (0.0,)  # it is in the graph itself
