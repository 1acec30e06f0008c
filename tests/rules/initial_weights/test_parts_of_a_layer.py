"""Parts of one layer as drawn beside trained ones, which no restore leaves out."""

from __future__ import annotations

from modelaudit.facts import Graph, GraphNode, Kernel
from modelaudit.findings import Severity
from modelaudit.rules.initial_weights.initial_explained import QUERIES
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.structs import replace
from tests.rules.initial_kernels import drawn, model, moved, severities

HIGH, LOW = Severity.HIGH, Severity.LOW


def test_queries_and_keys_beside_trained_values():
    """An attention to a single position trains its values only; a restore takes all parts."""
    parts = ("query", "key", "value", "attention_output")
    others = (moved("b"), moved("c"), moved("d"))

    def found(*as_drawn):
        made = (
            (drawn if part in as_drawn else moved)(f"attention/{part}/kernel") for part in parts
        )
        return left_initial(model(), (*made, *others))

    said = found("query", "key")
    assert {each.kernel.route.split("/")[1] for each in said} == {"query", "key"}
    assert {(each.severity, each.against) for each in said} == {(LOW, QUERIES)}
    for twin in (parts, ("query", "key", "value"), ("query",)):
        assert {(each.severity, each.against) for each in found(*twin)} == {(HIGH, "")}, twin


def test_windows_before_a_recurrent_layer_may_leave_one_step():
    """In a graph, the shape of the network's input is not that of the layer's."""
    kernel = drawn("lstm/recurrent_kernel", 900, bias=False, state="trained", law="orthogonal")
    others = (moved("lstm/kernel"), moved("b"))
    fed = GraphNode("x", "Placeholder", (), {"shape": [None, 32, 4]})
    artifact = replace(model(), architecture=None, graphs=(Graph((), (fed,)),))
    assert severities(kernel, *others, artifact=artifact) == {"lstm/recurrent_kernel": HIGH}
    window = Kernel("conv", "conv/kernel", "conv", "hwio", 1, (3, 4, 8))
    behind = replace(artifact, kernels=(window,))
    assert severities(kernel, *others, artifact=behind) == {"lstm/recurrent_kernel": LOW}


def test_a_rejected_guess_shows_no_training():
    """One of many kernels fails the test of a guessed initializer by chance; no bias has moved."""
    fresh = [drawn(name, guessed=True) for name in "abcd"]
    rejected = drawn("e", guessed=True, state="undecidable", fits=False)
    assert severities(*fresh, rejected) == {}
    assert severities(*fresh, moved("e")) != {}
