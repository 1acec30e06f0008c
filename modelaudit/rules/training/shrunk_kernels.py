"""MA436: kernels that shrank until little but the bias is left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modelaudit.audit_types.values import number
from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.optimizer_state import compiled_optimizer
from modelaudit.rules.architecture.cancelled_biases import normalized_behind
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.collapsed_codes import collapsed_codes, outweighed_codes
from modelaudit.rules.initial_weights.shrunk_embeddings import shrunk_embeddings
from modelaudit.rules.initial_weights.sized_kernels import (
    SizedKernel,
    example_kernel,
    initial_spread,
    sized_kernels,
)
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.limited_values import at_most_one
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import (
    NetworkHead,
    output_heads,
)
from modelaudit.rules.network.sole_paths import biases_of
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.thresholds.design import LARGE_REGULARIZER
from modelaudit.thresholds.small_layers import EMPTIED
from modelaudit.thresholds.training import (
    PENALIZED_KERNEL,
    PRIOR_BIAS,
    PRIOR_KERNEL,
    SHRUNK,
)

_CONSTRAINTS = frozenset(("MaxNorm", "MinMaxNorm"))
_CONSTRAINED = (
    "Train again with a larger limit in kernel_constraint, such as keras.constraints.MaxNorm(2), or "
    "none."
)
NOT_SCALED = " Inputs or targets that are not scaled can need that."

_SOMETHING = (
    "The file does not tell what drew them to 0: use a smaller penalty, such as "
    "keras.regularizers.L2(1e-4), a smaller weight_decay of the optimizer, or a larger limit of a "
    "kernel_constraint, and train again."
)
_UNEXPLAINED = (
    "The file shows no penalty that does this. See whether the program adds one to the loss, as the KL "
    "term of a variational autoencoder, which draws codes that are not used to 0: give it less weight, "
    "or raise its weight slowly from 0, and train again. Otherwise look for weight decay, or for a layer "
    "that was set to small values on purpose."
)


def _weights(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Embeddings, which models have that have no kernels, and kernels."""
    tables: list[Finding] = []
    if facts.artifact.architecture:
        graph = layer_graph(facts.artifact.architecture)
        takers = graph.consumers()
        routes = [each.route for each in graph.layers]
        rescaled = {each for each in routes if normalized_behind(graph, takers, each)}
        tables += shrunk_embeddings(rule, facts, graph, rescaled)
    yield from tables
    try:
        yield from _shrunk(rule, facts)
    except NotApplicable:
        if not tables:
            raise


