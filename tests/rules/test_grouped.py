"""One finding for each cause, whatever the number of places."""

from __future__ import annotations

from modelaudit.facts import Problem, ProblemKind
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import chain, dense, layer, model
from modelaudit.rules.model import Facts
from modelaudit.rules.security.graph.examples import constant, graph_with
from modelaudit.structs import replace


def unreadable(*problems: tuple[str, str]) -> list:
    kind = ProblemKind.TENSOR_UNREADABLE
    found = tuple(Problem(kind, "m.h5", detail, route) for route, detail in problems)
    return run_rule(rule("MA119"), Facts(model(layer(), problems=found))).findings


def test_tensors_lost_for_one_reason_are_one_finding():
    names = [f"conv_{i}/kernel" for i in range(12)]
    lost = [(name, f"{name} is listed but not in the file") for name in names]
    first, second = unreadable(*lost, ("head", "declares 8 bytes and stores none"))
    assert first.detail.startswith(
        "`m.h5`: conv_0/kernel is listed but not in the file. The same is"
    )
    assert "11 other tensors: `conv_1/kernel`," in first.detail
    assert "and 3 more" in first.detail
    assert first.evidence["places"] == names
    assert second.location.route == "head"
    assert "other tensor" not in second.detail


def test_a_waiver_of_some_places_does_not_cover_another():
    some = [("a", "gone"), ("b", "gone")]
    (two,), (three,), (same,) = (
        unreadable(*some),
        unreadable(*some, ("c", "gone")),
        unreadable(*some),
    )
    assert two.fingerprint == same.fingerprint != three.fingerprint


def test_operations_that_read_the_same_file_are_one_finding():
    facts = graph_with("RestoreV2", (constant("path_0", "/srv/elsewhere"),), {})
    (graph,) = facts.artifact.graphs
    ((name, function),) = graph.functions.items()
    more = tuple(replace(function.nodes[-1], name=f"read_{i}") for i in range(5))
    grown = replace(function, nodes=(*function.nodes, *more))
    several = replace(facts.artifact, graphs=(replace(graph, functions={name: grown}),))
    assert len(run_rule(rule("MA746"), facts).findings) == 1
    (found,) = run_rule(rule("MA746"), replace(facts, artifact=several)).findings
    assert found.evidence["measured"] == 6
    assert "5 other operations: " in found.detail


def test_layers_with_one_mistake_are_one_finding():
    drops = [
        layer(f"drop_{n}", "Dropout", {}, {"rate": rate}) for n, rate in enumerate((0.95,) * 3)
    ]
    other = layer("other", "Dropout", {}, {"rate": 0.97})
    first, second = run_rule(rule("MA310"), chain(dense("hidden"), *drops, other)).findings
    assert first.detail == (
        "`drop_0` drops 95% of its input in training. "
        "The same is true of 2 other layers: `drop_1`, `drop_2`."
    )
    assert first.evidence["places"] == ["drop_0", "drop_1", "drop_2"]
    assert (first.evidence["measured"], first.evidence["threshold"]) == (0.95, 0.9)
    assert second.detail == "`other` drops 97% of its input in training."


def test_a_layer_that_makes_several_outputs_constant_is_named_once():
    scale = layer("scale", "Rescaling", {}, {"scale": 0.0})
    heads = [
        layer(n, "Activation", {}, {"activation": "tanh"}, inbound=(("scale",),)) for n in "ab"
    ]
    artifact = model(scale, *heads)
    both = replace(artifact.architecture, outputs=("a", "b"))
    (found,) = run_rule(rule("MA305"), Facts(replace(artifact, architecture=both))).findings
    assert "other" not in found.detail and found.evidence["measured"] == 2
