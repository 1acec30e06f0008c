"""MA437: layers that the inputs of training themselves saturated; outputs with answers beyond doubt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import activation_of, output_heads, saved_graph
from modelaudit.thresholds.optimizers import LIMITED_SCALE, LIMITED_SUMS, STILL_PUSHED
from modelaudit.thresholds.training import OFF_SCALE, UNSCALED

_LIMITED = frozenset(("tanh", "sigmoid"))
_MOST = 0.5  # of the weights, above which gradients that are exactly 0 show the saturation


def saturated_by_inputs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layers with a limit whose sums are far beyond it, at the size of inputs that MA440 measured."""
    scales = facts.measurements.input_scales if facts.measurements else {}
    if not any(size > UNSCALED.value for size in scales.values()):
        return
    graph, stored = saved_graph(facts), facts.artifact.by_name
    for route, size in scales.items():
        layer = graph.get(route)
        kernel = stored.get(layer.variables.get("kernel", "")) if layer is not None else None
        if layer is None or kernel is None or kernel.stats is None or not size > UNSCALED.value:
            continue
        spread = size * math.hypot(kernel.stats.mean, kernel.stats.std)
        if not _limits(layer) or not math.isfinite(spread) or spread < OFF_SCALE.value:
            continue
        still = _without_gradient(facts, route)
        yield rule.finding(
            f"At the size that the inputs of training had (MA440), the sums of `{route}` are of about "
            f"{spread:,.3g}: {'its gates are' if has(layer.class_name, Trait.RECURRENT) else 'it is'} "
            "saturated"
            + (", and most of its weights never received a gradient" if still else "")
            + ".",
            route=route,
            title="The inputs of training saturate a layer",
            evidence={"measured": spread, "unit": OFF_SCALE.unit, "threshold": OFF_SCALE.value},
            severity=Severity.MEDIUM if still else Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix="Scale the inputs to mean 0 and standard deviation 1, for example with a Normalization "
            "layer that was adapted to the training data, and train again from new weights.",
        )


def large_for_limits(
    rule: Rule, facts: Facts, sizes: Iterable[tuple[float, str]]
) -> Iterator[Finding]:
    """Inputs of a size that most layers bear, and that takes one with a limit far towards it.

    Args:
        sizes: root mean squares of inputs of layers, and these layers.
    """
    graph, stored = saved_graph(facts), facts.artifact.by_name
    for size, route in sorted(sizes, reverse=True):
        layer = graph.get(route)
        kernel = stored.get(layer.variables.get("kernel", "")) if layer is not None else None
        if layer is None or kernel is None or kernel.stats is None or not _limits(layer):
            continue
        sums = size * math.hypot(kernel.stats.mean, kernel.stats.std)
        if size < LIMITED_SCALE.value or not LIMITED_SUMS.value <= sums < math.inf:
            continue
        gates = has(layer.class_name, Trait.RECURRENT)
        yield rule.finding(
            f"In training, what `{route}` got had a root mean square of about {size:,.3g}: so much larger are the "
            f"averages of the gradients of its kernel than those of its bias. Its sums are of about {sums:.2g} then, "
            f"where {'its gates change' if gates else 'it changes'} little.",
            route=route,
            evidence={"measured": sums, "unit": LIMITED_SUMS.unit, "threshold": LIMITED_SUMS.value},
            title="The training inputs were large for a layer with a limit",
        )
        return


def _limits(layer: Layer) -> bool:
    recurrent = has(layer.class_name, Trait.RECURRENT) and not layer.custom
    return recurrent or activation_of(layer) in _LIMITED


def _without_gradient(facts: Facts, route: str) -> bool:
    state = optimizer_state(facts.artifact)
    return any(
        each.route == route
        and each.role == "kernel"
        and bool(each.second)
        and each.zeros > _MOST * math.prod(each.shape)
        for each in (state.moments if state else ())
    )


def some_are_right(facts: Facts, moments: Sequence[WeightMoments]) -> bool:
    """Whether rows without a gradient may be answered right: an output of probabilities has no error there.

    Then the last bias learns from the other rows alone, and is pushed one way. Where an output is the
    same for all rows, it soon is at the frequencies of the classes, and its gradients change their sign.
    """
    if facts.artifact.architecture is None:
        return False
    heads = {head.weights.route: head for head in output_heads(saved_graph(facts))}
    return any(
        each.role == "bias"
        and each.route in heads
        and heads[each.route].last in PROBABILITIES
        and bool(each.first)
        and bool(each.second)
        and (each.first or 0.0) >= STILL_PUSHED.value * math.sqrt(each.second or 0.0)
        for each in moments
    )


def gets_nothing(inputs: str, *, right: bool) -> str:
    """What it says of a last layer whose bias alone learns, where other answers may be right or not."""
    if right:
        return (
            f" The last layer got 0 for every {inputs} whose answer was still wrong. So it is where units "
            "are dead, and also where all other answers are right beyond doubt."
        )
    return f" The last layer got 0 for every {inputs}: the output is the same for all of them."
