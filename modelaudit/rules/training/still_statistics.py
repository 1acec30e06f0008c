"""Batch normalizations whose statistics show that no batch had any variance."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.facts import Layer, TensorStats
from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.dialects import activation
from modelaudit.layer_classes import Trait, has
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.training.steps import compiled_state
from modelaudit.thresholds.training import FEW_STEPS

_CHANNELS = 4  # of one, or few, the same variance may be chance
_LEFT = 1e-6  # of the initial variance; less is near what Keras adds to it
_STEPS = 0.01  # rounding of some hundred products, in steps


def still_statistics(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Moving variances that are what is left of the 1 at the start, and nothing else.

    Each step of training multiplies a moving variance by the momentum and adds a share of that of
    the batch. Where it is the power of the momentum in every channel, all of these were 0.
    """
    try:
        steps = compiled_state(facts).steps
    except NotApplicable:
        return
    if facts.artifact.architecture is None or not steps or steps < FEW_STEPS.value:
        return
    graph = saved_graph(facts)
    stored = facts.artifact.by_name
    for layer in graph.layers:
        variance = stored.get(layer.variables.get("moving_variance", ""))
        if variance is None or variance.stats is None or variance.size < _CHANNELS:
            continue
        if not has(layer.class_name, Trait.BATCH_NORMALISATION) or not _still(
            layer, variance.stats, steps
        ):
            continue
        mean = stored.get(layer.variables.get("moving_mean", ""))
        size = math.hypot(mean.stats.mean, mean.stats.std) if mean and mean.stats else None
        around = graph.above(graph.outputs, around={layer.route})
        alone = not any(not any(graph.calls[route]) for route in around)
        tiny = size is not None and size < math.sqrt(_epsilon(layer))
        yield rule.finding(
            f"The moving variance of `{layer.route}` is {variance.stats.mean:.3g} in all "
            f"{variance.size} channels, which is what {steps:,} steps leave of its initial 1: the "
            "variance of every batch was 0, so the layers before it gave one value for all inputs"
            + (
                f", about {size:.2g}. Inputs that were scaled twice do that."
                if tiny
                else ", or each batch was one input."
                if _one_position(layer)
                else "."
            ),
            route=layer.route,
            evidence={"measured": variance.stats.mean, "unit": "moving variance", "steps": steps},
            key=f"{layer.route} statistics",
            severity=rule.severity if alone else Severity.MEDIUM,
        )
        return


def _still(layer: Layer, variance: TensorStats, steps: int) -> bool:
    momentum = layer.config.get("momentum", 0.99)
    initial = activation(layer.config.get("moving_variance_initializer")) or "ones"
    if not isinstance(momentum, float) or not 0 < momentum < 1 or initial.lower() != "ones":
        return False
    if variance.minimum != variance.maximum or not _LEFT < variance.maximum < 1:
        return False
    return abs(math.log(variance.maximum) / math.log(momentum) - steps) < _STEPS + steps * 1e-5


def _one_position(layer: Layer) -> bool:
    """Whether a batch of one input has one value in each channel, which has no variance."""
    shape = layer.input_shapes[0] if layer.input_shapes else None
    return shape is None or all(size in (None, 1) for size in shape[1:-1])


def _epsilon(layer: Layer) -> float:
    epsilon = layer.config.get("epsilon", 1e-3)
    return epsilon if isinstance(epsilon, float) and epsilon > 0 else 1e-3
