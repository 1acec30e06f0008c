"""MA306: autoencoders whose inputs, which are their targets, the last activation cannot give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from modelaudit.audit_types.kernels import ColumnSigns
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import BINARY, DISTANCES, KNOWN, CompiledLoss
from modelaudit.measures.architecture.restored_shape import restored_shape
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph
from modelaudit.thresholds.optimizers import (
    BEYOND_ONE,
    SIGNED_AGAINST,
    SIGNED_AGREED,
    SIGNED_SIZE,
    SIGNED_WEIGHTS,
)

Paired = tuple[NetworkHead, CompiledLoss | None]
_ROW = 2  # axes of a row of columns
_LIMITED = {"sigmoid": "values from 0 to 1 only", "relu": "no value below 0"}


def inputs_beyond(
    rule: Rule, facts: Facts, head: NetworkHead, loss: CompiledLoss | None
) -> Finding | None:
    """What is said of an output of shares that has the shape of inputs which are no shares.

    So is a ReLU for inputs of both signs. A loss that a layer or a function of the program gives may be
    any: then only rows of columns are judged.
    """
    found = facts.measurements.column_signs if facts.measurements else {}
    name = loss.name if loss is not None and loss.name in KNOWN else ""
    if not found or head.last not in _LIMITED or (name and name not in DISTANCES | BINARY):
        return None
    if head.joined or head.rescaled:
        return None
    graph = saved_graph(facts)
    shape = restored_shape(graph)
    # Masks have the shape of images of one channel, and a cross-entropy.
    if shape is None or ((not name or name in BINARY) and len(shape) != _ROW):
        return None
    route, signs = next(iter(found.items()))
    above = signs.size >= BEYOND_ONE.value and head.last == "sigmoid"
    if len(found) > 1 or not (above or _signed(signs)):
        return None
    if name in BINARY and shape[-1] == 1:  # a number, and a yes or no
        return None
    why = (
        "more than values from 0 to 1 can have"
        if above
        else f"and only {signs.agreed:.0%} of the average gradients of its {signs.weights:,} weights have the "
        f"sign of that of their bias, where values from 0 to 1 of that size give {_expected(signs.size):.0%}: "
        + (
            "most are below 0, as pixels from -1 to 1 with a dark background are"
            if signs.agreed < SIGNED_AGAINST.value
            else "they have both signs, as standardized columns do"
        )
    )
    return rule.finding(
        f"`{head.route}`: the output has the shape of the input, so the targets may be the inputs. In "
        f"training, what `{route}` got had a root mean square of about {signs.size:.2g}, {why}. A "
        f"{head.last} gives {_LIMITED[head.last]}.",
        route=head.route,
        evidence={
            "measured": signs.size,
            "unit": "root mean square of the inputs",
            "threshold": BEYOND_ONE.value if above else SIGNED_SIZE.value,
            "activation": head.last,
            "agreed": signs.agreed,
        },
        key=head.route,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix="If it is to give its inputs again, scale them to values from 0 to 1, or use no activation in "
        f"the last layer and mean_squared_error, and train again:\n{head.code('linear')}\n"
        'model.compile(loss="mean_squared_error")',
    )


def without_known_loss(
    rule: Rule, facts: Facts, heads: Callable[[Facts], list[Paired]]
) -> Iterator[Finding]:
    """Outputs whose loss a layer or a function of the program gives, beside their inputs."""
    if not facts.measurements or not facts.measurements.column_signs:
        return
    try:
        pairs = heads(facts)
    except NotApplicable:
        return
    for head, loss in pairs:
        if loss is None or loss.name not in KNOWN:
            found = inputs_beyond(rule, facts, head, loss)
            yield from () if found is None else (found,)


def _signed(signs: ColumnSigns) -> bool:
    """Whether inputs of that size have both signs, by those of the gradients.

    Inputs whose mean is below 0 turn the signs of the gradients around, whatever their size is.
    """
    if signs.weights < SIGNED_WEIGHTS.value:
        return False
    if signs.agreed < SIGNED_AGAINST.value:
        return True
    if signs.size < SIGNED_SIZE.value:
        return False
    most = 0.5 + SIGNED_AGREED.value * (_expected(signs.size) - 0.5)
    return signs.agreed < most


def _expected(size: float) -> float:
    """Share of signs that agree for values from 0 to 1 with this root mean square, at least.

    Two normal variables with a correlation of r have one sign in 1 - acos(r) / pi of the cases
    (Sheppard, 1899).
    """
    return 1 - math.acos(min(1.0, size)) / math.pi
