"""MA337: two towers of a comparison that share no weights."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import operation
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

_COMPARES = frozenset(("Subtract", "Dot", "Lambda"))
_OPERATIONS = frozenset(("subtract", "sub", "squareddifference"))
_NAMES = ("name", "batch_input_shape", "batch_shape", "dtype")
_OBJECT = "shared_object_id"  # which Keras gives to what several layers hold


def _towers(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    compares = [x for x in graph.layers if _compares(graph, x)]
    if not compares:
        raise NotRelevant("no layer compares what two layers give")
    for layer in compares:
        one, other = (_tower(graph, route) for route in graph.calls[layer.route][0])
        weighing = [x for x in one if x.variables]
        if (
            not weighing
            or not _alike(one, other)
            or {x.route for x in one} & {x.route for x in other}
        ):
            continue
        twin = next(x for x in other if x.variables)
        yield rule.finding(
            f"`{layer.route}` compares what two towers with the same {len(weighing)} layers of weights give, "
            f"up to `{weighing[0].route}` and `{twin.route}`, and they share none: two inputs that are the same "
            "get codes that are not.",
            route=layer.route,
            evidence={"measured": len(weighing), "unit": "layers with weights in each"},
            fix="If both inputs are of one kind, make the tower once and call it on both, and train again:\n"
            "\n    tower = keras.Sequential([...])\n    a, b = tower(input_a), tower(input_b)",
        )


def _compares(graph: LayerGraph, layer: Layer) -> bool:
    calls = graph.calls[layer.route]
    known = layer.class_name in _COMPARES or operation(layer) in _OPERATIONS
    return known and len(calls) == 1 and len(calls[0]) == 2


def _tower(graph: LayerGraph, route: str) -> list[Layer]:
    """The layers in a row from one to an input."""
    last = graph.get(route)
    return [last, *graph.only_sources(route, lambda _: True)] if last is not None else []


def _alike(one: list[Layer], other: list[Layer]) -> bool:
    """Whether both end at an input of their own, with the same layers before the comparison."""
    ends = [tower[-1].class_name == "InputLayer" for tower in (one, other) if tower]
    return (
        ends == [True, True]
        and len(one) == len(other)
        and one[-1].output_shape == other[-1].output_shape
        and all(_same(a, b) for a, b in zip(one[:-1], other[:-1], strict=True))
    )


def _same(one: Layer, other: Layer) -> bool:
    return one.class_name == other.class_name and _settings(one) == _settings(other)


def _settings(layer: Layer) -> dict[str, Json]:
    kept = {key: value for key, value in layer.config.items() if key not in _NAMES}
    return {
        key: {k: v for k, v in value.items() if k != _OBJECT} if isinstance(value, dict) else value
        for key, value in kept.items()
    }


def _pair(*, shared: bool) -> Facts:
    inputs = [examples.layer(name, "InputLayer", {}) for name in ("a", "b")]
    codes = [examples.dense("code"), examples.dense("code_1")]
    codes = [replace(x, inbound=((y,),)) for x, y in zip(codes, ("a", "b"), strict=True)]
    if shared:
        codes = [replace(codes[0], inbound=(("a",), ("b",)))]
    ends = ("code", "code" if shared else "code_1")
    apart = examples.layer("apart", "Subtract", {}, inbound=(ends,))
    head = replace(examples.dense("head"), inbound=(("apart",),))
    return Facts(examples.model(*inputs, *codes, apart, head))


RULES = (
    Rule(
        code="MA337",
        name="towers-apart",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE,),
        summary="Two towers that are compared share no weights",
        pass_title="Towers that are compared share their weights",
        why="A network that says whether two inputs are alike gives both to one tower, so that the same "
        "input has the same code on both sides. Where inputs are of two kinds, such as people and "
        "things, two towers are right.",
        fix="Make the tower once and call it on both inputs, and train again.",
        check=_towers,
        bad=lambda: _pair(shared=False),
        good=lambda: _pair(shared=True),
    ),
)
