"""MA439: layers that got one vector from every training input, which need not be of one value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES, HINGES, KNOWN, compiled_losses
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments, optimizer_state
from modelaudit.rules.architecture.constant_layers import constant_reason
from modelaudit.rules.architecture.dead_ends import rounds
from modelaudit.rules.architecture.starting_values import begin_below
from modelaudit.rules.initial_weights.sized_kernels import starts_constant
from modelaudit.rules.initial_weights.training_reach import forgets_squares
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.learning_rates import too_large
from modelaudit.rules.network.limited_values import unreached
from modelaudit.rules.network.masks import mask_before
from modelaudit.rules.network.network_heads import activation_of, saved_graph
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.rules.training.results import exploded_beside
from modelaudit.rules.training.still_statistics import still_norms
from modelaudit.thresholds.training import FEW_UNITS

# Losses of which no target makes the gradient of an output larger than 1.
_BOUNDED = CROSS_ENTROPIES | {"mean_absolute_error", "huber", "log_cosh"}


def in_last_step(rule: Rule, route: str, value: str) -> Finding:
    """What is said where the optimizer keeps the gradients of its last step alone."""
    return rule.finding(
        f"In the last step of training, every value that `{route}` got was {value}. Without a "
        "momentum, the optimizer keeps the gradients of that step alone: its batch may have been a "
        "single input.",
        route=route,
        title="A layer got the same values from the last batch",
        severity=Severity.LOW,
        fix=f"If batches are of more than one input, check that these differ. {rule.fix}",
    )


def one_vector(rule: Rule, facts: Facts, moments: Sequence[WeightMoments]) -> Iterator[Finding]:
    """What is said of a layer that got one vector from every input."""
    route = facts.measurements.one_vector if facts.measurements else ""
    if not route or shown_architecture(facts.artifact) is None:
        return  # the latter as of a checkpoint of TensorFlow 1 alone
    losses = compiled_losses(facts.artifact.training, [""])
    if any(loss is None or loss.name not in KNOWN - HINGES for loss in losses) or exploded_beside(
        facts, ""
    ):
        return  # a single input may have been all that had a gradient
    graph = saved_graph(facts)
    before = graph.above([route]) - {route}
    if constant_before(facts, graph, route) or any(unreached(graph.layer(x)) for x in before):
        return  # said by MA305, MA314, MA322, MA328 or MA406
    inputs = {layer.route for layer in graph.layers if not any(graph.calls[layer.route])}
    every = inputs <= before and not graph.above(graph.outputs, around={route}) & inputs
    whole = bool(graph.layers)
    every = every if whole else route == moments[0].route  # a class makes its first layer first
    if before & {each.route for each in moments}:
        return  # they let nothing through, as sigmoids in a row: MA315 and MA434 judge it
    # A target of another size may have all the gradient there is; in these losses it cannot. Nor
    # can one of the last inputs, where squares tell of all steps.
    state = optimizer_state(facts.artifact)
    squared = any(each.route == route and each.second is not None for each in moments)
    lately = not squared or state is None or forgets_squares(state)
    bounded = not lately and bool(losses) and all(x and x.name in _BOUNDED for x in losses)
    yield rule.finding(
        f"In training, `{route}` got the same vector from every input"
        + (": all inputs were the same" if every and bounded else "")
        + (
            ", or one input, such as one with a target of another size, outweighs all others"
            if not bounded
            else ""
        )
        + ". The gradient of a kernel is that of the bias times the input, and for each input the "
        "averages of both have one ratio in all units.",
        route=route,
        evidence={"measured": len(moments), "unit": "weights with averages"},
        severity=Severity.LOW
        if not (every and bounded)
        else rule.severity
        if whole
        else Severity.MEDIUM,
        fix=""
        if every
        else f"If `{route}` should have learnt from its input, check that it differs. {rule.fix}",
    )


def constant_before(facts: Facts, graph: LayerGraph, route: str) -> bool:
    """Whether a layer before another gives the same for every input, by construction or at first."""
    before = graph.above([route]) - {route}
    started = {each.route for each in facts.artifact.kernels if starts_constant(each)}
    started |= {*begin_below(facts)} | {each.route for each in still_norms(facts) if each.single}
    layers = [graph.layer(each) for each in before]
    flat = {layer.route for layer in layers if rounds(layer)}  # also the masks of Keras 3
    around = graph.above([route], around=flat) if flat else before
    stopped = flat and all(any(graph.calls[each]) for each in around)
    return (
        bool(stopped)
        or not started.isdisjoint(before)
        or any(constant_reason(graph, layer) for layer in layers)
    )


SMALLER_RATE = (
    "Train again from new weights with a smaller learning rate, such as the default of the "
    "optimizer. If this is seen again, look at what the model is given."
)


def driven_below(facts: Facts, state: OptimizerState) -> str:
    """What drove the units before a layer that gets zeros below 0: steps that were too large, or ""."""
    rate = too_large(facts.artifact, state)
    if rate is not None:
        return f", as units do that steps at a rate of {rate:g} drove below 0"
    if exploded_beside(facts, ""):
        return ", as units do that steps far too large drove below 0: the weights are enormous"
    return ""


def of_zeros(graph: LayerGraph | None, route: str) -> tuple[str, str]:
    """What else than inputs of 0 gives a layer nothing but 0, as the detail ends, and what to do."""
    mask = mask_before(graph, route)
    if mask is None:
        return "", (
            "Check that the training inputs are not all 0. The integer division of pixels (x // 255 of "
            "uint8) makes them 0, and so does scaling twice."
        )
    name, hidden = mask
    return f", or hidden by the mask of `{name}`", (
        f"`{name}` hides all positions of the value {hidden}. Check that the training inputs have others, and that "
        "padding and mask are as the data needs. Integer division and scaling twice make inputs 0."
    )


def unmasked(graph: LayerGraph | None, route: str, value: float) -> str:
    """What to do where a mask may hide all that differs; empty without one."""
    found = mask_before(graph, route)
    if found is None:
        return ""
    name, hidden = found
    if not value:
        return (
            f"`{name}` hides all positions of the value {hidden}. Check that the training inputs have others "
            "there, and that padding and mask_value are as the data needs, then train again."
        )
    return (
        f"`{name}` hides all positions of the value {hidden}, and every other one has the size {value:.3g}. "
        f"If {hidden} is a value of the data, remove the mask or use another mask_value, then train "
        "again."
    )


def narrow(graph: LayerGraph | None, route: str) -> str:
    """The layers of few ReLUs before another one, any of which may be dead at the start by chance."""
    above = graph.above([route]) - {route} if graph else ()
    found = []
    for layer in graph.layers if graph else ():
        units = layer.config.get("units")
        few = isinstance(units, int) and units <= FEW_UNITS.value
        if layer.route in above and few and activation_of(layer) == "relu":
            found.append(f"`{layer.route}`")
    return " or ".join(found)
