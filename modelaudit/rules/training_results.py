"""MA435 to MA437: weights that training drove to where the output no longer depends on the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from modelaudit.audit_types.kernels import ConstantLayer
from modelaudit.facts import Kernel, Layer, Tensor, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.kernels.initializers import candidates, fans
from modelaudit.measures.kernels.other_weights import frozen_variables
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.cancelled_biases import normalized_behind
from modelaudit.rules.fallen_units import fallen, fell_together
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network_heads import activation_of, output_heads, saved_graph
from modelaudit.rules.stored_values import biases_of
from modelaudit.structs import replace
from modelaudit.thresholds.training import (
    EXPLODED,
    EXPLODED_MEDIAN,
    FAR_BELOW,
    OFF_SCALE,
    SHRUNK,
)

_RECURRENT = classes(Trait.RECURRENT) | {"Bidirectional"}  # whose results are from -1 to 1
_Sized = tuple[Kernel, TensorStats, float]
_KINDS = frozenset(("dense", "conv", "transpose"))  # depthwise kernels are large in sound models
NOT_SCALED = " Inputs or targets that are not scaled can need that."
_WORDS: Mapping[str, str] = {
    "dead": "is never above zero",
    "saturated": "is saturated",
    "zero": "has a kernel of zeros",
}


def _kernels(facts: Facts) -> list[_Sized]:
    """Kernels with their statistics and the spread that Glorot and Bengio (2010) start with.

    Raises:
        NotApplicable: it is unknown which tensors are kernels.
    """
    tensors = {tensor.name: tensor for tensor in facts.artifact.tensors}
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    frozen = {each.route for each in layers if not each.trainable}
    frozen |= frozen_variables(facts.artifact)
    found = []
    for kernel in facts.artifact.kernels:
        tensor = tensors.get(kernel.tensor)
        if kernel.kind not in _KINDS or tensor is None or tensor.stats is None:
            continue
        if not frozen.isdisjoint((kernel.route, kernel.tensor)):
            continue  # may be set by hand, such as a Fourier transform
        if "float" not in tensor.dtype:
            continue  # codes, which a scale makes weights
        if tensor.role == "weight" and tensor.size > 1 and math.isfinite(tensor.stats.std):
            found.append((kernel, tensor.stats, math.sqrt(2 / max(1.0, sum(fans(tensor.shape))))))
    if not found:
        raise NotApplicable("no architecture, graph or name says which tensors are kernels")
    return found


def _exploded(rule: Rule, facts: Facts) -> Iterator[Finding]:
    sizes = [
        # Few inputs need large weights, however many outputs make the initial ones small.
        (
            math.hypot(stats.std, stats.mean)
            / max(spread, 1 / math.sqrt(max(1.0, fans(kernel.shape)[0]))),
            kernel.route,
        )
        for kernel, stats, spread in _kernels(facts)
    ]
    largest, route = max(sizes)
    middle = median(size for size, _ in sizes)
    everywhere = len(sizes) > 1 and middle >= EXPLODED_MEDIAN.value
    if largest >= EXPLODED.value or everywhere:
        # The first and the last layer make up for inputs and targets of another scale.
        ends = not everywhere and len(sizes) > 1 and route in {sizes[0][1], sizes[-1][1]}
        yield rule.finding(
            f"The weights of {route} are {largest:,.3g} times as large as an initializer draws "
            f"them, those of the median layer {middle:,.3g} times." + NOT_SCALED * ends,
            route=route,
            evidence={
                "measured": largest,
                "unit": EXPLODED.unit,
                "threshold": EXPLODED.value,
                "median": middle,
                "n": len(sizes),
            },
            severity=Severity.LOW if ends else rule.severity,
        )


def _shrunk(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = layer_graph(facts.artifact.architecture) if facts.artifact.architecture else None
    takers = graph.consumers() if graph else {}
    small = []
    kernels = _kernels(facts)
    for kernel, stats, spread in kernels:
        largest = max(abs(stats.minimum), abs(stats.maximum))
        started = _initial_spread(kernel, spread)
        if 0 < largest < SHRUNK.value * started and not normalized_behind(
            graph, takers, kernel.route
        ):
            small.append((largest / started, kernel.route))
    if small:
        least, route = min(small)
        heads = {head.weights.route: head for head in output_heads(graph)} if graph else {}
        head = next((name for _, name in small if name in heads), "")
        scaled = graph is not None and len(small) == 1 and _end(facts, graph, kernels, route)
        yield rule.finding(
            f"No weight of {route} is larger than {least:.2g} of the spread that its initializer "
            f"gives{', and neither in other layers' * (len(small) > 1)}: of inputs on a scale of about "
            "1, what it adds to its bias is nearly nothing."
            + f" {head} gives an output, which is then what its bias says, the same for every input."
            * bool(head)
            + NOT_SCALED * scaled,
            route=route,
            evidence={
                "measured": least,
                "unit": SHRUNK.unit,
                "threshold": SHRUNK.value,
                "n": len(kernels),
                "layers": [name for _, name in small[:20]],
            },
            severity=Severity.LOW
            if graph is None or scaled
            else Severity.HIGH
            if any(_proves_constant(graph, name) for _, name in small)
            else rule.severity,
        )


def _end(facts: Facts, graph: LayerGraph, kernels: Sequence[_Sized], route: str) -> bool:
    """Whether a small kernel is the first, or the last one with a bias as small, without a penalty.

    Inputs of large numbers, and targets of small ones, need such kernels.
    """
    layer = graph.get(route)
    if layer is None or layer.config.get("kernel_regularizer"):
        return False
    bias = biases_of(facts.artifact).get(route)
    last = route == kernels[-1][0].route and bias is not None
    small = last and bias and 0 < max(-bias.minimum, bias.maximum) < SHRUNK.value
    return route == kernels[0][0].route != kernels[-1][0].route or bool(small)


def _proves_constant(graph: LayerGraph, route: str) -> bool:
    """Whether a shrunk layer is on every way to an output, and has a penalty that draws it to 0."""
    layer = graph.get(route)
    penalty = layer.config.get("kernel_regularizer") if layer is not None else None
    if not isinstance(penalty, dict):
        return False

    def step(each: Layer, values: Sequence[bool | None]) -> bool | None:
        return None if each.route == route or (values and not any(values)) else True

    around: dict[str, bool] = graph.propagate(step, lambda one, other: one or other)
    return not around.keys() & {*graph.outputs}


def _initial_spread(kernel: Kernel, usual: float) -> float:
    """The spread that the saved initializer draws, if that is less than usual."""
    drawn = candidates(kernel.initializer, kernel.shape) if kernel.initializer else ()
    spreads = [spread for each in drawn if (spread := each.spread(kernel.shape)) > 0]
    return 0.0 if starts_constant(kernel) else min([usual, *spreads])


def _constant(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.measurements is not None
    found = facts.measurements.constant
    starting = {k.tensor: k.initializer for k in facts.artifact.kernels}
    outputs = saved_graph(facts).outputs
    stored = {tensor.name: tensor.stats for tensor in facts.artifact.tensors}
    started = {
        x.route
        for x in facts.artifact.kernels
        if starts_constant(x) and (stats := stored.get(x.tensor)) is not None and stats.constant
    }
    for layer in found:
        if layer.kind == "zero" and not (layer.outputs and layer.route in started):
            continue  # said by MA406
        reach = (
            "the output is the same for every input"
            if layer.outputs and len(layer.outputs) >= len(outputs)
            else f"the output {layer.outputs[0]} is the same for every input"
            if layer.outputs
            else "other paths of the network still carry the input"
        )
        given = " for inputs without negative values" * layer.nonnegative
        yield rule.finding(
            f"By its weights, {layer.route} {_WORDS[layer.kind]}{given}: {reach}.",
            route=layer.route,
            evidence={"measured": layer.kind, "outputs": [*layer.outputs], "n": len(starting)},
            severity=Severity.LOW
            if not layer.outputs
            else Severity.MEDIUM
            if layer.nonnegative
            else rule.severity,
            fix=f"Use a random kernel_initializer, such as the default, in {layer.route}, "
            "and train again."
            if layer.route in started
            else "",
        )
    if not found and facts.artifact.kernels:
        yield from _beyond_scale(rule, facts)


def _beyond_scale(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layers that are dead or saturated unless their inputs are far from a scale of 1."""
    graph = saved_graph(facts)
    takers = graph.consumers()
    tensors = {tensor.name: tensor for tensor in facts.artifact.tensors}
    for number, (kernel, stats, _) in enumerate(_kernels(facts)):
        layer = graph.get(kernel.route)
        if layer is None or not has(layer.class_name, Trait.AFFINE):
            continue
        applied, after = activation_of(layer), takers.get(layer.route, ())
        if applied == "linear" and len(after) == 1:
            behind = graph.layer(after[0])
            alone = behind.class_name in {"Activation", "ReLU"}
            applied = activation_of(behind) if alone else applied
        # Of inputs with a mean square of 1, and weights that are independent of them.
        n = math.prod(kernel.shape[:-1])
        spread = math.hypot(stats.mean, stats.std) * math.sqrt(n)
        bias = tensors.get(layer.variables.get("bias", ""))
        most = bias.stats.maximum if bias and bias.stats else 0.0
        # Inputs that are all positive, behind a ReLU, add up the mean of the weights.
        together = abs(stats.mean) * n + stats.std * math.sqrt(n)
        dead = applied == "relu" and 0 < FAR_BELOW.value * together <= -most
        if applied == "relu" and not dead and fell_together(layer, bias, stats.std * math.sqrt(n)):
            yield fallen(rule, layer, most, stats.std * math.sqrt(n))
            continue
        before = (graph.get(each) for call in graph.calls[layer.route] for each in call)
        later = number > 0 or any(x and x.class_name in _RECURRENT for x in before)
        saturated = applied in {"tanh", "sigmoid"} and spread >= OFF_SCALE.value and later
        if (dead or saturated) and layer.route not in graph.outputs:
            limit = FAR_BELOW if dead else OFF_SCALE
            times = -most / together if dead else spread
            why = (
                f"every bias is at least {times:,.3g} times as far below 0 as its sums reach"
                if dead
                else f"its sums are of about {times:,.3g}"
            )
            yield rule.finding(
                f"{layer.route} {_WORDS['dead' if dead else 'saturated']} for inputs on a scale of "
                f"about 1: {why}.",
                route=layer.route,
                evidence={"measured": times, "unit": limit.unit, "threshold": limit.value},
                severity=Severity.LOW,  # inputs of another scale are as likely
                confidence=Confidence.MEDIUM,
            )


