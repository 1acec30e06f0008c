"""MA435 to MA437: weights that training drove to where the output no longer depends on the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median, median_low

from modelaudit.audit_types.kernels import ConstantLayer
from modelaudit.facts import Artifact, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.kernels.initializers import fans
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.measures.statistics import few_alone
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.initial_weights.sized_kernels import (
    example_kernel,
    sized_kernels,
    starts_constant,
)
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.learning_rates import too_large
from modelaudit.rules.network.network_heads import activation_of, output_heads, saved_graph, weighs
from modelaudit.rules.training.fallen_units import (
    dead_from_start,
    fallen,
    fell_together,
    mostly_dead,
    mostly_negative,
)
from modelaudit.rules.training.saturated_inputs import saturated_by_inputs
from modelaudit.rules.training.still_moving import growing_gradients
from modelaudit.thresholds.training import (
    EXPLODED,
    EXPLODED_BIAS,
    EXPLODED_FAST,
    EXPLODED_MEDIAN,
    FAR_BELOW,
    OFF_SCALE,
    OFF_SCALE_FAST,
)

_RECURRENT = classes(Trait.RECURRENT) | {"Bidirectional"}  # whose results are from -1 to 1
_KINDS = frozenset(("dense", "conv", "transpose"))  # depthwise kernels are large in sound models
NOT_SCALED = " Inputs or targets that are not scaled can need that."
_SATURATED = (
    "Restore a checkpoint from before the units were saturated. Otherwise train again from the default "
    "kernel_initializer, with inputs on a scale of about 1 and a smaller learning rate, or with a "
    "batch normalization before the activation."
)
_WORDS: Mapping[str, str] = {
    "dead": "is never above zero",
    "saturated": "is saturated",
    "zero": "has a kernel of zeros",
}


def _exploded(rule: Rule, facts: Facts) -> Iterator[Finding]:
    kernels = sized_kernels(facts)
    sizes = [(_times(stats, fans(each.shape)), each.route) for each, stats, _ in kernels]
    sizes += _of_recurrent(facts)
    largest, route = max(sizes)
    middle = median(size for size, _ in sizes)
    rate = _rate_too_large(facts.artifact)
    usual = EXPLODED_MEDIAN.value if rate is None else EXPLODED_FAST.value
    everywhere = len(sizes) > 1 and middle >= usual
    if largest >= EXPLODED.value or everywhere:
        sizes = _in_order(facts, sizes)
        # The first and the last layer make up for inputs and targets of another scale.
        ends = not everywhere and len(sizes) > 1 and route in {sizes[0][1], sizes[-1][1]}
        yield rule.finding(
            f"The weights of `{route}` are {largest:,.3g} times as large as an initializer draws "
            f"them{_compared(sizes)}." + NOT_SCALED * ends,
            route=route,
            evidence={
                "measured": largest,
                "unit": EXPLODED.unit,
                "threshold": EXPLODED.value,
                "median": middle,
                "n": len(sizes),
            },
            # Of the first or last layer, inputs or targets of another scale can be the reason.
            severity=Severity.LOW if ends else rule.severity,
        )
    else:
        yield from _exploded_biases(rule, facts, rate)
        yield from growing_gradients(rule, facts)


def _exploded_biases(rule: Rule, facts: Facts, rate: float | None) -> Iterator[Finding]:
    """Biases of hidden layers that a far too high rate drove off, where kernels are of usual size.

    Those of outputs are as large as the targets.
    """
    if rate is None or facts.artifact.architecture is None:
        return
    graph, stored = saved_graph(facts), facts.artifact.by_name
    last = {head.weights.route for head in output_heads(graph)} | {*graph.outputs}
    found: list[tuple[float, str]] = []
    for layer in graph.layers:
        tensor = stored.get(layer.variables.get("bias", ""))
        if layer.route not in last and not layer.custom and tensor and tensor.stats:
            size = max(abs(tensor.stats.minimum), abs(tensor.stats.maximum))
            if EXPLODED_BIAS.value <= size < math.inf:
                found.append((size, layer.route))
    if found:
        size, route = max(found)
        yield rule.finding(
            f"Biases of `{route}` are up to {size:,.3g}{' (and of other layers, too)' if len(found) > 1 else ''}"
            f", and the learning rate is {rate:g}: its steps can drive them beyond what inputs change.",
            route=route,
            evidence={
                "measured": size,
                "unit": EXPLODED_BIAS.unit,
                "threshold": EXPLODED_BIAS.value,
                "n": len(found),
            },
        )


def _rate_too_large(artifact: Artifact) -> float | None:
    state = optimizer_state(artifact)
    return too_large(artifact, state) if state is not None else None


def exploded_beside(facts: Facts, name: str) -> bool:
    """Whether the kernels beside a tensor are enormous, half of them or more.

    Training moves all weights of a kernel, damage some: of a kernel with a few weights that are far
    larger than the others, nothing is known.
    """
    try:
        kernels = sized_kernels(facts)
    except NotApplicable:
        return False
    sizes = [
        _times(stats, fans(kernel.shape))
        for kernel, stats, _ in kernels
        if kernel.tensor != name and not few_alone(stats, math.prod(kernel.shape))
    ]
    return bool(sizes) and median(sizes) >= EXPLODED_MEDIAN.value


def _times(stats: TensorStats, fan: tuple[float, float]) -> float:
    """How many times as large as Glorot's initializer draws them the weights of a kernel are."""
    return math.hypot(stats.std, stats.mean) / _drawn(fan)


def _drawn(fan: tuple[float, float]) -> float:
    """The spread that Glorot's initializer gives, or more.

    Few inputs need large weights, however many outputs make the initial ones small.
    """
    return max(math.sqrt(2 / max(1.0, sum(fan))), 1 / math.sqrt(max(1.0, fan[0])))