def _shrunk(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = layer_graph(facts.artifact.architecture) if facts.artifact.architecture else None
    takers = graph.consumers() if graph else {}
    small: list[tuple[float, str]] = []
    emptied: list[tuple[float, str]] = []
    kernels = sized_kernels(facts)
    for kernel, stats, spread in kernels:
        largest = max(abs(stats.minimum), abs(stats.maximum))
        size, started = math.hypot(stats.mean, stats.std), initial_spread(kernel, spread)
        if not started or normalized_behind(graph, takers, kernel.route):
            continue
        if 0 < largest < SHRUNK.value * started:
            small.append((largest / started, kernel.route))
        elif 0 < size < EMPTIED.value * started and _hidden_with_penalty(graph, kernel.route):
            emptied.append((size / started, kernel.route))
    if emptied and not small:
        yield _emptied(rule, emptied)
    if small:
        least, route = min(small)
        heads = {head.weights.route: head for head in output_heads(graph)} if graph else {}
        head = next((name for _, name in small if name in heads), "")
        scaled = graph is not None and len(small) == 1 and _end(facts, graph, kernels, route)
        yield rule.finding(
            f"No weight of `{route}` is larger than {least:.2g} of the spread that its initializer "
            f"gives{', and neither in other layers' if len(small) > 1 else ''}: of inputs on a scale of about "
            "1, what it adds to its bias is nearly nothing."
            + (
                f" `{head}` gives an output, which is then what its bias says, the same for every input."
                if head
                else ""
            )
            + NOT_SCALED * scaled,
            route=route,
            evidence={
                "measured": least,
                "unit": SHRUNK.unit,
                "threshold": SHRUNK.value,
                "n": len(kernels),
                "layers": [name for _, name in small[:20]],
            },
            fix=_CONSTRAINED
            if graph and _limited(graph, kernels, route)
            else _UNEXPLAINED
            if graph and not _drawn_to_zero(facts, graph, [name for _, name in small])
            else _decayed(facts, graph, [name for _, name in small]),
            severity=Severity.LOW
            if graph is None or scaled
            else Severity.HIGH
            if any(_proves_constant(graph, name) for _, name in small)
            else rule.severity,
        )
    if graph and not small:
        yield from [*collapsed_codes(rule, facts, graph)] or outweighed_codes(rule, facts, graph)
    yield from _prior(rule, facts, [route for _, route in small])


def _hidden_with_penalty(graph: LayerGraph | None, route: str) -> bool:
    """Whether a penalty draws the kernel to 0; what it does to an output, `_prior` judges."""
    layer = graph.get(route) if graph is not None else None
    if graph is None or layer is None or any(x.weights.route == route for x in output_heads(graph)):
        return False
    return isinstance(layer.config.get("kernel_regularizer"), dict)


def _emptied(rule: Rule, small: Sequence[tuple[float, str]]) -> Finding:
    """Kernels that have little left, each with a penalty."""
    least, route = min(small)
    return rule.finding(
        f"The weights of `{route}` have {least:.2g} of the spread that its initializer gives"
        + (
            f", and {counted(len(small) - 1, 'more layer has', 'more layers have')} as little"
            if len(small) > 1
            else ""
        )
        + ". Its kernel_regularizer draws them to 0, and little of what the layer gets passes it.",
        route=route,
        title="A penalty drew kernels nearly to 0",
        evidence={
            "measured": least,
            "unit": EMPTIED.unit,
            "threshold": EMPTIED.value,
            "layers": [name for _, name in small[:20]],
        },
    )


def _decayed(facts: Facts, graph: LayerGraph | None, routes: Sequence[str]) -> str:
    """What to do where the optimizer's weight decay alone can shrink the layers; empty otherwise."""
    decay = _decay(facts)
    if graph is None:
        return _SOMETHING
    if not decay or _penalized(graph, routes):
        return ""
    return (
        f"The layers have no penalty, but the optimizer has weight_decay={decay:g}: compile with a smaller one, "
        "such as weight_decay=1e-4, or none, and train again."
    )


def _decay(facts: Facts) -> float:
    _, config = compiled_optimizer(facts.artifact.training)
    return number(config.get("weight_decay")) or 0.0


def _drawn_to_zero(facts: Facts, graph: LayerGraph, routes: Sequence[str]) -> bool:
    """Whether the file shows a penalty, a constraint or a decay that can shrink one of the layers."""
    return bool(_decay(facts)) or _penalized(graph, routes)


def _penalized(graph: LayerGraph, routes: Sequence[str]) -> bool:
    """Whether one of the layers has a penalty or a constraint."""
    layers = [each for route in routes if (each := graph.get(route)) is not None]
    return any(
        key.endswith(("regularizer", "constraint")) and value is not None
        for layer in layers
        for key, value in layer.config.items()
    )


def _limited(graph: LayerGraph, kernels: Sequence[SizedKernel], route: str) -> bool:
    """Whether a constraint, not a penalty, keeps a kernel small: its limit leaves no larger spread."""
    layer = graph.get(route)
    said = layer.config.get("kernel_constraint") if layer is not None else None
    options = said.get("config") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(options, dict):
        return False
    most = number(options.get("max_value"))
    if str(said.get("class_name")) not in _CONSTRAINTS or most is None:
        return False
    kernel, _, usual = next(each for each in kernels if each[0].route == route)
    axes = options.get("axis", 0)
    listed = [each for each in (axes if isinstance(axes, list) else [axes]) if type(each) is int]
    sizes = [
        kernel.shape[axis] for axis in listed if -len(kernel.shape) <= axis < len(kernel.shape)
    ]
    return most < SHRUNK.value * initial_spread(kernel, usual) * math.sqrt(math.prod(sizes))


def _end(facts: Facts, graph: LayerGraph, kernels: Sequence[SizedKernel], route: str) -> bool:
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


def _prior(rule: Rule, facts: Facts, shrunk: Sequence[str]) -> Iterator[Finding]:
    """Outputs of probabilities whose kernel adds less to the scores than their bias."""
    shown = shown_architecture(facts.artifact)
    if shown is None:
        return
    sized = {
        kernel.route: (kernel, stats, spread) for kernel, stats, spread in sized_kernels(facts)
    }
    graph = layer_graph(shown)
    for head in output_heads(graph):
        found, bias = (
            sized.get(head.weights.route),
            biases_of(facts.artifact).get(head.weights.route),
        )
        if found is None or bias is None or head.last not in PROBABILITIES or head.joined:
            continue
        kernel, stats, spread = found
        started, size = initial_spread(kernel, spread), math.hypot(stats.mean, stats.std)
        moved = bias.std if head.units != 1 else abs(bias.mean)
        if kernel.kind != "dense" or kernel.route in shrunk or not started or not moved:
            continue
        # Of inputs with a mean square of 1, the sums spread by this.
        sums = size * math.sqrt(kernel.shape[0])
        factor = _penalty(head)
        drawn = factor >= LARGE_REGULARIZER.value
        most = PENALIZED_KERNEL.value if drawn else PRIOR_KERNEL.value
        if size > most * started or sums > PRIOR_BIAS.value * moved:
            continue
        bounded = at_most_one(graph, head.weights.route)
        # Layers before it that have no penalty can grow by as much as this one shrank.
        before = [sized[each] for each in graph.above([kernel.route]) if each in sized]
        growth = math.prod(max(1.0, _growth(each)) for each in before if each[0] is not kernel)
        certain = bounded or sums * growth <= PRIOR_BIAS.value * moved
        inputs = "its inputs, which are between -1 and 1," if bounded else "inputs on a scale of 1"
        yield rule.finding(
            f"The weights of `{kernel.route}` have {size / started:.2g} of the spread that its initializer "
            f"gives, so that {inputs} move its scores by {sums:.2g}, while its biases "
            f"differ by {moved:.2g}: the output is about the frequencies of the classes, whatever the input is"
            + (", unless inputs are large." if not (bounded or (drawn and certain)) else ".")
            + (f" Its kernel_regularizer has a factor of {factor:g}." if drawn else ""),
            route=kernel.route,
            title="An output learnt little but the frequencies of its classes",
            evidence={
                "measured": size / started,
                "unit": PRIOR_KERNEL.unit,
                "threshold": most,
                "sums": sums,
                "biases": moved,
            },
            severity=Severity.HIGH
            if drawn and certain and size <= PRIOR_KERNEL.value * started
            else rule.severity
            if bounded and not drawn
            else Severity.LOW,  # a normalization before it gives inputs that may be enough
            fix=""
            if drawn
            else "If nothing was learnt, look for a penalty or weight decay that is too "
            "strong, features that say nothing of the classes, or labels that do not belong to the "
            "inputs, and train again.",
        )


def _growth(sized: SizedKernel) -> float:
    """How many times the spread of its initializer a kernel has."""
    kernel, stats, spread = sized
    started = initial_spread(kernel, spread)
    return math.hypot(stats.mean, stats.std) / started if started else math.inf


def _penalty(head: NetworkHead) -> float:
    """The factor of the penalty on the kernel of a head; 0 if there is none."""
    said = head.weights.config.get("kernel_regularizer")
    inner = said.get("config") if isinstance(said, dict) else None
    options = inner if isinstance(inner, dict) else {}
    return max(number(options.get(each)) or 0.0 for each in ("l1", "l2"))


RULES = (
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
        check=_weights,
        bad=lambda: example_kernel(1e-5),
        good=lambda: example_kernel(0.2),
    ),
)
