"""How far gradient descent moved the first kernel beside its bias: the size of the inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from modelaudit.facts import Layer, Tensor
from modelaudit.findings import Finding
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.restored_shape import restored_shape
from modelaudit.measures.kernels.initializers import canonical_name
from modelaudit.measures.kernels.input_scale import reads_inputs
from modelaudit.measures.optimizer_state import OptimizerState
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.network_heads import activation_of, saved_graph
from modelaudit.thresholds.design import SCALED_BEFORE
from modelaudit.thresholds.optimizers import FIRST_SUMS
from modelaudit.thresholds.training import (
    FEW_UNITS,
    MOVED_BESIDE,
    MOVED_OUTSIDE,
    SCALED_AWAY,
    UNSCALED,
)

_ZEROS = frozenset(("zeros", "zero", ""))
_LIMITED = ("bias_regularizer", "bias_constraint")


def moved_by_inputs(facts: Facts, state: OptimizerState | None) -> tuple[float, str] | None:
    """At least how many times as far as its bias the first kernel moved, and its layer.

    Each step of gradient descent is that of the bias times the input, so that behind a ReLU, which passes
    the gradients of one side alone, kernel and bias move alike for inputs on a scale of 1.
    Averages of gradients, which others divide by, hide it. A draw has a limit: of weights that moved
    by d, at most d / (2 * limit) are outside, which tells how far they moved at least.

    Returns:
        None where the file does not show it, or it is no further than usual.
    """
    if state is None or not is_descent(facts, state) or facts.artifact.architecture is None:
        return None
    graph, stored = saved_graph(facts), facts.artifact.by_name
    first, takers = reads_inputs(graph), graph.consumers()
    drawn = facts.measurements.initialization if facts.measurements else ()
    found: list[tuple[float, str]] = []
    for kernel in drawn:
        layer = graph.get(kernel.route)
        outside, bound = kernel.tests.get("outside"), kernel.tests.get("bound")
        if layer is None or layer.route not in first or kernel.guessed:
            continue
        if not _rectified(graph, takers, layer) or not _starts_at_zero(layer):
            continue
        if not (isinstance(outside, float) and isinstance(bound, float)):
            continue
        moved = _size(stored.get(layer.variables.get("bias", "")))
        if moved > 0 and outside * kernel.weights >= MOVED_OUTSIDE.value:
            found.append((2 * bound * outside / moved, layer.route))
    most = max(found, default=None)
    return most if most is not None and most[0] >= MOVED_BESIDE.value else None


def large_by_moves(rule: Rule, facts: Facts, state: OptimizerState | None) -> Iterator[Finding]:
    """What is said of such inputs."""
    moved = moved_by_inputs(facts, state)
    if moved is not None:
        yield rule.finding(
            f"Gradient descent moved the kernel of `{moved[1]}` at least {moved[0]:,.0f} times as far "
            "as its bias, as inputs of about that size do: the step of a kernel is that of the bias "
            "times the input.",
            route=moved[1],
            evidence={
                "measured": moved[0],
                "unit": MOVED_BESIDE.unit,
                "threshold": MOVED_BESIDE.value,
            },
        )


def large_by_steps(rule: Rule, facts: Facts, state: OptimizerState | None) -> Iterator[Finding]:
    """What is said of inputs whose last steps of a first kernel are that much larger than its bias's.

    Of eight units or more, the steps of all biases do not cancel by chance.
    """
    if state is None or not is_descent(facts, state) or facts.artifact.architecture is None:
        return
    graph = saved_graph(facts)
    first = reads_inputs(graph, scaled=True) - {*graph.outputs}
    biases = {each.route: each for each in state.moments if each.role == "bias"}
    for kernel in state.moments:
        bias, layer = biases.get(kernel.route), graph.get(kernel.route)
        if kernel.role != "kernel" or kernel.route not in first or bias is None or layer is None:
            continue
        if layer.class_name != "Dense" or math.prod(bias.shape) < FEW_UNITS.value:
            continue
        size = kernel.typical / bias.typical if bias.typical > 0 else 0.0
        if not UNSCALED.value < size < math.inf or not tells_scale(graph, kernel.route):
            continue
        yield rule.finding(
            f"At the end of training, the last steps of the kernel of `{kernel.route}` were {size:,.0f} times "
            "as large as those of its bias, as inputs of about that size make them: the step of a kernel is "
            "that of the bias times the input.",
            route=kernel.route,
            evidence={
                "measured": size,
                "unit": "times the step of the bias",
                "threshold": UNSCALED.value,
            },
        )
        return


def is_descent(facts: Facts, state: OptimizerState) -> bool:
    """Whether steps were gradients times the rate, with or without a momentum."""
    slots = any(t.role == "optimizer" and t.shape for t in facts.artifact.tensors)
    return state.name == "SGD" or (not state.name and not slots and bool(state.steps))


def _rectified(graph: LayerGraph, takers: Mapping[str, tuple[str, ...]], layer: Layer) -> bool:
    """Whether it is a Dense layer of which a ReLU takes the sums, and nothing else."""
    if layer.class_name != "Dense" or layer.custom or not layer.trainable:
        return False
    applied, after = activation_of(layer), takers.get(layer.route, ())
    if applied == "linear" and len(after) == 1 and layer.route not in graph.outputs:
        behind = graph.layer(after[0])
        alone = behind.class_name in {"Activation", "ReLU"} and not behind.custom
        applied = activation_of(behind) if alone else applied
    return applied == "relu" and layer.route not in graph.outputs


def _starts_at_zero(layer: Layer) -> bool:
    """Whether it has a bias that starts at 0, and that nothing draws back there."""
    said = layer.config.get("bias_initializer", "zeros")
    name = canonical_name(said if isinstance(said, dict) else {"class_name": said})
    free = not any(isinstance(layer.config.get(key), dict) for key in _LIMITED)
    return free and name in _ZEROS and layer.config.get("use_bias") is not False


def _size(bias: Tensor | None) -> float:
    """The root mean square of a bias; 0 where it is not known."""
    if bias is None or bias.stats is None or bias.stats.nonfinite:
        return 0.0
    return math.hypot(bias.stats.mean, bias.stats.std)


def least_size(facts: Facts, graph: LayerGraph, route: str, size: float, *, scaled: bool) -> float:
    """The size of inputs below which they were scaled to nearly nothing.

    Where the output has the shape of the inputs, and so they are the targets as well, no weight can
    make up for it. `scaled` says that a layer scales them.
    """
    again = restored_shape(graph, flat=True) is not None
    if scaled or again or _sums_up_to(facts, graph, route, size) < FIRST_SUMS.value:
        return SCALED_BEFORE.value
    return SCALED_AWAY.value


def _sums_up_to(facts: Facts, graph: LayerGraph, route: str, size: float) -> float:
    """How far inputs of this size can move the sums of a layer, where all of them pull one way."""
    layer = graph.get(route)
    kernel = facts.artifact.by_name.get(layer.variables.get("kernel", "")) if layer else None
    if kernel is None or kernel.stats is None:
        return math.inf
    weights = math.hypot(kernel.stats.mean, kernel.stats.std)
    return size * weights * math.prod(kernel.shape[:-1])


def tells_scale(graph: LayerGraph, route: str) -> bool:
    """Whether the gradients of a layer's kernel and bias differ by the size of its inputs alone.

    A penalty adds to those of the kernel. Those of a convolution's bias are sums over positions,
    which cancel where another input decides.
    """
    layer = graph.get(route)
    if layer is None:
        return True
    penalty = layer.config.get("kernel_regularizer")
    inputs = [each for each in graph.layers if each.class_name == "InputLayer"]
    mixed = len(inputs) > 1 and has(layer.class_name, Trait.CONVOLUTION)
    return not isinstance(penalty, dict) and not mixed
