"""One finding for each cause, whatever the number of places."""

from __future__ import annotations

from modelaudit.facts import Problem, ProblemKind
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import layer, model
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
    assert first.detail.startswith("m.h5: conv_0/kernel is listed but not in the file. The same is")
    assert "11 other tensors: conv_1/kernel," in first.detail
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
