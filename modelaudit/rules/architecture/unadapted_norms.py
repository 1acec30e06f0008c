"""MA313: Normalization layers that were never adapted to data."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer, Tensor
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace


def _not_adapted(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    found = [layer for layer in graph.layers if layer.class_name == "Normalization"]
    if not found:
        raise NotRelevant("the model has no Normalization layer")
    tensors = facts.artifact.by_name
    for layer in found:
        mean = tensors.get(layer.variables.get("mean", ""))
        variance = tensors.get(layer.variables.get("variance", ""))
        said = (layer.config.get("mean"), layer.config.get("variance"))
        given = all(isinstance(each, list) and each for each in said)
        if (_constantly(mean, 0) and _constantly(variance, 1)) or (given and _as_before(*said)):
            yield rule.finding(
                f"`{layer.route}` has mean 0 and variance 1 exactly, the values from before "
                "`adapt`: it passes its input on unchanged.",
                route=layer.route,
                evidence={"measured": [0, 1]},
                # Networks of keras.applications scale the values before it.
                severity=Severity.LOW
                if _scaled_before(graph, layer) or _scaled_behind(graph, layer)
                else rule.severity,
            )


def _as_before(mean: Json, variance: Json) -> bool:
    """Whether the statistics in a config are 0 and 1."""
    return _only(mean, 0) and _only(variance, 1)


def _only(held: Json, value: float) -> bool:
    """Whether a number, or a list of lists of numbers, has only this value."""
    if isinstance(held, list):
        return bool(held) and all(_only(each, value) for each in held)
    return held == value


def _scaled_before(graph: LayerGraph, layer: Layer) -> bool:
    """Whether anything but the network's inputs reaches a layer."""
    before = map(graph.layer, graph.above([layer.route]) - {layer.route})
    return any(each.class_name != "InputLayer" for each in before)  # also of a model inside


def _scaled_behind(graph: LayerGraph, layer: Layer) -> bool:
    """Whether a batch normalization scales what a layer passes on, before any weights."""
    behind = [*graph.only_takers(layer.route, lambda x: has(x.class_name, Trait.KEEPS_RANGE))]
    return bool(behind) and has(behind[-1].class_name, Trait.BATCH_NORMALISATION)


def _constantly(tensor: Tensor | None, value: float) -> bool:
    stats = tensor.stats if tensor else None
    return stats is not None and stats.minimum == stats.maximum == value


def _normalised(adapted: bool) -> Facts:
    layer = examples.layer("scale", "Normalization", {"mean": "scale/mean", "variance": "scale/v"})
    mean = 0.5 if adapted else 0.0
    stats = replace(examples.ORDINARY, minimum=mean, maximum=mean)
    tensors = (
        examples.tensor("scale/mean", (4,), stats),
        examples.tensor("scale/v", (4,), replace(stats, minimum=1.0, maximum=1.0)),
    )
    return Facts(examples.model(layer, tensors=tensors))


RULES = (
    Rule(
        code="MA313",
        name="normalization-not-adapted",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.LAYERS, Need.TENSORS),
        summary="A Normalization layer was never adapted to data",
        pass_title="Every Normalization layer was adapted",
        why="It should scale the input, but passes it on unchanged. The network was then trained "
        "on unscaled values, or expects scaled ones.",
        fix="Call layer.adapt(training_data) before training.",
        check=_not_adapted,
        bad=lambda: _normalised(False),
        good=lambda: _normalised(True),
    ),
)
