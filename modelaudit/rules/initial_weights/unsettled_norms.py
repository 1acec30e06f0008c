"""MA438: moving statistics that still hold the values that they started with."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.facts import Layer
from modelaudit.findings import Finding, Severity
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.thresholds.training import COVERED_VARIANCE, INITIAL_SHARE, INITIAL_TRACE
from modelaudit.thresholds.weights import MISFIT

_TINY = 1e-6  # keeps the logarithm of a variance finite


def unsettled(rule: Rule, facts: Facts, steps: int | None) -> Iterator[Finding]:
    """What is said of statistics of which these steps leave a part of the initial values."""
    norms = facts.measurements.batchnorm if facts.measurements else ()
    architecture = facts.artifact.architecture
    if not steps or architecture is None:
        raise NotApplicable("the number of training steps is not stored")
    layers = {layer.route: layer for layer in architecture.layers}
    found: list[tuple[str, float]] = []
    worst, covered = 0.0, ("", 1.0, 1.0)
    for norm in norms:
        layer = layers.get(norm.route)
        if layer is None or not layer.trainable or norm.statistics_initial:
            continue
        momentum = layer.config.get("momentum", 0.99)
        share = momentum**steps if isinstance(momentum, float) and 0 < momentum < 1 else 0.0
        # The initial variance of 1 leaves this much in every channel, unless there were more steps.
        if share >= INITIAL_TRACE.value and norm.min_variance >= share * (1 - 1e-3):
            found.append((norm.route, share))
            misfit = _misfit(facts, layer, share)
            worst = max(worst, misfit)
            stored, actual = _variances(facts, layer, share)
            if misfit > MISFIT.value and actual / stored < covered[2] / covered[1]:
                covered = (norm.route, stored, actual)
    if not found:
        return
    route, share = max(found, key=lambda each: each[1])
    hidden, stored, actual = covered
    small = actual < COVERED_VARIANCE.value * stored
    effect = (
        f" Of the variance of {stored:.2g} in `{hidden}`, the data had about {actual:.1g}, if each step "
        "moved it once: in predictions, what it gives is about "
        f"{math.sqrt(actual / stored):.1g} times as large as in training."
    )
    yield rule.finding(
        f"The optimizer made {counted(steps, 'step', 'steps')}, which leave {share:.0%} of the "
        f"initial values (mean 0, variance 1) in the moving statistics of `{route}`, unless they "
        f"were loaded from a model that had been trained before.{effect * small}",
        route=hidden if small else route,
        evidence={
            "measured": share,
            "unit": INITIAL_SHARE.unit,
            "threshold": INITIAL_TRACE.value,
            "steps": steps,
            "n": len(norms),
            "layers": [each for each, _ in found[:20]],
        },
        severity=rule.severity
        if small or (share >= INITIAL_SHARE.value and worst > MISFIT.value)
        else Severity.INFO,
    )


def _variances(facts: Facts, layer: Layer, share: float) -> tuple[float, float]:
    """The mean stored variance, and that of the data; 1 and 1 where it is not stored.

    A moving average that started at 1 and took (1 - share) of a steady variance v is at
    share + (1 - share) v, which gives v.
    """
    tensor = facts.artifact.by_name.get(layer.variables.get("moving_variance", ""))
    if tensor is None or tensor.stats is None:
        return 1.0, 1.0
    stored = max(tensor.stats.mean, _TINY)
    return stored, max((stored - share) / (1 - share), _TINY)


def _misfit(facts: Facts, layer: Layer, share: float) -> float:
    """The misfit (see `BatchNormFit`) of statistics that still hold `share` of their initial values.

    The mean that started at 0 and took (1 - share) of a steady mean m is at (1 - share) m.
    """
    tensors = facts.artifact.by_name
    mean = tensors.get(layer.variables.get("moving_mean", ""))
    variance = tensors.get(layer.variables.get("moving_variance", ""))
    if mean is None or variance is None or mean.stats is None or variance.stats is None:
        return 0.0
    stored, actual = _variances(facts, layer, share)
    shift = share / (1 - share) * math.hypot(mean.stats.mean, mean.stats.std) / math.sqrt(stored)
    gamma = tensors.get(layer.variables.get("gamma", ""))
    # Behind a gamma near 0, as residual branches start with, the statistics hardly matter.
    scale = math.hypot(gamma.stats.mean, gamma.stats.std) if gamma and gamma.stats else 1.0
    return min(1.0, scale) * max(shift, abs(math.log(actual / stored)) / 3)