def _of_recurrent(facts: Facts) -> Iterator[tuple[float, str]]:
    """The same of the two kernels of recurrent layers that train."""
    architecture = facts.artifact.architecture
    stored = facts.artifact.by_name
    for layer in architecture.layers if architecture else ():
        if not has(layer.class_name, Trait.RECURRENT) or layer.custom or not layer.trainable:
            continue
        for role in ("kernel", "recurrent_kernel"):
            tensor = stored.get(layer.variables.get(role, ""))
            if tensor is None or tensor.stats is None or len(tensor.shape) != 2:
                continue
            if "float" in tensor.dtype and math.isfinite(tensor.stats.std):
                yield _times(tensor.stats, fans(tensor.shape)), f"{layer.route}/{role}"


def _in_order(facts: Facts, sizes: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Sorted as the layers are, where the file has them."""
    architecture = facts.artifact.architecture
    places = {x.route: n for n, x in enumerate(architecture.layers)} if architecture else {}

    def place(each: tuple[float, str]) -> int:
        return places.get(each[1], places.get(each[1].rpartition("/")[0], len(places)))

    return sorted(sizes, key=place)


def _compared(sizes: Sequence[tuple[float, str]]) -> str:
    """How large the weights of the other layer are, or of the one in the middle; one that exists."""
    if len(sizes) < 2:
        return ""
    if len(sizes) == 2:
        size, route = min(sizes)
        return f", those of `{route}` {size:,.3g} times"
    return f", those of the median layer {median_low(size for size, _ in sizes):,.3g} times"


def _constant(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.measurements is not None
    found = facts.measurements.constant
    starting = {k.tensor: k.initializer for k in facts.artifact.kernels}
    outputs = saved_graph(facts).outputs
    started = _as_started(facts.artifact) if found else set()
    for layer in found:
        if layer.kind == "zero" and not (layer.outputs and layer.route in started):
            continue  # said by MA406
        reach = (
            "the output is the same for every input"
            if layer.outputs and len(layer.outputs) >= len(outputs)
            else f"the output `{layer.outputs[0]}` is the same for every input"
            if layer.outputs
            else "other paths of the network still carry the input"
        )
        given = " for inputs without negative values" if layer.nonnegative else ""
        yield rule.finding(
            f"By its weights, `{layer.route}` {_WORDS[layer.kind]}{given}: {reach}.",
            route=layer.route,
            title="" if layer.outputs else "The weights make a layer give the same for every input",
            evidence={"measured": layer.kind, "outputs": [*layer.outputs], "n": len(starting)},
            severity=Severity.LOW
            if not layer.outputs
            else Severity.MEDIUM
            if layer.nonnegative
            else rule.severity,
            fix=f"Use a random kernel_initializer, such as the default, in `{layer.route}`, "
            "and train again."
            if layer.route in started
            else _SATURATED
            if layer.kind == "saturated"
            else dead_from_start(facts, layer.route),
        )
    if not found and facts.artifact.kernels:
        yield from _beyond_scale(rule, facts)
        dead = [*mostly_dead(rule, facts.measurements.dead_units)]
        yield from dead or mostly_negative(rule, facts.measurements.negative_units)
        yield from saturated_by_inputs(rule, facts)


def _as_started(artifact: Artifact) -> set[str]:
    """The layers whose kernels have one value, as their initializers give it."""
    stored = artifact.by_name
    return {
        kernel.route
        for kernel in artifact.kernels
        if starts_constant(kernel)
        and (tensor := stored.get(kernel.tensor)) is not None
        and tensor.stats is not None
        and tensor.stats.constant
    }


def _beyond_scale(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layers that are dead or saturated unless their inputs are far from a scale of 1."""
    graph = saved_graph(facts)
    takers = graph.consumers()
    tensors = facts.artifact.by_name
    fast = _rate_too_large(facts.artifact) is not None
    scale = OFF_SCALE_FAST.value if fast else OFF_SCALE.value
    for number, (kernel, stats, _) in enumerate(sized_kernels(facts)):
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
        reach = max(stats.mean, 0.0) * n + stats.std * math.sqrt(n)
        if applied == "relu" and not dead and fell_together(layer, bias, reach):
            yield fallen(rule, layer, most, reach)
            continue
        before = (graph.get(each) for call in graph.calls[layer.route] for each in call)
        later = number > 0 or any(x and x.class_name in _RECURRENT for x in before)
        # Behind a frozen part as well, whose kernels are not compared.
        later = later or any(
            weighs(graph.layer(x)) for x in graph.above([layer.route]) - {layer.route}
        )
        saturated = applied in {"tanh", "sigmoid"} and spread >= scale and later
        if (dead or saturated) and layer.route not in graph.outputs:
            times = -most / together if dead else spread
            why = (
                f"every bias is at least {times:,.3g} times as far below 0 as its sums reach"
                if dead
                else f"its sums are of about {times:,.3g}"
            )
            yield rule.finding(
                f"`{layer.route}` {_WORDS['dead' if dead else 'saturated']} for inputs on a scale of "
                f"about 1: {why}.",
                route=layer.route,
                title="A layer is dead unless its inputs are large"
                if dead
                else "A layer is saturated unless its inputs are small",
                evidence={
                    "measured": times,
                    "unit": (FAR_BELOW if dead else OFF_SCALE).unit,
                    "threshold": FAR_BELOW.value if dead else scale,
                },
                fix="" if dead else _SATURATED,
                severity=Severity.LOW,  # inputs of another scale are as likely
                confidence=Confidence.MEDIUM,
            )


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
        bad=lambda: example_kernel(1e4),
        good=lambda: example_kernel(0.2),
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
