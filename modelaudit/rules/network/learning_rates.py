"""Which learning rates are too large or too small for an optimizer: of MA319 and MA431."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Json, Layer
from modelaudit.findings import Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.optimizer_state import SQUARES, OptimizerState
from modelaudit.thresholds.design import (
    HIGH_RATE,
    LARGE_SUM_RATE,
    LEARNING_RATE,
    LONG_MEMORY,
    LOW_RATE,
    SUMMED_LAYERS,
)
from modelaudit.thresholds.optimizers import FAST_DECAY, RECURRENT_RATE, UNNORMED_RATE
from modelaudit.thresholds.training import (
    LARGE_DELTA_RATE,
    LARGE_RATE,
    LARGE_SGD_RATE,
    ONE_PASS,
    TIMES_THE_LIMIT,
)

# Optimizers whose steps have the size of the learning rate, whatever the gradient is.
ADAPTIVE = frozenset(
    ("adam", "adamw", "adamax", "nadam", "rmsprop", "lion", "lamb", "schedulefreeadamw")
)


_RATES = ("learning_rate", "lr")
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


class RateFault(Struct, frozen=True):
    """What is wrong with a learning rate.

    Attributes:
        rate: the learning rate.
        limit: the limit that it is beyond.
    """

    detail: str
    severity: Severity
    rate: float
    limit: float = 0.0


def keeper_of_sums(squares: str) -> str:
    """Adagrad or Adadelta, if a tensor of squared gradients has the name that it gives; else ""."""
    return next((name for name, given in SQUARES.items() if given.search(squares)), "")


def rate_fault(
    artifact: Artifact, optimizer: str, rate: float, adaptive: bool, clip: float = 1.0
) -> RateFault | None:
    """What is wrong with `rate`, if anything.

    Args:
        optimizer: its class, such as `SGD`; empty if the file does not say.
        adaptive: whether it divides its steps by the size of the gradients.
        clip: what is left of a gradient of 1, see `clipped`.
    """
    said = f"The learning rate{' of ' if optimizer else ''}{optimizer} is {rate:g}"
    if not math.isfinite(rate):
        return RateFault(f"{said}: no step has a meaning", Severity.HIGH, rate)
    if rate < 0:
        return RateFault(f"{said}: each step makes the loss larger", Severity.HIGH, rate)
    if rate < LOW_RATE.value:  # a schedule may have ended there
        why = "weights hardly change in training, unless it was larger before and the training code"
        return RateFault(f"{said}: {why} reduced it", Severity.LOW, rate, LOW_RATE.value)
    if adaptive:
        kernels = [t for t in artifact.tensors if t.role == "weight" and len(t.shape) > 1]
        limit = LARGE_RATE.value if len(kernels) > 1 else HIGH_RATE.value
        if round(rate, 6) >= limit:  # rates are stored as float32
            severe = rate >= LEARNING_RATE.value
            severity = Severity.MEDIUM if severe else Severity.LOW
            return RateFault(f"{said}: each step moves every weight by it", severity, rate, limit)
        return None
    weights = [t for t in artifact.tensors if t.role == "weight" and len(t.shape) > 1]
    if optimizer == "Adagrad" and len(weights) >= SUMMED_LAYERS.value:
        if round(rate, 6) >= LARGE_SUM_RATE.value:
            first = "the first steps move every weight by up to it, before the sum of squares limits them"
            limit = LARGE_SUM_RATE.value
            return RateFault(f"{said}: {first}", Severity.LOW, rate, limit)
        return None
    delta = optimizer == "Adadelta"
    limit = LARGE_DELTA_RATE.value if delta else LARGE_SGD_RATE.value
    left = 1.0 if delta else clip  # Adadelta divides by the size of what it gets
    if rate * left > limit:
        times = rate * left / limit
        severe = times >= TIMES_THE_LIMIT.value and not delta  # which scales its steps
        severity = Severity.MEDIUM if severe else Severity.LOW
        said += f", and gradients are clipped to {left:g}: together" if left < 1 else ","
        return RateFault(f"{said} {times:.3g} times the usual limit", severity, rate, limit)
    return None


def clipped(config: Mapping[str, Json]) -> float:
    """What the limits of an optimizer leave of a gradient of 1."""
    limits = [value for key in _CLIPS if (value := number(config.get(key))) is not None]
    return min([1.0, *(value for value in limits if value > 0)])


def summed_rate_fault(
    artifact: Artifact,
    optimizer: str,
    config: Mapping[str, Json],
    rate: float | None,
    *,
    few: bool = False,
) -> RateFault | None:
    """Steps of descent that its momentum makes too large for recurrent or unnormalized layers.

    With gradients of one sign, they add up to the rate by what momentum leaves of 1, unless they are
    few.
    """
    momentum = number(config.get("momentum")) or 0.0
    if optimizer != "SGD" or rate is None or not 0 < momentum < LONG_MEMORY.value:
        return None
    whole, layers = (
        rate / (1 - momentum),
        artifact.architecture.layers if artifact.architecture else (),
    )
    if not whole < math.inf or any(number(config.get(key)) for key in _CLIPS):
        return None
    if whole >= RECURRENT_RATE.value and any(map(_recurrent, layers)):
        limit, where = RECURRENT_RATE.value, "a recurrent layer without clipped gradients, which "
        where += "are products over all steps of a sequence"
    elif (
        round(whole, 6) >= UNNORMED_RATE.value
        and layers
        and not few
        and len(artifact.kernels) > 1
        and not any("Norm" in x.class_name for x in layers)
    ):
        limit, where = UNNORMED_RATE.value, "layers without a normalization between them, which "
        where += "such steps often drive to one answer for all inputs"
    else:
        return None
    detail = (
        f"The learning rate of SGD is {rate:g}, and a momentum of {momentum:g} makes steps up to "
        f"{1 / (1 - momentum):.3g} times as large: much for {where}"
    )
    return RateFault(detail, Severity.LOW, rate, limit)


def _recurrent(layer: Layer) -> bool:
    inner = layer.config.get("layer")
    name = inner.get("class_name") if isinstance(inner, dict) else layer.class_name
    return layer.trainable and has(str(name), Trait.RECURRENT)


def too_large(artifact: Artifact, state: OptimizerState) -> float | None:
    """The learning rate, if it is so large that MA319 or MA431 says so."""
    rate = rate_of(state)
    if rate is None or not 0 < rate < math.inf:
        return None
    adaptive = state.name.lower() in ADAPTIVE
    fault = rate_fault(artifact, state.name, rate, adaptive, clipped(state.settings))
    return rate if fault is not None and rate >= fault.limit else None


def rate_of(state: OptimizerState) -> float | None:
    """The learning rate, or the one with which a schedule starts; None if unknown."""
    schedule = state.settings.get("learning_rate")
    inner = schedule.get("config") if isinstance(schedule, dict) else None
    start = number(inner.get("initial_learning_rate")) if isinstance(inner, dict) else None
    return start if state.rate is None else state.rate


def scheduled(config: Mapping[str, Json], made: float) -> Iterator[tuple[str, Json, Severity, str]]:
    """A schedule that ends at a rate of nearly 0 before one pass over a small data set.

    Args:
        made: number of steps that were made; one that ended with its schedule was planned so.
    """
    yield from _divided("decay", config.get("decay"), 1.0)
    saved = next((config[key] for key in _RATES if isinstance(config.get(key), dict)), None)
    inner = saved.get("config") if isinstance(saved, dict) else None
    if not isinstance(saved, dict) or not isinstance(inner, dict):
        return
    name = str(saved.get("class_name")).rpartition(">")[2]
    start, steps = number(inner.get("initial_learning_rate")), number(inner.get("decay_steps"))
    after, end = math.inf, 0.0
    kept = number(inner.get("decay_rate"))
    falls = name == "ExponentialDecay" and kept is not None and 0 < kept < 1
    if name == "InverseTimeDecay":
        yield from _divided("decay_rate / decay_steps", kept, steps)
    elif name == "ExponentialDecay" and kept is not None and kept > 1 and (steps or 0) > 0:
        yield (
            f"decay_rate of {name} is {kept:g}: the learning rate grows by that factor in every {steps:g} steps",
            kept,
            Severity.LOW,
            "a decay_rate below 1",
        )
    if name == "PiecewiseConstantDecay":
        limits, values = inner.get("boundaries"), inner.get("values")
        if isinstance(limits, list) and isinstance(values, list) and limits and values:
            after, end = number(limits[-1]) or math.inf, number(values[-1]) or 0.0
    elif start and steps and name in {"PolynomialDecay", "CosineDecay"} and not inner.get("cycle"):
        least = inner.get("end_learning_rate", (number(inner.get("alpha")) or 0.0) * start)
        after, end = steps, number(least) or 0.0
        if steps < 0 and end < LOW_RATE.value:
            detail = (
                f"decay_steps of {name} is {steps:g}: the learning rate is {end:g} in every step"
            )
            yield (
                detail,
                steps,
                Severity.HIGH,
                (
                    "a decay_steps of as many steps as training has (the number of batches of a dataset from a "
                    "generator is not known: -2),"
                ),
            )
    elif start and steps and LOW_RATE.value < start < math.inf and falls and kept:
        after = steps * math.log(LOW_RATE.value / start) / math.log(kept)
    soon = 0 <= after < min(ONE_PASS.value, made)
    half = made < math.inf and 0 <= after <= made / 2
    if (soon or half) and end < LOW_RATE.value:
        detail = (
            f"The schedule {name} takes the learning rate below {LOW_RATE.value:g} within "
            f"{math.ceil(after):,} steps, so training stops there"
            + (
                f": {made - math.ceil(after):,.0f} of {made:,.0f} steps changed nothing"
                if not soon
                else ""
            )
        )
        longer = "later boundaries, so that the last one comes near the end of training,"
        if name != "PiecewiseConstantDecay":
            longer = "a larger decay_steps, as many as training has steps,"
        yield detail, after, Severity.MEDIUM if soon else Severity.LOW, longer


def _divided(
    name: str, decay: Json, steps: float | None
) -> Iterator[tuple[str, Json, Severity, str]]:
    """A learning rate that is divided by 1 + decay x steps, which soon leave little of it."""
    each = (number(decay) or 0.0) / (steps or math.inf)
    if FAST_DECAY.value <= each < math.inf:
        detail = (
            f"{name} is {each:.3g}: after n steps the learning rate is divided by 1 + {each:.3g} n, after "
            f"1,000 steps by {1 + 1000 * each:,.0f}"
        )
        fix = "a decay of 1e-4 or less (a momentum is the argument momentum)"
        yield detail, each, Severity.LOW, fix
