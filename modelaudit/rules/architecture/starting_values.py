"""MA328: initial weights that let nothing through, or too much."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Json, Kernel, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import candidates, canonical_name, fans
from modelaudit.rules import examples
from modelaudit.rules.architecture.cancelled_biases import normalized_behind
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import activation_of, saved_graph
from modelaudit.rules.network.sigmoids import relu_code, starts_at_limit
from modelaudit.structs import replace
from modelaudit.thresholds.design import (
    STARTING_BIAS,
    STARTING_GROWTH,
    STARTING_SIZE,
    STARTING_SUMS,
)

_SHRINK = frozenset(("tanh", "softsign"))  # never larger than their input
# What a value is at least on average, of sums on a scale of about 1.
_USUAL_MEAN = {"sigmoid": 0.4, "relu": 0.4}
_LEAST = math.log10(sys.float_info.min)  # of the smallest size that is told


def _starting(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    yield from (*_too_large(rule, facts, graph), *starts_at_limit(rule, facts, graph))
    sizes = _StartingSizes({kernel.route: kernel for kernel in facts.artifact.kernels})
    found: dict[str, float] = graph.propagate(sizes.step, max)
    if not sizes.layers and not any(k.initializer for k in facts.artifact.kernels):
        raise NotRelevant("the model has no layer with weights and a known initializer")
    least = min(found, key=lambda route: found[route], default="")
    size = 10.0 ** max(found[least] / 2, _LEAST) if least else 1.0
    if size < STARTING_SIZE.value:
        above = graph.above([least])
        drawn = [kernel for kernel in sizes.layers if kernel.route in above] or sizes.layers
        said = canonical_name(min(drawn, key=lambda x: sizes.gains[x.route]).initializer or {})
        yield rule.finding(
            f"Before training, the values behind `{least}` had less than {size:.1g} of the size of "
            f"those at the start of its stack, and gradients shrink alike: {said} makes what each "
            "layer gives smaller than what it gets.",
            route=least,
            title="The initial weights of a deep stack let nothing through",
            evidence={
                "measured": size,
                "unit": STARTING_SIZE.unit,
                "threshold": STARTING_SIZE.value,
                "initializer": said,
                "n": len(sizes.layers),
            },
            fix=f"{rule.fix}\n{_drawn(_weighed(graph, least))}",
        )


def _too_large(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """Layers whose first sums are too large, each by itself; and where none is, all together."""
    found = [*_first_sums(rule, facts, graph)]
    found = found or [*_one_way(rule, facts, graph)]
    yield from found or _grown(rule, facts, graph)


def _drawn_layers(
    facts: Facts, graph: LayerGraph
) -> Iterator[tuple[Kernel, Layer, Mapping[str, Json]]]:
    """Trained affine layers with their initializers, where nothing behind them normalizes."""
    takers = graph.consumers()
    for kernel in facts.artifact.kernels:
        layer = graph.get(kernel.route)
        if layer is None or not layer.trainable or not has(layer.class_name, Trait.AFFINE):
            continue
        if kernel.initializer is not None and not normalized_behind(graph, takers, kernel.route):
            yield kernel, layer, kernel.initializer


def _one_way(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """Layers whose first sums are all far from 0 on one side: weights of one sign, and inputs too."""
    for kernel, layer, initializer in _drawn_layers(facts, graph):
        before = next(graph.only_sources(layer.route, _keeps), None)
        if before is None or before.custom or activation_of(before) not in _USUAL_MEAN:
            continue
        drawn = candidates(initializer, kernel.shape)
        means = [
            (x.low + x.high) / 2 if x.kind == "uniform" else x.mean
            for x in drawn
            if x.kind in {"uniform", "normal", "truncated"}
        ]
        inputs = fans(kernel.shape)[0]
        sums = (
            min((abs(x) for x in means), default=0.0) * inputs * _USUAL_MEAN[activation_of(before)]
        )
        if len(means) != len(drawn) or sums < STARTING_SUMS.value:
            continue
        said = canonical_name(initializer)
        yield rule.finding(
            f"Before training, the weights of `{layer.route}` have a mean of {means[0]:.2g} ({said}), and "
            f"what `{before.route}` gives is never negative: all its sums of {inputs:.0f} values are of about "
            f"{math.copysign(sums, means[0]):.3g}, whatever the input is.",
            route=layer.route,
            evidence={
                "measured": sums,
                "unit": STARTING_SUMS.unit,
                "threshold": STARTING_SUMS.value,
                "initializer": said,
            },
            key=f"{layer.route} mean",
            title="The initial weights of a layer all have one sign",
            fix='Use an initializer with a mean of 0, such as kernel_initializer="glorot_uniform", or '
            '"he_normal" with ReLU, and train again.',
        )


def _keeps(layer: Layer) -> bool:
    return has(layer.class_name, Trait.KEEPS_RANGE) and layer.class_name != "InputLayer"


def _grown(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """The first layer behind which values are too large, where each layer makes them a little larger."""
    sizes = _StartingSizes({kernel.route: kernel for kernel in facts.artifact.kernels}, least=True)
    passed: dict[str, float] = graph.propagate(sizes.step, min)
    found, limit = sizes.sums, 2 * math.log10(STARTING_GROWTH.value)
    large = next((route for route in passed if found.get(route, 0.0) >= limit), "")
    drawn = [kernel for kernel in sizes.layers if kernel.route in graph.above([large])]
    if not large or len(drawn) < 2:
        return
    widest = max(drawn, key=lambda x: sizes.gains[x.route])
    said = canonical_name(widest.initializer or {})
    yield rule.finding(
        f"Before training, the sums of `{large}` were {10 ** min(found[large] / 2, -_LEAST):,.3g} times as "
        f"large as the values at the start of its stack: {said} in `{widest.route}` makes what a layer gives larger "
        "than what it gets, and the layers multiply that.",
        route=large,
        evidence={
            "measured": 10 ** min(found[large] / 2, -_LEAST),
            "unit": STARTING_GROWTH.unit,
            "threshold": STARTING_GROWTH.value,
            "initializer": said,
            "n": len(drawn),
        },
        key="growth",
        title="The initial weights of a stack are too large",
        fix="Use initializers that keep the size of values, and train again:\n"
        f"{_drawn(_weighed(graph, widest.route))}",
    )


def _first_sums(rule: Rule, facts: Facts, graph: LayerGraph) -> Iterator[Finding]:
    """Layers whose first sums are far from 0, for inputs on a scale of about 1."""
    for kernel, layer, _ in _drawn_layers(facts, graph):
        sums = _sums_of(kernel)
        if not sums or min(sums) <= 0:
            continue
        low = _first_bias(layer, kernel)
        dead = _begins_below(layer, kernel)
        if not dead and min(sums) < STARTING_SUMS.value:
            continue
        yield rule.finding(
            f"Before training, the biases of `{layer.route}` were {low:g}, but its sums of inputs on "
            f"a scale of about 1 spread by {max(sums):.2g}: its ReLU gave 0 for every input, "
            "without gradient."
            if dead
            else f"Before training, the sums of `{layer.route}` of inputs on a scale of about 1 "
            f"spread by {min(sums):.3g}: activations are saturated, or values grow with each layer.",
            route=layer.route,
            evidence={
                "measured": -low / max(sums) if dead else min(sums),
                "unit": STARTING_BIAS.unit if dead else STARTING_SUMS.unit,
                "threshold": STARTING_BIAS.value if dead else STARTING_SUMS.value,
            },
            key=f"{layer.route} {'bias' if dead else 'kernel'}",
            severity=Severity.MEDIUM if dead and _below_still(facts, layer, max(sums)) else None,
            title="The initial biases of a ReLU layer let nothing through"
            if dead
            else "The initial weights of a layer are too large",
            fix='Use bias_initializer="zeros" and train again.'
            if dead
            else "Use an initializer that fits the number of inputs, such as "
            'kernel_initializer="glorot_uniform", or "he_normal" with ReLU, and train again.',
        )


def _sums_of(kernel: Kernel) -> list[float]:
    """How far the first sums of a unit can spread, for inputs on a scale of 1."""
    drawn = candidates(kernel.initializer, kernel.shape) if kernel.initializer else ()
    return [x.spread(kernel.shape) * math.sqrt(fans(kernel.shape)[0]) for x in drawn]


def _begins_below(layer: Layer, kernel: Kernel) -> bool:
    """Whether its first biases keep a ReLU at 0, whatever its inputs on a scale of 1 are."""
    sums = _sums_of(kernel)
    rectified = activation_of(layer) == "relu" and layer.config.get("use_bias") is not False
    low = -_first_bias(layer, kernel) if rectified and sums else 0.0
    return low > 0 and low >= STARTING_BIAS.value * max(sums)


def begin_below(facts: Facts) -> list[str]:
    """The ReLU layers that gave 0 for every input before training, by their biases."""
    architecture = facts.artifact.architecture
    layers = {x.route: x for x in (architecture.layers if architecture else ())}
    return [
        kernel.route
        for kernel in facts.artifact.kernels
        if (layer := layers.get(kernel.route)) is not None
        and layer.trainable
        and has(layer.class_name, Trait.AFFINE)
        and _begins_below(layer, kernel)
    ]


def _below_still(facts: Facts, layer: Layer, sums: float) -> bool:
    """Whether training has left all biases as far below the sums."""
    bias = facts.artifact.by_name.get(layer.variables.get("bias", ""))
    most = bias.stats.maximum if bias is not None and bias.stats is not None else 0.0
    return -most >= STARTING_BIAS.value * sums


def _first_bias(layer: Layer, kernel: Kernel) -> float:
    """The value that the biases of a layer start with; 0 if they differ."""
    said = layer.config.get("bias_initializer")
    drawn = candidates(said, kernel.shape[-1:]) if isinstance(said, dict) else ()
    return next((x.mean for x in drawn if x.kind == "constant"), 0.0)


def _weighed(graph: LayerGraph, route: str) -> Layer:
    """The nearest layer with weights up to this one, as before an activation of its own."""
    here = graph.layer(route)
    before = graph.only_sources(route, lambda x: not has(x.class_name, Trait.AFFINE))
    return next((x for x in (here, *before) if has(x.class_name, Trait.AFFINE)), here)


def _drawn(layer: Layer) -> str:
    """The layer with an initializer for ReLUs."""
    code = relu_code(layer)
    return code.replace(", name=", ', kernel_initializer="he_normal", name=')


class _StartingSizes:
    """Steps from the mean square of a layer's inputs to that of its output, before training.

    Values are decimal logarithms, relative to the last input, normalization or layer of unknown
    effect. With independent weights of mean 0 and variance v, each sum of n values has n v times
    their mean square, and a ReLU keeps half of that (He et al., 2015, section 2.2).
    """

    def __init__(self, kernels: Mapping[str, Kernel], least: bool = False) -> None:
        """`least`: what values have at least, in place of at most."""
        self.kernels, self.least = kernels, least
        self.layers: list[Kernel] = []
        self.gains: dict[str, float] = {}
        self.sums: dict[str, float] = {}  # before the activation, of layers that keep their input's

    def step(self, layer: Layer, values: Sequence[float | None]) -> float | None:
        """The value of one call; never below what is certain."""
        known = [each for each in values if each is not None]
        if layer.custom or not known or len(known) < len(values):
            return 0.0
        name = layer.class_name
        if has(name, Trait.AFFINE):
            gain = self._gain(layer)
        elif name in {"Activation", "ReLU"}:
            gain = 0.0
        elif has(name, Trait.KEEPS_RANGE) or name == "Concatenate":
            return min(known) if self.least else max(known)
        elif has(name, Trait.LOCAL_POOLING):
            window = layer.config.get("pool_size")
            size = (
                math.prod(n for n in window if isinstance(n, int))
                if isinstance(window, list)
                else 4
            )
            if self.least:  # a mean is no larger than what it is of, a maximum no smaller
                return known[0] - (math.log10(max(size, 1)) if has(name, Trait.LINEAR) else 0.0)
            return max(known) + (0.0 if has(name, Trait.LINEAR) else math.log10(max(size, 1)))
        elif has(name, Trait.MERGE | Trait.LINEAR) and has(name, Trait.MERGE):
            if self.least:
                return min(0.0, *known)
            return max(known) + 2 * math.log10(len(known))
        else:
            return 0.0
        applied = activation_of(layer)
        if gain is not None and has(name, Trait.AFFINE):
            self.sums[layer.route] = min(known[0] + gain, self.sums.get(layer.route, math.inf))
        if applied not in {"relu", "linear", *_SHRINK} or gain is None:
            return 0.0
        given = known[0] + gain - (math.log10(2) if applied == "relu" else 0.0)
        return min(given, 0.0) if self.least and applied in _SHRINK else given

    def _gain(self, layer: Layer) -> float | None:
        """The number of inputs of a unit times the largest variance that its weights start with.

        As a decimal logarithm, because a saved spread can be any float, whose square need not be.
        """
        kernel = self.kernels.get(layer.route)
        if kernel is None or kernel.initializer is None or len(kernel.shape) < 2:
            return None
        drawn = candidates(kernel.initializer, kernel.shape)
        spreads = [each.spread(kernel.shape) for each in drawn]
        inputs = fans(kernel.shape)[0]
        if not spreads or min(spreads) <= 0 or not inputs:
            return None
        self.layers.append(kernel)
        spread = min(spreads) if self.least else max(spreads)
        gain = math.log10(inputs) + 2 * math.log10(spread)
        self.gains[kernel.route] = gain
        return gain


def _deep(initializer: str) -> Facts:
    layers = [examples.dense(f"hidden_{n}") for n in range(32)]
    kernels = tuple(
        Kernel(
            *(layer.route, f"{layer.route}/kernel", "dense", "io", 0, (8, 8)),
            initializer={"class_name": initializer},
        )
        for layer in layers
    )
    facts = examples.chain(*layers, examples.dense("head", "softmax"))
    return replace(facts, artifact=replace(facts.artifact, kernels=kernels))


RULES = (
    Rule(
        code="MA328",
        name="signal-lost-at-start",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="Initial weights let nothing through, or too much",
        pass_title="The initial weights keep the size of what passes through",
        why="If they let nothing through, the output hardly depends on the input when training "
        "starts, and hardly any gradient arrives at the first layers. What is learned then is the "
        "bias of the last layer: one answer for every input. If they let too much through, "
        "activations are saturated, which stops gradients as well, or training starts with losses "
        "too large to descend from.",
        fix='Use kernel_initializer="he_normal" in layers with ReLU, batch normalization, residual '
        "connections or fewer layers, and train again.",
        check=_starting,
        bad=lambda: _deep("GlorotUniform"),
        good=lambda: _deep("HeNormal"),
        references=("He, Zhang, Ren, Sun (2015), arXiv:1502.01852",),
    ),
)
