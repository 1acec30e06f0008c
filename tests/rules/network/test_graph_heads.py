"""Heads of graphs without layers: what a softmax runs over."""

from __future__ import annotations

import pytest

from modelaudit.facts import Endpoint, Format, Graph, GraphNode, Signature
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


def softmax_of_one_channel(reshaped: bool, format: Format) -> Facts:
    """A convolution with one filter, and a softmax over its channel or, reshaped, its positions."""
    bias = {"value": {"dtype": "float32", "shape": [1]}}
    nodes = [
        GraphNode("x", "Placeholder", ()),
        GraphNode("w", "Const", (), {"value": {"dtype": "float32", "shape": [1, 1, 8, 1]}}),
        GraphNode("b", "Const", (), bias),
        GraphNode("board", "Conv2D", ("x", "w")),
        GraphNode("scores", "BiasAdd", ("board", "b")),
        GraphNode("shape", "Const", (), {"value": {"dtype": "int32", "shape": [2]}}),
        GraphNode("flat", "Reshape", ("scores", "shape")),
        GraphNode("moves", "Softmax", ("flat" if reshaped else "scores",)),
    ]
    nodes = [each for each in nodes if reshaped or each.name not in {"shape", "flat"}]
    shape = (None, 361) if reshaped else (None, 19, 19, 1)
    outputs = (Endpoint("moves", "moves:0", "float32", shape),)
    signature = Signature("serving_default", "", (), outputs, ("serve",))
    artifact = replace(
        examples.model(tensors=()), format=format, graphs=(Graph(("serve",), tuple(nodes)),)
    )
    signed = () if format is Format.FROZEN_GRAPH else (signature,)
    return Facts(replace(artifact, signatures=signed))


@pytest.mark.parametrize("format", [Format.FROZEN_GRAPH, Format.SAVEDMODEL_TF1])
@pytest.mark.parametrize("reshaped", [True, False])
def test_a_softmax_over_positions_is_no_constant(reshaped: bool, format: Format) -> None:
    """A policy over the squares of a board has one filter, and as many classes as squares."""
    found = run_rule(rule("MA305"), softmax_of_one_channel(reshaped, format)).findings
    assert [each.severity.value for each in found] == ([] if reshaped else ["high"])


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((("Minimum", 10.0),), []),  # a limit of the scores from above
        ((("Maximum", 0.0),), ["high"]),
        ((("Maximum", 0.0), ("Minimum", 6.0)), ["high"]),
        ((("Minimum", 6.0), ("Maximum", 0.0)), ["high"]),
        ((("Maximum", -10.0), ("Minimum", 10.0)), []),
    ],
)
def test_a_limit_from_above_is_no_relu(operations, expected) -> None:
    kernel = {"value": {"dtype": "float32", "shape": [8, 1]}}
    nodes = [
        GraphNode("x", "Placeholder", ()),
        GraphNode("w", "Const", (), kernel),
        GraphNode("scores", "MatMul", ("x", "w")),
    ]
    for op, limit in operations:
        value = {"value": {"dtype": "float32", "shape": [], "value": [limit]}}
        last = nodes[-1].name
        nodes += [
            GraphNode(f"limit_{op}", "Const", (), value),
            GraphNode(op, op, (last, f"limit_{op}")),
        ]
    nodes.append(GraphNode("p", "Sigmoid", (nodes[-1].name,)))
    made = replace(examples.model(tensors=()), graphs=(Graph((), tuple(nodes)),))
    facts = Facts(replace(made, format=Format.FROZEN_GRAPH))
    found = run_rule(rule("MA307"), facts).findings
    assert [each.severity.value for each in found] == expected


@pytest.mark.parametrize(("last", "expected"), [("Relu", ["medium"]), ("Identity", [])])
def test_scores_that_pass_a_relu_before_their_loss_are_named(last, expected) -> None:
    """In a training graph, whose loss applies the softmax."""
    kernel = {"value": {"dtype": "float32", "shape": [8, 2]}}
    nodes = (
        GraphNode("x", "Placeholder", ()),
        GraphNode("y", "Placeholder", ()),
        GraphNode("w", "Const", (), kernel),
        GraphNode("scores", "MatMul", ("x", "w")),
        GraphNode("last", last, ("scores",)),
        GraphNode("loss", "SoftmaxCrossEntropyWithLogits", ("last", "y")),
        GraphNode("tower/loss", "SoftmaxCrossEntropyWithLogits", ("last", "y")),
    )
    artifact = replace(
        examples.model(tensors=()), format=Format.TF1_CHECKPOINT, graphs=(Graph((), nodes),)
    )
    found = run_rule(rule("MA307"), Facts(artifact)).findings
    assert [each.severity.value for each in found] == expected
    assert all("negative scores become 0" in each.detail for each in found)
