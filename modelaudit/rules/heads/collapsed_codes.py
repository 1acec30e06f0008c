"""MA436: codes of variational autoencoders that carry nothing, by biases that are held at 0."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from modelaudit.facts import Layer, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.architecture.cancelled_biases import normalized_behind
from modelaudit.rules.grammar import quoted
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.network_heads import activation_of
from modelaudit.thresholds.last_layers import CODE_UNITS, HELD_AT_ZERO, KL_OVER

_LESS_WEIGHT = (
    "Give the KL term less weight beside the error of reconstruction: sum that error over the values of "
    "an input, in place of their mean, or multiply the KL term by a factor that grows from 0. Then train "
    "again from new weights."
)


def collapsed_codes(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """Two layers of one input, as for mean and variance of a code, whose biases are held at 0.

    The KL term is least where mean and logarithm of the variance are 0 for every input. Steps move the
    biases of other layers, and leave them where they end.
    """
    stored = facts.artifact.by_name
    moved: dict[str, TensorStats] = {}
    for layer in graph.layers:
        bias = stored.get(layer.variables.get("bias", ""))
        if bias is not None and bias.stats is not None and layer.trainable:
            moved[layer.route] = bias.stats
    for pair in _pairs(graph):
        names = [layer.route for layer in pair]
        others = [each for route, each in moved.items() if route not in names]
        if not others or not all(name in moved for name in names):
            continue
        held = max(max(-moved[name].minimum, moved[name].maximum) for name in names)
        usual = max(math.hypot(each.mean, each.std) for each in others)
        if not 0 < held < HELD_AT_ZERO.value * usual or not math.isfinite(usual):
            continue
        yield rule.finding(
            f"The biases of {' and '.join(quoted(names))}, two layers with one input, are within {held:.2g} of 0, "
            f"where training moved others by {usual:.2g}. So it is where the KL term of a variational "
            "autoencoder holds the mean, and the logarithm of the variance, at 0 for every input: then the "
            "code carries nothing, and what is decoded is the same for all.",
            route=names[0],
            evidence={
                "measured": held / usual,
                "unit": HELD_AT_ZERO.unit,
                "threshold": HELD_AT_ZERO.value,
            },
            key="code",
            title="Mean and variance of a code are the same for every input",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix=_LESS_WEIGHT,
        )
        return


def outweighed_codes(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """The same two layers, where their gradients are far above those of all layers behind them.

    What they learn of the error comes back through these layers, and is of their size. A term of
    their own is not.
    """
    state = optimizer_state(facts.artifact)
    sizes = {
        x.route: math.sqrt(x.mean_second)
        for x in (state.moments if state else ())
        if x.role == "kernel" and x.mean_second and math.isfinite(x.mean_second)
    }
    for pair in _pairs(graph) if len(sizes) > 2 else ():
        names = [layer.route for layer in pair]
        behind = [x for x in sizes if x not in names and names[0] in graph.above([x])]
        if not behind or not all(name in sizes for name in names):
            continue
        times = min(sizes[name] for name in names) / max(sizes[x] for x in behind)
        if not KL_OVER.value <= times < math.inf:
            continue
        yield rule.finding(
            f"In training, the gradients of {' and '.join(quoted(names))}, two layers with one input, were "
            f"{times:.3g} times as large as those of all layers behind them. What these learn of the error is "
            "next to nothing beside a term of their own, as the KL term of a variational autoencoder is: it "
            "draws the code to the same for every input.",
            route=names[0],
            evidence={"measured": times, "unit": KL_OVER.unit, "threshold": KL_OVER.value},
            key="code",
            title="A term of the code outweighs the error",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix=_LESS_WEIGHT,
        )
        return


def _pairs(graph: LayerGraph) -> Iterator[tuple[Layer, Layer]]:
    """Two linear Dense layers of several units each, which take one input that no third one does."""
    taken: dict[str, list[Layer]] = defaultdict(list)
    takers = graph.consumers()
    for layer in graph.layers:
        calls = graph.calls.get(layer.route, ())
        alone = len(calls) == 1 and len(calls[0]) == 1
        if alone and layer.class_name == "Dense" and not layer.custom:
            taken[calls[0][0]].append(layer)
    for layers in taken.values():
        if len(layers) != 2 or not all(_plain(layer) for layer in layers):
            continue
        if layers[0].config.get("units") != layers[1].config.get("units"):
            continue
        if not any(normalized_behind(graph, takers, layer.route) for layer in layers):
            yield layers[0], layers[1]


def _plain(layer: Layer) -> bool:
    units = layer.config.get("units")
    enough = isinstance(units, int) and units >= CODE_UNITS.value
    penalized = any(layer.config.get(f"bias_{key}") for key in ("regularizer", "constraint"))
    return enough and activation_of(layer) == "linear" and not penalized
