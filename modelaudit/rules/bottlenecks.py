"""MA312: hidden layers that pass on a single number."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network_heads import activation_of, saved_graph, weighs

# Layers with as many channels as they get, each from its own.
_KEEPS_CHANNELS = (
    Trait.POINTWISE | Trait.PADDING | Trait.UPSAMPLING | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
)


def _bottleneck(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    takers = graph.consumers()
    for layer in graph.layers:
        config = layer.config
        recurs = has(layer.class_name, Trait.RECURRENT)
        size = config.get("units", config.get("filters"))
        if not (weighs(layer) or recurs) or size != 1 or config.get("return_state"):
            continue
        applied = ["" if recurs else activation_of(layer)]
        after, vector = takers.get(layer.route, ()), _is_vector(layer)
        while len(after) == 1 and has(graph.layer(after[0]).class_name, _KEEPS_CHANNELS):
            following = graph.layer(after[0])
            vector = vector or has(following.class_name, Trait.GLOBAL_POOLING)
            if following.class_name in {"Activation", "ReLU"}:
                applied.append(activation_of(following))
            after = takers.get(following.route, ())
        known = len(after) == 1 and _weighs(graph.layer(after[0]))
        narrow = [out for out in graph.outputs if _only_through(graph, layer.route, out)]
        if not known or not narrow:
            continue
        rectified = "relu" in applied
        whose = "" if len(narrow) == len(graph.outputs) else f" on the way to {narrow[0]}"
        unit, ends = ("unit", "") if vector else ("channel", " at each position")
        yield rule.finding(
            f"Everything{whose} passes through the single {unit} of {layer.route}"
            + (
                ", and its ReLU gives 0 for all negative values: where it does, the output is the "
                f"same for every input{ends}."
                if rectified
                else "."
            ),
            route=layer.route,
            evidence={"measured": 1, "unit": "units"},
            severity=Severity.MEDIUM if rectified and vector else Severity.LOW,
        )


def _is_vector(layer: Layer) -> bool:
    """Whether it gives one row for each input; a map of one channel still shows where things are."""
    if layer.output_shape is not None:
        return len(layer.output_shape) == 2
    return layer.config.get("return_sequences") is not True


def _weighs(layer: Layer) -> bool:
    return weighs(layer) or has(layer.class_name, Trait.RECURRENT)


def _only_through(graph: LayerGraph, route: str, output: str) -> bool:
    """Whether an output depends on inputs by one layer alone, without a way around, as of a gate."""
    if output == route or route not in graph.above([output]):
        return False
    return all(graph.calls.get(each) for each in graph.above([output], around=route))


def _narrow(units: int) -> Facts:
    sizes = {"hidden": 8, "narrow": units, "head": 8}
    made: list[Layer] = []
    for name, size in sizes.items():
        config: dict[str, Json] = {"units": size, "activation": "relu"}
        made.append(examples.layer(name, config=config))
    return examples.chain(*made)


RULES = (
    Rule(
        code="MA312",
        name="single-unit-bottleneck",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="A hidden layer passes on a single number",
        pass_title="No hidden layer passes on a single number",
        why="All that the later layers know of an input is one number. If that number is 0 for "
        "all inputs, the output is constant.",
        fix="Give the layer more units and train again.",
        check=_bottleneck,
        bad=lambda: _narrow(1),
        good=lambda: _narrow(8),
    ),
)
