"""MA403, MA421: values of normalizations that training does not leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.audit_types.values import number
from modelaudit.facts import Tensor, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.measures.kernels.plain_norms import is_all, plain_norms
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.sole_paths import carries_alone
from modelaudit.rules.weights.stored_values import SILENCED
from modelaudit.rules.weights.weight_settings import initializer_of
from modelaudit.thresholds.weights import LEAST_EPSILON


def _negative_variance(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.measurements is not None
    states, architecture = facts.measurements.batchnorm, facts.artifact.architecture
    if not states:
        raise NotRelevant("the model has no batch normalization")
    for state in states:
        if state.min_variance < 0:
            layer = architecture.find(state.route) if architecture else None
            epsilon = number(layer.config.get("epsilon") if layer else None) or LEAST_EPSILON.value
            rounded = state.min_variance > -epsilon
            why = (
                f", as rounding makes it of equal values; the epsilon of {epsilon:g} outweighs it."
                if rounded
                else "; a variance cannot be negative."
            )
            yield rule.finding(
                f"The moving variance of `{state.route}` is {state.min_variance:.4g}{why}",
                severity=Severity.LOW if rounded else rule.severity,
                route=state.route,
                evidence={
                    "measured": state.min_variance,
                    "unit": "as the smallest variance",
                    "threshold": 0.0,
                    "n": state.channels,
                },
            )


def _dead_normalization(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found, plain = [*batchnorm_tensors(facts.artifact)], plain_norms(facts.artifact)
    if not (found or plain):
        raise NotRelevant("the model has no normalization")
    for norm in plain:
        if norm.gamma.size > 1 and is_all(norm.gamma, 0.0):
            start = initializer_of(facts, norm.route, "gamma") == "zeros"
            silent = is_all(norm.beta, 0.0)
            if start and silent:
                continue  # never trained
            silent = silent and not carries_alone(facts, norm.route)
            yield rule.finding(
                f"`{norm.route}`: gamma is 0 in all {norm.gamma.size} channels, so its output does "
                f"not depend on its input.{SILENCED * silent}",
                file=norm.gamma.file,
                route=norm.route,
                evidence={"measured": 0.0, "unit": "as every value", "n": norm.gamma.size},
                severity=Severity.MEDIUM if start or silent else rule.severity,
            )
    for each in found:
        for role, tensor in (("gamma", each.gamma), ("moving variance", each.variance)):
            if tensor is None or tensor.size < 2 or tensor.stats is None:
                continue
            if not (tensor.stats.constant and tensor.stats.maximum == 0):
                continue
            start = role == "gamma" and initializer_of(facts, each.route, "gamma") == "zeros"
            silent = role == "gamma" and is_all(each.beta, 0.0)
            if (start or silent) and _untouched(each.mean, each.variance):
                continue  # never trained, and gamma starts at 0
            silent = silent and not carries_alone(facts, each.route)
            effect = (
                "its output does not depend on its input"
                if role == "gamma"
                else "it divides by the square root of its epsilon alone"
            )
            yield rule.finding(
                f"`{each.route}`: the {role} is 0 in all {tensor.size} channels, so {effect}."
                + SILENCED * silent,
                file=tensor.file,
                route=each.route,
                evidence={"measured": 0.0, "unit": "as every value", "n": tensor.size},
                severity=Severity.MEDIUM if start or silent else rule.severity,
            )


def _untouched(mean: Tensor, variance: Tensor) -> bool:
    """Whether moving mean and variance are 0 and 1."""
    pairs = ((mean.stats, 0.0), (variance.stats, 1.0))
    return all(stats is not None and stats.constant and stats.maximum == v for stats, v in pairs)


def _norm(gamma: float, variance: float) -> Facts:
    values = {"gamma": gamma, "beta": 0.5, "moving_mean": 0.5, "moving_variance": variance}
    layer = examples.layer("bn", "BatchNormalization", {role: f"bn/{role}" for role in values})
    tensors = tuple(
        examples.tensor(f"bn/{role}", (4,), TensorStats(v, v, v, 0.0, 4 * (v == 0), 0))
        for role, v in values.items()
    )
    return Facts(examples.model(layer, tensors=tensors))


def _variance(value: float) -> Callable[[], Facts]:
    return examples.measured(
        Measurements(batchnorm=(BatchNormState("bn", 8, False, False, value),))
    )


RULES = (
    Rule(
        code="MA403",
        name="negative-moving-variance",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS, Need.MEASUREMENTS),
        summary="A moving variance is negative",
        pass_title="No moving variance is negative",
        why="The square root of a negative variance is NaN. Either mean and variance were swapped, "
        "or the file was edited.",
        fix="Restore the original weights. If they were set with `set_weights`, check the order of "
        "the variables.",
        check=_negative_variance,
        bad=_variance(-0.5),
        good=_variance(0.5),
    ),
    Rule(
        code="MA421",
        name="batchnorm-all-zero",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="Gamma or the moving variance of a normalization is zero in every channel",
        pass_title="No normalization has gamma or a moving variance of zero in every channel",
        why="Without gamma, the layer outputs constants. With a variance of 0 it multiplies its "
        "input by about 30. Training on one sample at a time leaves a variance of 0 behind a Dense "
        "layer, and no gradient reaches the layers before it.",
        fix="Train with larger batches, if they had one sample. Otherwise restore the file from an "
        "intact copy, or the last checkpoint before all channels died.",
        check=_dead_normalization,
        bad=lambda: _norm(0.0, 0.5),
        good=lambda: _norm(0.5, 0.5),
    ),
)
