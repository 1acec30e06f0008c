"""Batch normalizations whose statistics show that no batch had any variance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Json, Layer, TensorStats
from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.dialects import activation
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.rules.training.steps import compiled_state
from modelaudit.thresholds.training import FEW_STEPS

_CHANNELS = 4  # of one, or few, the same variance may be chance
_LEFT = 1e-30  # of the initial variance; the powers of less are not exact
_GONE = 1e-38  # of the initial variance, which float32 holds as 0
_USUAL = (0.99, 0.9)  # momenta, where a graph does not tell
_STEPS = 0.01  # rounding of some hundred products, in steps


class StillNorm(Struct, frozen=True):
    """A batch normalization in whose batches no channel varied.

    Attributes:
        graph: the layers around it; those of an export have other routes.
        steps: the training steps that its moving variance shows.
        variance: what these leave of its initial 1.
        mean: the size of the moving means; None if they are not finite.
        alone: whether each channel has one value for each input.
    """

    route: str
    config: Mapping[str, Json]
    graph: LayerGraph
    steps: int
    variance: float
    mean: float | None
    alone: bool

    @property
    def single(self) -> bool:
        """Whether batches of one input explain it: values were not all 0."""
        return self.alone and bool(self.mean)


def still_norms(facts: Facts) -> Iterator[StillNorm]:
    """Moving variances that are what is left of the 1 at the start, and nothing else.

    Each step of training multiplies a moving variance by the momentum and adds a share of that of
    the batch. Where it is the power of the momentum in every channel, all of these were 0.
    """
    try:
        made = compiled_state(facts).steps
    except NotApplicable:
        made = None
    shown = shown_architecture(facts.artifact)
    if shown is None or (made is not None and made < FEW_STEPS.value):
        return
    graph = layer_graph(shown)
    norms = [x for x in graph.layers if has(x.class_name, Trait.BATCH_NORMALISATION)]
    for each in batchnorm_tensors(facts.artifact):
        layer, stats, mean = graph.get(each.route), each.variance.stats, each.mean.stats
        if stats is None or each.variance.size < _CHANNELS:
            continue
        if steps := _still(each.config, stats, made):
            size = math.hypot(mean.mean, mean.std) if mean else None
            alone = all(map(_one_position, norms if layer is None else (layer,)))
            yield StillNorm(each.route, each.config, graph, steps, stats.mean, size, alone)


def around_single(facts: Facts) -> Callable[[str], bool]:
    """Whether no gradient can pass a layer, as batches of one input were normalized around it."""
    found = [each for each in still_norms(facts) if each.single]
    if not found:
        return lambda _: False
    routes, graph = [each.route for each in found], found[0].graph
    if any(graph.get(route) is None for route in routes):
        return lambda _: True  # of an export, which does not tell what is around it
    behind = {x.route for x in graph.layers if not graph.above([x.route]).isdisjoint(routes)}
    around = graph.above(routes) | behind
    return lambda route: any(_within(route, each) for each in around)


def _within(route: str, layer: str) -> bool:
    """Whether a weight's route is that of a layer, or of a part of it, as of an attention."""
    return route == layer or route.startswith(f"{layer}/")


def still_statistics(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """What is said of the first such normalization."""
    for found in still_norms(facts):
        route, graph = found.route, found.graph
        around = graph.above(graph.outputs, around={route})
        alone = not any(not any(graph.calls[each]) for each in around)
        tiny = found.mean is not None and found.mean < math.sqrt(_epsilon(found.config))
        size = f", about {found.mean:.2g}. Inputs that were scaled twice do that" if tiny else ""
        yield rule.finding(
            f"The moving variance of `{route}` is {found.variance:.3g} in all channels, "
            f"which is what {found.steps:,} steps leave of its initial 1: the variance of every batch was 0, "
            + (
                "as where each batch is one input. Then the layer gives its beta for every input, and no "
                "gradient passes it. Otherwise, the layers before it gave one value for all inputs"
                if found.single
                else "so the layers before it gave one value for all inputs"
            )
            + f"{size}.",
            route=route,
            evidence={"measured": found.variance, "unit": "moving variance", "steps": found.steps},
            key=f"{route} statistics",
            title="A batch normalization was trained on batches of one input"
            if found.single
            else "",
            severity=rule.severity if alone else Severity.MEDIUM,
            fix="Train with batches of several inputs, or use a normalization that does not need them:\n"
            "model.fit(x, y, batch_size=32)\n"
            f"keras.layers.LayerNormalization(name={route.rpartition('/')[2]!r})  # for batches of one\n\n"
            f"If the batches were larger: {rule.fix[:1].lower()}{rule.fix[1:]}"
            if found.single
            else "",
        )
        return


def _still(config: Mapping[str, Json], variance: TensorStats, made: int | None) -> int:
    """The steps that a moving variance shows, if it is what they leave of its 1; 0 if not.

    Where the number of steps is not known, it has to be a whole one.
    """
    said = config.get("momentum")
    initial = activation(config.get("moving_variance_initializer")) or "ones"
    if initial.lower() != "ones" or variance.minimum != variance.maximum:
        return 0
    if made is not None and variance.maximum == 0 and isinstance(said, float) and 0 < said < 1:
        return made if made * math.log(said) < math.log(_GONE) else 0
    if not _LEFT < variance.maximum < 1:
        return 0
    for momentum in (said,) if isinstance(said, float) else _USUAL:
        if 0 < momentum < 1:
            shown = math.log(variance.maximum) / math.log(momentum)
            steps = round(shown) if made is None else made
            if steps >= FEW_STEPS.value and abs(shown - steps) < _STEPS + steps * 1e-5:
                return steps
    return 0


def _one_position(layer: Layer) -> bool:
    """Whether a batch of one input has one value in each channel, which has no variance."""
    shape = layer.input_shapes[0] if layer.input_shapes else None
    return shape is None or all(size in (None, 1) for size in shape[1:-1])


def _epsilon(config: Mapping[str, Json]) -> float:
    epsilon = config.get("epsilon", 1e-3)
    return epsilon if isinstance(epsilon, float) and epsilon > 0 else 1e-3