def starts_constant(kernel: Kernel) -> bool:
    """Whether the layer's initializer draws one value."""
    drawn = candidates(kernel.initializer, kernel.shape) if kernel.initializer else ()
    return any(each.kind == "constant" for each in drawn)


def _example(scale: float) -> Facts:
    """One Dense layer with weights of this spread."""
    stats = TensorStats(-scale, scale, 0.0, scale / 2, 0, 0)
    tensors: tuple[Tensor, ...] = (
        examples.tensor("dense/kernel", (64, 64), stats),
        examples.tensor("dense/bias", (64,)),
    )
    layer = replace(examples.layer(), expected={"kernel": (64, 64), "bias": (64,)})
    artifact = examples.model(layer, tensors=tensors)
    kernel = Kernel("dense", "dense/kernel", "dense", "io", 0, (64, 64), "dense/bias")
    return Facts(replace(artifact, kernels=(kernel,)))


def _constants(*found: ConstantLayer) -> Facts:
    return examples.measured(Measurements(constant=found))()


RULES = (
    Rule(
        code="MA435",
        name="exploded-weights",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="Weights are enormous: training may have diverged",
        pass_title="No kernel is far larger than training makes it",
        why="Layers with enormous weights saturate what follows them: a softmax or sigmoid gives 0 "
        "or 1 whatever the input, and ReLUs die.",
        fix="Train again with a smaller learning rate, inputs and targets on a scale of about 1, and "
        "clipped gradients:\n\n"
        "    keras.optimizers.Adam(1e-4, clipnorm=1.0)",
        check=_exploded,
        bad=lambda: _example(1e4),
        good=lambda: _example(0.2),
    ),
    Rule(
        code="MA436",
        name="kernel-shrunk-to-zero",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="A kernel is far smaller than its initializer draws it",
        pass_title="No kernel is far smaller than its initializer draws it",
        why="A layer whose kernel is nearly 0 gives its bias for every input. Regularization or "
        "weight decay that is too strong does this.",
        fix="Train again with a smaller regularization factor, such as "
        "keras.regularizers.L2(1e-4), or none.",
        check=_shrunk,
        bad=lambda: _example(1e-5),
        good=lambda: _example(0.2),
    ),
    Rule(
        code="MA437",
        name="constant-by-weights",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.LAYERS, Need.MEASUREMENTS),
        summary="The weights make the output the same for every input",
        pass_title="The weights let every output depend on the input",
        why="Interval arithmetic on the stored weights proves it: a layer of ReLUs whose sums are "
        "never above 0 gives 0 for every input, and everything behind it is constant.",
        fix="Restore a checkpoint from before the units died. Otherwise train again with a smaller "
        "learning rate, or with leaky_relu instead of relu.",
        check=_constant,
        bad=lambda: _constants(ConstantLayer("dense", "dead", False, ("dense",))),
        good=_constants,
    ),
)
