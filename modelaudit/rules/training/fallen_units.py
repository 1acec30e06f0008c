"""MA437: ReLU layers whose biases fell below 0 together, and units that exploded weights killed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.kernels import DeadUnits
from modelaudit.facts import Layer, Tensor
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.thresholds.optimizers import NEGATIVE_PART, NEGATIVE_UNITS
from modelaudit.thresholds.training import ALIKE, BELOW_SUMS, FEW_UNITS, INPUT_REACH, SILENT_UNITS


def fell_together(layer: Layer, bias: Tensor | None, reach: float) -> bool:
    """Whether biases that started at 0 are far below it and nearly the same.

    Units that learn move apart. A step that is far too large takes all of them down by its size.
    """
    stats = bias.stats if bias else None
    said = layer.config.get("bias_initializer", "zeros")
    drawn = said.get("class_name") if isinstance(said, dict) else said
    if (
        stats is None
        or bias is None
        or str(drawn).lower() != "zeros"
        or bias.size < FEW_UNITS.value
    ):
        return False
    apart = stats.maximum - stats.minimum
    return -stats.maximum >= BELOW_SUMS.value * reach > 0 and apart <= ALIKE.value * -stats.maximum


def fallen(rule: Rule, layer: Layer, most: float, reach: float) -> Finding:
    """What is said of such a layer, whose sums of inputs on a scale of 1 get as large as `reach`."""
    return rule.finding(
        f"Every bias of `{layer.route}` fell from 0 to about {most:.3g}, which is {-most / reach:.2g} "
        "times what its weights add to that for inputs on a scale of 1, as after a step that was far "
        "too large: its units are probably never above zero.",
        route=layer.route,
        title="The units of a ReLU layer fell below 0 together",
        evidence={
            "measured": -most / reach,
            "unit": BELOW_SUMS.unit,
            "threshold": BELOW_SUMS.value,
        },
        severity=Severity.MEDIUM,
        confidence=Confidence.MEDIUM,
    )


def dead_from_start(facts: Facts, route: str) -> str:
    """What to do about a dead layer whose bias still has its initial value; "" for any other.

    A unit that was ever above 0 has a gradient, which moves its bias.
    """
    found = facts.measurements.initialization if facts.measurements else ()
    still = {x.route for x in found if x.tests.get("bias_initial") is True}
    before = saved_graph(facts).only_sources(route, lambda x: not has(x.class_name, Trait.AFFINE))
    started = next((x for x in (route, *(each.route for each in before)) if x in still), "")
    if not started:
        return ""
    return (
        f"No step has moved the bias of `{started}`: it was dead from the start, and no checkpoint is "
        "better. Use more units, or leaky_relu instead of relu, and train again from new weights."
    )


_SMALLER_STEPS = (
    "Train again from new weights, with a smaller learning rate, or with leaky_relu instead of relu:"
    "\n\n    keras.optimizers.Adam(1e-4, clipnorm=1.0)"
)


def mostly_dead(rule: Rule, found: Mapping[str, DeadUnits]) -> Iterator[Finding]:
    """Layers of a network with exploded weights, many of whose units are dead."""
    if not found:
        return
    route, worst = max(found.items(), key=lambda each: each[1].dead / each[1].units)
    least = "0" if worst.nonnegative else f"-{INPUT_REACH.value:g}"
    others = len(found) - 1
    yield rule.finding(
        f"By its weights, {worst.dead:,} of the {worst.units:,} units of `{route}` give 0 for every input "
        f"with values from {least} to {INPUT_REACH.value:g}"
        + (f", and many of {others} other {'layer' if others == 1 else 'layers'}" if others else "")
        + ": steps that were far too large drove their weights below 0.",
        route=route,
        title="Many units of a ReLU layer are dead",
        evidence={
            "measured": worst.dead / worst.units,
            "unit": SILENT_UNITS.unit,
            "threshold": SILENT_UNITS.value,
            "n": worst.units,
        },
        severity=Severity.MEDIUM if worst.dead == worst.units else Severity.LOW,
        confidence=Confidence.HIGH,
        fix=_SMALLER_STEPS,
    )


def mostly_negative(rule: Rule, found: Mapping[str, DeadUnits]) -> Iterator[Finding]:
    """Layers of which many units have weights below 0 nearly alone, as large steps leave them."""
    if not found:
        return
    route, worst = max(found.items(), key=lambda each: each[1].dead / each[1].units)
    others = len(found) - 1
    yield rule.finding(
        f"Of the {worst.units:,} units of `{route}`, {worst.dead:,} have a bias below 0, and weights above 0 that "
        f"add up to less than {NEGATIVE_PART.value:g} of those below"
        + (
            f", and so have many of {others} other {'layer' if others == 1 else 'layers'}"
            if others
            else ""
        )
        + ": of inputs that are not negative, such as pixels and what other ReLUs give, they are probably "
        "never above 0. Steps that are far too large leave units so.",
        route=route,
        title="Many units of a ReLU layer are probably dead",
        evidence={
            "measured": worst.dead / worst.units,
            "unit": NEGATIVE_UNITS.unit,
            "threshold": NEGATIVE_UNITS.value,
            "n": worst.units,
        },
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix=_SMALLER_STEPS,
    )
