"""MA348: comparisons of two embeddings by a difference that keeps its sign."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

_DIFFERENCES = frozenset(("Subtract", "Sub"))


def _differences(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    found = [x for x in graph.layers if operation_name(x) in _DIFFERENCES and _of_one(graph, x)]
    if not found:
        raise NotRelevant("no layer subtracts what one tower gives for two inputs")
    for layer in found:
        behind = [*graph.only_takers(layer.route, lambda x: has(x.class_name, Trait.DROPOUT))]
        last = behind[-1] if behind else None
        if last is None or last.class_name != "Dense" or last.route not in graph.outputs:
            continue
        if last.config.get("units") != 1 or not _of_two_inputs(graph, layer):
            continue
        yield rule.finding(
            f"`{last.route}` weighs the difference that `{layer.route}` makes of two embeddings, with its sign: what "
            "it says of two inputs turns round with their order, so it can say which is more, and not whether "
            "they are alike.",
            route=layer.route,
            evidence={"measured": layer.class_name, "head": last.route},
            fix="To tell whether two inputs are alike, take the absolute value of the difference, and train again:\n"
            f"x = keras.ops.abs({layer.name})",
        )


def _of_one(graph: LayerGraph, layer: Layer) -> bool:
    """Whether it subtracts two outputs of one layer or tower."""
    calls = graph.calls[layer.route]
    one = len(calls) == 1 and len(calls[0]) == 2 and calls[0][0] == calls[0][1]
    return one and not layer.custom


def _of_two_inputs(graph: LayerGraph, layer: Layer) -> bool:
    """Whether what it subtracts depends on more inputs than one."""
    return sum(not any(graph.calls.get(x, ())) for x in graph.above([layer.route])) > 1


def _pair(*, size: bool) -> Facts:
    inputs = [examples.layer(name, "InputLayer", {}) for name in ("a", "b")]
    code = replace(examples.dense("code"), inbound=(("a",), ("b",)))
    apart = examples.layer("apart", "Subtract", {}, inbound=(("code", "code"),))
    between = examples.layer("size", "Lambda", {}, inbound=(("apart",),))
    head = examples.layer("head", config={"units": 1, "activation": "sigmoid"})
    head = replace(head, inbound=(("size" if size else "apart",),))
    return Facts(examples.model(*inputs, code, apart, *([between] if size else []), head))


RULES = (
    Rule(
        code="MA348",
        name="signed-difference",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE,),
        summary="Two embeddings are compared by a signed difference",
        pass_title="Embeddings are compared by the absolute value of their difference",
        why="A weighted sum of signed differences is the same for two inputs that are alike as for two that "
        "differ in opposite ways. For a ranking, where one input is to win, it is right.",
        fix="Take the absolute value of the difference before the last layer, and train again.",
        check=_differences,
        bad=lambda: _pair(size=False),
        good=lambda: _pair(size=True),
    ),
)
