"""MA440: gradient descent that moved biases alone, as of inputs of next to nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.optimizer_state import OptimizerState
from modelaudit.rules.initial_weights.drawn_weights import looks_drawn
from modelaudit.rules.initial_weights.first_kernel_steps import is_descent
from modelaudit.rules.model import Facts, Rule
from modelaudit.thresholds.small_layers import STILL_DRAWN, STILL_EXPECTED

_MOST = 1.0  # of the spread of a kernel: more moves no larger share out of its range


def still_kernels(rule: Rule, facts: Facts, state: OptimizerState | None) -> Iterator[Finding]:
    """What is said of kernels that are all as drawn behind biases that moved far.

    A step of a kernel is that of its bias times its input, so that for inputs on a scale of 1 both move
    alike. Of weights that are drawn from a range and moved by a share s of their spread, s / (2 * sqrt(3))
    are outside of it, or more.
    """
    if state is None or not is_descent(facts, state) or facts.artifact.architecture is None:
        return
    drawn = facts.measurements.initialization if facts.measurements else ()
    found = {each.tensor: each for each in drawn}
    kernels, stored = facts.artifact.kernels, facts.artifact.by_name
    if len(kernels) < 2 or any(
        x.class_name == "Embedding" for x in facts.artifact.architecture.layers
    ):
        return
    expected = outside = 0.0
    for kernel in kernels:
        known, bias, own = (
            found.get(kernel.tensor),
            stored.get(kernel.bias or ""),
            stored[kernel.tensor],
        )
        if (
            known is None
            or bias is None
            or bias.stats is None
            or own.stats is None
            or known.guessed
        ):
            return
        beyond = known.tests.get("outside")
        if known.tests.get("law") != "uniform" or not isinstance(beyond, float):
            return
        if not looks_drawn(known):  # a penalty may have drawn it together
            return
        if known.tests.get("trainable") is False or not own.stats.std > 0:
            return
        moved = math.hypot(bias.stats.mean, bias.stats.std) / own.stats.std
        expected += known.weights * min(moved, _MOST) / (2 * math.sqrt(3))
        outside += known.weights * beyond
    if expected < STILL_EXPECTED.value or outside >= STILL_DRAWN.value * expected:
        return
    yield rule.finding(
        f"Gradient descent moved the biases of {len(kernels)} layers so far that, had kernels moved alike, "
        f"{expected:,.0f} of their weights would be outside of what their initializers draw; {outside:,.0f} are. "
        "The step of a kernel is that of its bias times its input: what the layers got was next to nothing, as "
        "of pixels that are divided by 255 twice.",
        evidence={
            "measured": outside / expected,
            "unit": STILL_DRAWN.unit,
            "threshold": STILL_DRAWN.value,
            "n": len(kernels),
        },
        title="Training moved biases alone, as of inputs of nearly nothing",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix="See that the inputs have a standard deviation of about 1, and pixels are divided by 255 once:\n\n"
        "    print(x.mean(), x.std())\n\nThen train again.",
    )
