"""The range of values that activations one after another can give, whatever the weights are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.rules.network.network_heads import HeadStep, NetworkHead

_FREE = (-math.inf, math.inf)
_KEEPS = Trait.KEEPS_RANGE | Trait.GLOBAL_POOLING
_SHARES = frozenset(("softmax", "sigmoid"))
MONOTONE: Mapping[str, Callable[[float], float]] = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-max(x, -700.0))),
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "softplus": lambda x: x if x > 700 else math.log1p(math.exp(x)),
    "exponential": lambda x: math.inf if x > 700 else math.exp(x),
}
"""Monotone activations that limit their result, and their values."""


class LimitedStep(Struct, frozen=True):
    """A sigmoid or softmax behind another activation, or a tanh or limited ReLU behind these.

    Attributes:
        before: the step whose activation limits what it gets.
        step: the second activation.
        given: the smallest and largest value that it gets.
        results: the smallest and largest value that it can give; None for a softmax over an
            unknown number of classes.
        pooled: whether it gets means or maxima over positions.
    """

    before: HeadStep
    step: HeadStep
    given: tuple[float, float]
    results: tuple[float, float] | None
    pooled: bool = False

    @property
    def most_apart(self) -> float:
        """How many times the result of one class a softmax can give to another."""
        return _times_apart(self.given)


def limited_step(head: NetworkHead) -> LimitedStep | None:
    """The first of such activations that gets only part of the numbers, if there is one."""
    given, before, pooled = _FREE, None, False
    for step in head.steps:
        name = step.layer.class_name
        if not step.activation:
            pools = has(name, Trait.GLOBAL_POOLING)
            known, pooled = pools or has(name, Trait.KEEPS_RANGE), pooled or pools
            given, before = (given, before) if known else (_FREE, None)
            continue
        if step.activation in {"softmax", "sigmoid"} and before is not None:
            return LimitedStep(before, step, given, _results(step, given, head.units), pooled)
        most = _most(step) if before is not None and before.activation in _SHARES else None
        if before is not None and most is not None and most < given[1]:
            return LimitedStep(before, step, given, (0.0, most), pooled)
        if step.activation == "softmax":
            given, before = (0.0, 1.0), step
        elif step.activation in MONOTONE:
            low, high = map(MONOTONE[step.activation], given)
            if (low, high) != given or before is None:  # a ReLU of probabilities changes nothing
                given, before = (low, high), step if step.activation != "exponential" else None
        elif step.activation != "linear":
            given, before = _FREE, None
    return None


def head_range(head: NetworkHead) -> tuple[float, float]:
    """The smallest and largest value that a head can give, as far as its steps and settings tell."""
    low, high = (0.0, math.inf) if sums_up(head.weights) else _FREE
    for step in head.steps:
        config, name = step.layer.config, step.layer.class_name
        if step.activation == "softmax":
            low, high = 0.0, 1.0
        elif step.activation == "elu" and step.layer.config.get("alpha", 1.0) == 1:
            low, high = (max(x, math.expm1(min(x, 0.0))) for x in (low, high))
        elif step.activation in MONOTONE:
            low, high = map(MONOTONE[step.activation], (low, high))
            high = min(high, number(config.get("max_value")) or high if name == "ReLU" else high)
        elif name == "Rescaling" and (scale := number(config.get("scale"))):
            ends = [each * scale + (number(config.get("offset")) or 0.0) for each in (low, high)]
            low, high = min(ends), max(ends)
        elif step.activation != "linear" and not has(name, _KEEPS):
            low, high = _FREE
    return low, high


def sums_up(layer: Layer) -> bool:
    """Whether its weights are never negative and it has no bias, as where parts add up to a whole."""
    said = layer.config.get("kernel_constraint")
    name = said.get("class_name") if isinstance(said, dict) else said
    return name in ("NonNeg", "non_neg") and layer.config.get("use_bias") is False


def _most(step: HeadStep) -> float | None:
    """The largest value that a tanh or limited ReLU gives for a probability."""
    if step.activation == "tanh":
        return math.tanh(1.0)
    return number(step.layer.config.get("max_value")) if step.layer.class_name == "ReLU" else None


def _results(
    step: HeadStep, given: tuple[float, float], units: int | None
) -> tuple[float, float] | None:
    low, high = given
    if step.activation == "sigmoid":
        return MONOTONE["sigmoid"](low), MONOTONE["sigmoid"](high)
    if not units:
        return None
    most = _times_apart(given)
    return 1 / (1 + (units - 1) * most), most / (most + units - 1)


def _times_apart(given: tuple[float, float]) -> float:
    low, high = given
    return math.exp(min(high - low, 700.0))
